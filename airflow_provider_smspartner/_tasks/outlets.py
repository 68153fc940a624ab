"""What a task tells the DAGs that are scheduled on its outlet assets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

EXTRA_KEY = "smspartner"
"""Where the extra of an asset event holds the summary."""


def attach_summary(context: Context, outlets: Any, summary: Mapping[str, Any]) -> None:
    """
    Attach a summary to the event that Airflow stores for each outlet asset once the task has succeeded.

    Outlets that are no assets are left alone. An asset alias, for one, has no event of its own.

    :param context: the task's context; in a unit test it may hold no events.
    :param outlets: those of the task.
    :param summary: plain JSON types only.
    """
    events: Any = context.get("outlet_events") if context and outlets else None
    if events is None:
        return
    from airflow.providers.common.compat.sdk import Asset

    for outlet in outlets:
        if isinstance(outlet, Asset):
            # Other keys may be the DAG author's.
            events[outlet].extra[EXTRA_KEY] = dict(summary)
