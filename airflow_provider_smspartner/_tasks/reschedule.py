"""When a rescheduled task polled first: each Airflow tells it in another way."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_smspartner.exceptions import SMSPartnerInputError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseSensorOperator, Context

    from airflow_provider_smspartner._waiting.seen import Seen


def first_poll_of(sensor: BaseSensorOperator, context: Context) -> datetime | None:
    """
    Return when a rescheduled sensor polled first, or None if it has not polled yet.

    :param sensor: in mode ``reschedule``.
    :param context: the task's context.
    :raises SMSPartnerInputError: if there is no task instance, which keeps the date.
    """
    task_instance: Any = context.get("ti")
    if task_instance is None:
        raise SMSPartnerInputError(
            f"Task {sensor.task_id!r}: without a task instance nothing can be rescheduled; run the DAG with "
            "`dag.test()`, or use `mode='poke'` in this test."
        )
    if hasattr(task_instance, "get_first_reschedule_date"):
        return _to_date(task_instance.get_first_reschedule_date(context))
    # Airflow 2.11 keeps it to its own sensors.
    from airflow.sensors.base import _orig_start_date

    first_try = (task_instance.max_tries or 0) - (sensor.retries or 0) + 1
    first: datetime | None = _orig_start_date(
        task_instance.dag_id, task_instance.task_id, task_instance.run_id, task_instance.map_index, first_try
    )
    return first


def recall(context: Context, seen: Seen) -> None:
    """
    Take over what earlier pokes of this try have seen, where Airflow keeps it: since 3.3.

    :param context: the task's context.
    :param seen: takes it.
    """
    store, number = _store_of(context)
    if store is None or seen.at is not None:
        return
    # A store that does not answer must not end a wait: it then knows less.
    with suppress(Exception):
        kept = store.get(_SEEN)
        if kept and kept["try"] == number:
            seen.note(int(kept["known"]), datetime.fromisoformat(kept["at"]))


def remember(context: Context, seen: Seen) -> None:
    """
    Keep what this poke has seen for the next.

    :param context: the task's context.
    :param seen: what the vendor has known.
    """
    store, number = _store_of(context)
    if store is not None and seen.at is not None:
        with suppress(Exception):
            store.set(_SEEN, {"try": number, "known": seen.known, "at": seen.at.isoformat()})


def _store_of(context: Context) -> tuple[Any, int | None]:
    """Return where Airflow keeps what a task stores, if it does, and the number of this try."""
    return context.get("task_state_store"), getattr(context.get("ti"), "try_number", None)


_SEEN = "smspartner_seen"


def with_dates(context: Context) -> Any:
    """
    Return the context with a first reschedule date that Airflow's own loop can count with.

    Airflow 3.0 gives text where its loop adds a timedelta.

    :param context: the task's context.
    """
    task_instance: Any = context["ti"]
    if not hasattr(task_instance, "get_first_reschedule_date"):
        return context
    first = task_instance.get_first_reschedule_date(context)
    if not isinstance(first, str):
        return context
    return {**context, "ti": _DatedTaskInstance(task_instance, _to_date(first))}


class _DatedTaskInstance:
    """A task instance whose first reschedule date is a date."""

    def __init__(self, task_instance: Any, first: datetime | None) -> None:
        self._task_instance = task_instance
        self._first = first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task_instance, name)

    def get_first_reschedule_date(self, context: Context) -> datetime | None:
        return self._first


def _to_date(first: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(first) if isinstance(first, str) else first
