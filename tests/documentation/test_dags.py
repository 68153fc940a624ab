"""The DAG files on the pages: each is parsed and run by a real Airflow, against the double."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.exceptions import DagNotFound
from airflow.providers.common.compat.sdk import Asset
from documentation.blocks import Block, Kind, each_of, of_page
from documentation.console import differs
from documentation.place import API_KEY, Place
from harness import AIRFLOW_3, Run, activate, dags_in, run

from airflow_provider_smspartner.testing import SMSPartnerDouble

# Airflow's scheduler and API run in this process, with warnings of their own.
pytestmark = pytest.mark.filterwarnings("default")
# Airflow 2 has other names for the same.
_NAME = "asset" if AIRFLOW_3 else "dataset"


@each_of(Kind.DAG)
def test_it_runs(  # noqa: PLR0917 - fixtures
    page: str,
    block: Block,
    place: Place,
    double: SMSPartnerDouble,
    metadata_database: None,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    block.skip_unless_possible()
    caplog.set_level("INFO")
    path = place.write(block)
    dags = dags_in(path)

    assert dags, f"{block.id} has no DAG: is its function called?"
    assert [str(each.message) for each in recwarn if each.filename == str(path)] == []
    if "parse only" in block.marks:
        return
    for dag in in_order([*dags.values()]):
        followed = followed_by(dag)
        for other in of_page(page, Kind.DAG):
            if followed and other is not block and other.is_possible:
                for each in dags_in(place.write(other)).values():
                    if updated_by(each) & followed:
                        begin(each)
        with events_of(followed):
            ended = begin(dag)
        tasks = {each.task_id: str(each.state) for each in ended.dag_run.get_task_instances()}
        assert ended.state == "success", f"{block.id}: {dag.dag_id} ended as {ended.state}: {tasks}"
    # Logged through logging, or past it, as Airflow 3 does.
    printed = "".join(capfd.readouterr()) + caplog.text
    for text in of_page(page, Kind.TEXT):
        if text.marks.get("printed by") == block.file_name:
            missing = differs(text.text.splitlines(), printed)
            assert missing is None, f"{text.id} shows what was not printed: {missing}\n{printed}"


@pytest.mark.parametrize("page", ["README.md"])
def test_the_first_example_goes_well_where_somebody_has_answered_stop(
    page: str, place: Place, monkeypatch: pytest.MonkeyPatch, metadata_database: None
) -> None:
    # It knows of no SMS but those that it has sent.
    with SMSPartnerDouble(api_key=API_KEY, settle_seconds=0) as double:
        for name, value in place.environment(double).items():
            monkeypatch.setenv(name, value)
        double.add_stop("+33639980001")
        (dag,) = dags_in(place.write(of_page(page, Kind.DAG)[0])).values()

        ended = begin(dag)

    assert ended.state == "success"
    summary = ended.xcom("send", key="summary")
    assert [summary[name] for name in ("accepted", "refused", "sms")] == [1, 1, 1]
    assert [row["phone_number"] for row in ended.xcom("await_delivery")] == ["+33639980000"]


def in_order(dags: list[Any]) -> list[Any]:
    """Return DAGs so that each comes after those whose assets it follows."""
    return sorted(dags, key=lambda dag: bool(followed_by(dag)))


def begin(dag: Any) -> Run:
    """Run a DAG as if it had never run before."""
    forget(dag.dag_id)
    know_outlets(dag)
    return run(dag)


def forget(dag_id: str) -> None:
    """Remove a DAG of the same name, which another page may have."""
    from airflow.api.common.delete_dag import delete_dag

    with suppress(DagNotFound):
        delete_dag(dag_id)


def know_outlets(dag: Any) -> None:
    """Let Airflow take events of the assets that the DAG's tasks update."""
    if not AIRFLOW_3:
        dag.sync_to_db()
    elif version("apache-airflow").startswith("3.0."):
        for task in dag.tasks:
            for asset in task.outlets:
                if isinstance(asset, Asset):
                    activate(asset)


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
