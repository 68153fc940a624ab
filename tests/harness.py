"""A real Airflow for tests: run a DAG on the metadata database in this process, and look at how it ended."""

from __future__ import annotations

import asyncio
import importlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from airflow import __version__ as airflow_version
from environment import EXAMPLE_DAGS, TEST_DAGS

AIRFLOW_3 = not airflow_version.startswith("2.")
# What a task keeps for its next try: `context["task_state_store"]`.
KEEPS_TASK_STATE = tuple(int(part) for part in airflow_version.split(".")[:2]) >= (3, 3)


@dataclass(frozen=True)
class Run:
    """A DAG run that has ended."""

    dag_run: Any

    @property
    def state(self) -> str:
        """Return the run's state."""
        return str(self.dag_run.state)

    def task(self, task_id: str, map_index: int = -1) -> Any:
        """Return a task instance as the database has it."""
        return self.dag_run.get_task_instance(task_id, map_index=map_index)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return what a task instance pushed, or None."""
        from airflow.utils.session import create_session

        if AIRFLOW_3:
            from airflow.models.xcom import XComModel as Model
        else:
            from airflow.models.xcom import XCom as Model  # type: ignore[no-redef]  # Airflow 2's
        where = {"dag_id": self.dag_run.dag_id, "run_id": self.dag_run.run_id, "task_id": task_id}
        with create_session() as session:
            found = session.query(Model).filter_by(**where, key=key, map_index=map_index).one_or_none()
            if found is None:
                return None
            # Airflow 2 has deserialised it on loading.
            return Model.deserialize_value(found) if AIRFLOW_3 else found.value


def run_dag(dag_id: str, conf: dict[str, Any] | None = None, at: datetime | None = None) -> Run:
    """
    Run a DAG of tests/dags or example_dags with ``dag.test()``, triggers included.

    :param at: the run's date; a second run of a date takes the first one's place, and has its run id.
    """
    return run(dags()[dag_id], conf, at)


def run(dag: Any, conf: dict[str, Any] | None = None, at: datetime | None = None) -> Run:
    """Run any DAG, as `run_dag` does, whose folder is one of Airflow's bundles."""
    _keep_api_server()
    if at is None:
        return Run(dag.test(run_conf=conf))
    if AIRFLOW_3:
        return Run(dag.test(run_conf=conf, logical_date=at, run_after=at))
    # To remove the first run, Airflow 2 must know the tables of its users.
    importlib.import_module("airflow.providers.fab.auth_manager.models")
    return Run(dag.test(run_conf=conf, execution_date=at))


@lru_cache(maxsize=1)
def _keep_api_server() -> None:
    """Let `dag.test()` keep its API for all tasks, as since Airflow 3.3: up to 3.2 it makes one for each."""
    if AIRFLOW_3:
        supervisor = importlib.import_module("airflow.sdk.execution_time.supervisor")
        made = supervisor.in_process_api_server
        if not hasattr(made, "cache_info"):
            vars(supervisor)["in_process_api_server"] = lru_cache(maxsize=1)(made)


def dags() -> dict[str, Any]:
    """Return the DAGs of tests/dags and example_dags."""
    # Anew for each run: up to 3.2 a run leaves its parameters in its DAG.
    return dags_in(EXAMPLE_DAGS) | dags_in(TEST_DAGS)


def dags_in(path: Path) -> dict[str, Any]:
    """Return the DAGs of a folder or a file."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]  # Airflow 2's

    bag = DagBag(path)
    if bag.import_errors:
        raise ImportError("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    return dict(bag.dags)


def activate(asset: Any) -> None:
    """Let Airflow 3.0 take events of an asset, as when its DAG file was parsed; later ones do so in `dag.test()`."""
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        model = session.query(AssetModel).filter_by(uri=asset.uri).one_or_none()
        if model is None:
            model = AssetModel.from_public(asset)
            session.add(model)
        if not session.query(AssetActive).filter_by(uri=asset.uri).count():
            session.add(AssetActive.for_asset(model))


class TaskInstance:
    """What an operator's `execute` needs of a task instance, where no scheduler is wanted."""

    def __init__(self) -> None:
        self.start_date = datetime.now(UTC)
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value as XCom would: in JSON types only."""
        self.xcoms[key] = json.loads(json.dumps(value))

    def get_first_reschedule_date(self, context: Any) -> None:
        """Return None: the task was never rescheduled."""


def new_context() -> Any:
    """Return a context with a task instance of its own."""
    return {"ti": TaskInstance()}


def stored(trigger: Any) -> Any:
    """Send a trigger through Airflow's storage, as deferring does: what can't be stored fails here."""
    return restored(*to_store(trigger))


def to_store(trigger: Any) -> tuple[str, str]:
    """Return the path and the arguments of a trigger as Airflow's database has them."""
    classpath, arguments = trigger.serialize()
    serialize, _ = _serialization()
    return classpath, json.dumps(serialize(arguments))


def restored(classpath: str, arguments: str) -> Any:
    """Make a trigger of what Airflow's database has."""
    _, deserialize = _serialization()
    module, _, name = classpath.rpartition(".")
    kept = cast("dict[str, Any]", deserialize(json.loads(arguments)))
    return getattr(importlib.import_module(module), name)(**kept)


def _serialization() -> tuple[Any, Any]:
    if not AIRFLOW_3:
        from airflow.serialization.serialized_objects import BaseSerialization

        return BaseSerialization.serialize, BaseSerialization.deserialize
    try:
        from airflow.sdk import serde
    except ImportError:  # Airflow 3.0 and 3.1
        from airflow.serialization import serde  # type: ignore[attr-defined, no-redef]
    return serde.serialize, serde.deserialize


def fire(trigger: Any) -> dict[str, Any]:
    """Run a trigger on an event loop until it fires, and give its event's payload."""

    async def first() -> Any:
        async for event in trigger.run():
            return event.payload

    payload = asyncio.run(asyncio.wait_for(first(), timeout=30))
    assert isinstance(payload, dict)
    fired: dict[str, Any] = json.loads(json.dumps(payload))
    return fired
