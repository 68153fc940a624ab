"""Airflow as production runs it: PostgreSQL, Redis, a triggerer, two Celery workers, each a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
from environment import EXAMPLE_DAGS, bundles
from psycopg.conninfo import conninfo_to_dict

from local_airflow import COMPONENTS, DagRun, LocalAirflow

T = TypeVar("T")

SLOTS_A_WORKER = 2
WORKERS = ("worker-1", "worker-2")
STACK_DAGS = Path(__file__).parent / "dags"

# Everything that Airflow ever writes into these tables, also what it soon deletes or overwrites again.
_REMEMBERED = ("trigger", "task_instance", "rendered_task_instance_fields", "xcom", "log")
_REMEMBER = """
CREATE TABLE remembered (number bigserial, name text, content text);
CREATE FUNCTION remember() RETURNS trigger AS $$
BEGIN
    INSERT INTO remembered (name, content) VALUES (TG_TABLE_NAME, row_to_json(NEW)::text);
    RETURN NULL;
END $$ LANGUAGE plpgsql;
"""


class Production:
    """
    The stack, with what its tests ask of it beside the REST API.

    :param home: AIRFLOW_HOME.
    :param database: what follows the driver in the metadata database's URL.
    :param broker: the URL of the Redis database.
    """

    def __init__(self, home: Path, *, database: str, broker: str) -> None:
        self.home = home
        self._database = f"postgresql://{database}"
        workers = {
            name: [
                *("celery", "worker", "--skip-serve-logs", "--concurrency", str(SLOTS_A_WORKER)),
                *("--celery-hostname", f"{name}@%h", "--pid", str(home / f"{name}.pid")),
            ]
            for name in WORKERS
        }
        examples = home / "examples"
        examples.mkdir()
        shutil.copy(EXAMPLE_DAGS / "send_and_await.py", examples)
        self.airflow = LocalAirflow(
            home,
            dags=examples,
            components=COMPONENTS | workers,
            env={
                "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
                "AIRFLOW__CORE__PARALLELISM": "32",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
                "AIRFLOW__CELERY__BROKER_URL": broker,
                "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{database}",
                "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": bundles(
                    examples=examples, stack=STACK_DAGS
                ),
                # A triggerer that is gone is noticed within seconds, where production takes half a minute.
                "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
                "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
                # So is a worker, where production takes five minutes.
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            },
        )

    @contextmanager
    def running(self) -> Iterator[Production]:
        """Start everything, and end it."""
        with self.airflow:
            self.airflow.wait_until_ready()
            self._remember()
            yield self

    def trigger(self, dag_id: str, **params: Any) -> DagRun:
        """Start a run of a DAG."""
        return self.airflow.trigger(dag_id, params)

    def wait_for(self, what: str, probe: Callable[[], T | None], *, seconds: float = 300) -> T:
        """Ask `probe` until it gives something true."""
        return self.airflow.wait_for(what, probe, seconds=seconds)

    def wait_for_state(self, run: DagRun, task_id: str, *states: str, seconds: float = 300) -> dict[str, Any]:
        """Return a task once it is in one of the states."""

        def reached() -> dict[str, Any] | None:
            task = run.task(task_id)
            return task if task["state"] in states else None

        return self.wait_for(
            f"{task_id} of {run.run_id} to be {' or '.join(states)}", reached, seconds=seconds
        )

    def task_processes(self, *workers: str) -> list[psutil.Process]:
        """Return the processes in which all workers, or some, run tasks just now."""
        # A worker has a process for each slot; the task is run by children of that.
        parents = [psutil.Process(self.airflow.process_id(worker)) for worker in workers or WORKERS]
        slots = [slot for parent in parents for slot in parent.children()]
        tasks = [process for slot in slots for process in slot.children(recursive=True)]
        return [process for process in tasks if process.status() != psutil.STATUS_ZOMBIE]

    def kill_the_worker_of_the_task(self) -> None:
        """Kill the worker that runs the only task there is, as a machine that fails does, and start it anew."""
        (name,) = [name for name in WORKERS if self.task_processes(name)]
        tasks = self.task_processes(name)
        self.airflow.kill(name)
        # Airflow's supervisor puts a task into a process group of its own.
        for process in tasks:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.airflow.launch(name)

    def replace_the_triggerer_of(self, run: DagRun) -> None:
        """Kill the triggerer, start another, and return once that has taken over a run's wait."""

        def job_of_the_wait() -> int | None:
            job = run.task("await_campaign")["triggerer_job"]
            return job["id"] if job else None

        first = self.wait_for("a triggerer to take the wait", job_of_the_wait)
        self.airflow.kill("triggerer")
        self.airflow.launch("triggerer")
        self.wait_for("the other triggerer to take over", lambda: (job := job_of_the_wait()) and job != first)

    def log(self, run: DagRun, task_id: str, *, attempt: int) -> str:
        """Return what a try of a task has logged."""
        (path,) = (self.home / "logs").rglob(f"*{run.run_id}*/task_id={task_id}/attempt={attempt}.log")
        return path.read_text()

    def triggers_of(self, package: str) -> int:
        """Return how many triggers of a package the database has."""
        ((count,),) = self.query("SELECT count(*) FROM trigger WHERE classpath LIKE %s", f"{package}.%")
        return int(count)

    def query(self, sql: str, *arguments: Any) -> list[Any]:
        """Return the rows of a query to the metadata database."""
        with psycopg.connect(self._database) as connection:
            rows: list[Any] = connection.execute(sql, arguments or None).fetchall()
            return rows

    def store_warehouse(self, conn_id: str) -> None:
        """Make a connection to the metadata database, as to one that results land in."""
        found: dict[str, Any] = conninfo_to_dict(self._database)
        self.airflow.post(
            "connections",
            {
                "connection_id": conn_id,
                "conn_type": "postgres",
                "host": found["host"],
                "port": int(found["port"]),
                "login": found["user"],
                "password": found.get("password", ""),
                "schema": found["dbname"],
            },
        )

    def logged(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the text of every log file."""
        for path in [self.airflow.log, *(self.home / "logs").rglob("*.log")]:
            yield path.name, path.read_text(errors="replace")

    def kept(self) -> Iterator[tuple[str, str]]:
        """Yield every row that a table holds, and every one that the most telling tables ever held, as text."""
        with psycopg.connect(self._database) as connection:
            names = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
            ).fetchall()
            for (name,) in names:
                rows = f'SELECT row_to_json(each)::text FROM "{name}" each'  # noqa: S608 - the database's own name
                if name == "remembered":
                    yield from connection.execute("SELECT name, content FROM remembered")
                else:
                    yield from ((name, text) for (text,) in connection.execute(rows))

    def _remember(self) -> None:
        with psycopg.connect(self._database) as connection:
            connection.execute(_REMEMBER)
            for name in _REMEMBERED:
                connection.execute(
                    f"CREATE TRIGGER remember AFTER INSERT OR UPDATE ON {name} "
                    "FOR EACH ROW EXECUTE FUNCTION remember()"
                )
