"""What a task tells the DAGs that are scheduled on its outlet assets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

EXTRA_KEY = "smspartner"
"""Where the extra of an asset event holds the summary."""


def attach_summary(context: Context, outlets: Any, summary: Mapping[str, Any]) -> None:
    """
    Attach a summary to the event that Airflow stores for each outlet asset once the task has succeeded.

    Outlets that are neither assets nor references to one are left alone: an asset alias has no event of its own.
    It never fails: what the task is for has been done.

    :param context: the task's context; in a unit test it may hold no events.
    :param outlets: those of the task.
    :param summary: plain JSON types only.
    """
    events: Any = context.get("outlet_events") if context and outlets else None
    if events is None:
        return
    kinds = _kinds_with_events()
    for outlet in outlets:
        if isinstance(outlet, kinds):
            try:
                # Other keys may be the DAG author's. Airflow asks its server which asset a reference is to.
                events[outlet].extra[EXTRA_KEY] = dict(summary)
            except Exception as error:  # noqa: BLE001
                log.warning(
                    "The event of the outlet %r does not get the summary: Airflow does not say which asset it is (%s).",
                    outlet,
                    type(error).__name__,
                )


def _kinds_with_events() -> tuple[type, ...]:
    from airflow.providers.common.compat.sdk import Asset

    try:
        from airflow.sdk.definitions.asset import AssetRef
    except ImportError:  # Airflow 2
        return (Asset,)
    return Asset, AssetRef
