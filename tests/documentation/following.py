"""DAGs that follow the assets of others: their runs are given the events, as the scheduler does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from harness import AIRFLOW_3

# Airflow 2 has other names for the same.
_NAME = "asset" if AIRFLOW_3 else "dataset"


def followed_by(dag: Any) -> set[str]:
    """Return the URIs of the assets that a DAG is scheduled on."""
    return set(_uris(getattr(dag.timetable, f"{_NAME}_condition", None)))


def _uris(condition: Any) -> Iterator[str]:
    if hasattr(condition, "uri"):
        yield condition.uri
    for part in getattr(condition, "objects", ()):
        yield from _uris(part)


def updated_by(dag: Any) -> set[str]:
    """Return the URIs of the assets that the tasks of a DAG update."""
    return {asset.uri for task in dag.tasks for asset in task.outlets if hasattr(asset, "uri")}


@contextmanager
def events_of(uris: set[str]) -> Iterator[None]:
    """Let runs that begin be triggered by all events that assets have had."""
    from airflow.models import DagRun

    models = import_module(f"airflow.models.{_NAME}")
    event, asset = getattr(models, f"{_NAME.title()}Event"), getattr(models, f"{_NAME.title()}Model")
    triggers = models.association_table

    def trigger(_: Any, connection: Any, run: Any) -> None:
        found = sa.select(event.id).join(getattr(event, _NAME)).where(asset.uri.in_(uris))
        given = [{"dag_run_id": run.id, "event_id": each} for (each,) in connection.execute(found)]
        assert given, f"nothing has updated {uris}"
        connection.execute(triggers.insert(), given)

    if not uris:
        yield
        return
    sa.event.listen(DagRun, "after_insert", trigger)
    try:
        yield
    finally:
        sa.event.remove(DagRun, "after_insert", trigger)
