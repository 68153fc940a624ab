"""A real Airflow 3 on this machine, in a folder of its own: for `make demo`, `make up` and tests/system."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import urlsplit

import requests

from airflow_provider_smspartner.testing import SMSPartnerDouble

T = TypeVar("T")

# What `airflow standalone` runs, too; started here so that each can be watched and ended by its own id.
# All share this machine's log folder: nobody needs the servers of logs.
COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
PAGE_SIZE = 100  # the most that the API gives
# For a busy machine: where a component ends, that is told at once.
START_SECONDS = 300
ANSWER_SECONDS = 120
FINAL_STATES = {"success", "failed"}
# After that they are killed: the triggerer may wait another ten for a process of its own that has ended.
STOP_SECONDS = 5


class LocalAirflowError(Exception):
    """Airflow did not do what was asked of it in the time allowed."""


class LocalAirflow:
    """Scheduler, triggerer, dag-processor, api-server, and the REST API to talk to them; on loopback only.

    It has its own AIRFLOW_HOME and, unless `env` names another database, its own SQLite; nothing of the caller's
    Airflow configuration. Its output goes to `<home>/airflow.log`.
    """

    api = "api/v2"
    _any_run: ClassVar[dict[str, Any]] = {"logical_date": None}

    def __init__(
        self,
        home: Path,
        *,
        dags: Path,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
        components: Mapping[str, list[str]] = COMPONENTS,
    ) -> None:
        self.home = home
        self.log = home / "airflow.log"
        self._held = ExitStack()
        self.url = f"http://127.0.0.1:{port or self._hold_port()}"
        self._env = environment(home, dags=dags, url=self.url) | dict(env or {})
        self._components = components
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy leads to loopback
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._started = datetime.now(UTC)

    def _hold_port(self) -> int:
        bound = self._held.enter_context(held_port())
        port: int = bound.getsockname()[1]
        if sys.platform != "linux":
            # Elsewhere no server could listen on it.
            bound.close()
        return port

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Make the database where it is missing, start all components and return at once."""
        self._started = datetime.now(UTC)
        self.home.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self._migrate()
        for name in self._components:
            self.launch(name)

    def _migrate(self) -> None:
        done_for = self.home / "database-version"
        if done_for.exists() and done_for.read_text() == version("apache-airflow"):
            return
        migration = self._processes["db migrate"] = self._run(["db", "migrate"])
        code = migration.wait()
        del self._processes["db migrate"]
        if code != 0:
            raise LocalAirflowError(f"`airflow db migrate` failed; its output is in {self.log}")
        done_for.write_text(version("apache-airflow"))

    def launch(self, name: str) -> None:
        """Start a component that does not run, or no longer."""
        self._processes[name] = self._run(self._components[name])

    def kill(self, name: str) -> None:
        """Kill a component and all its processes, as a machine does that fails."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def process_id(self, name: str) -> int:
        """The id of a component's first process."""
        return self._processes[name].pid

    def _run(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own: ended whole, and spared by Ctrl+C
            )

    def wait_until_ready(self, *, seconds: float = START_SECONDS) -> None:
        """Return once the API answers and the scheduler, triggerer and dag-processor are healthy."""

        def healthy() -> bool:
            components = self._health()
            return bool(components) and all(
                part["status"] == "healthy" for part in components.values() if part
            )

        self.wait_for("Airflow to start", healthy, seconds=seconds)

    def _health(self) -> dict[str, Any]:
        """Return how each component is, and nothing while the API does not answer; from then on it may be asked."""
        try:
            token = self._session.get(f"{self.url}/auth/token", timeout=10).json()["access_token"]
        except (requests.RequestException, KeyError):
            return {}
        self._session.headers["Authorization"] = f"Bearer {token}"
        health: dict[str, Any] = self.get("monitor/health")
        return health

    def stop(self) -> None:
        """End what `start` started, gently first."""
        self._session.close()
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(timeout=max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()
        self._held.close()

    def wait_for(self, what: str, probe: Callable[[], T | None], *, seconds: float) -> T:
        """Ask `probe` until it gives something true; give up when Airflow has ended or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := probe():
                return found
            self.check_alive()
            time.sleep(0.3)
        raise LocalAirflowError(f"Waited {seconds:.0f} s for {what}; Airflow's output is in {self.log}")

    def check_alive(self) -> None:
        """Raise an error that names the component that has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise LocalAirflowError(
                    f"Airflow's {name} ended with exit code {process.returncode}; its output is in {self.log}"
                )

    def get(self, path: str, **params: Any) -> Any:
        """Answer of GET `<path>` below the API's address."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Answer of POST `<path>` below the API's address."""
        return self._call("POST", path, json=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Answer of PATCH `<path>` below the API's address."""
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        """DELETE `<path>` below the API's address."""
        self._call("DELETE", path)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        url = f"{self.url}/{self.api}/{path}"
        headers = {"Accept": "application/json"}
        try:
            answer = self._session.request(method, url, headers=headers, timeout=ANSWER_SECONDS, **arguments)
        except requests.RequestException as error:
            raise LocalAirflowError(f"{method} {path}: {error}; Airflow's output is in {self.log}") from None
        if not answer.ok:
            raise LocalAirflowError(f"{method} {path}: HTTP {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def store_connection(
        self, conn_id: str, double: SMSPartnerDouble, *, key: str | None = None, **extra: Any
    ) -> None:
        """
        Make or replace a connection to a double, where the UI shows it.

        :param key: another key than the one that the double accepts.
        """
        connection = connection_to(double) | {
            "connection_id": conn_id,
            # Airflow warns in every task's log of a text that is too short to mask, such as that of an empty object.
            "extra": json.dumps(extra) if extra else None,
        }
        if key is not None:
            connection["password"] = key
        self._store(connection)

    def _store(self, connection: dict[str, Any]) -> None:
        create = {"action": "create", "entities": [connection], "action_on_existence": "overwrite"}
        self.patch("connections", {"actions": [create]})

    def trigger(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        seconds: float = 60,
    ) -> DagRun:
        """Start a run of a DAG, once this Airflow has parsed it."""
        self.wait_until_parsed(dag_id, seconds=seconds)
        named = {"dag_run_id": run_id} if run_id else {}
        wanted = {**self._any_run, **named, "conf": dict(conf or {})}
        run = self.post(f"dags/{dag_id}/dagRuns", wanted)
        return DagRun(self, dag_id, run["dag_run_id"])

    def wait_until_parsed(self, dag_id: str, *, seconds: float = 60) -> None:
        """Wait until this Airflow has parsed a DAG."""

        def parsed() -> bool:
            # The database may remember DAGs and errors of an earlier start.
            for error in self.get("importErrors")["import_errors"]:
                if self._is_new(error["timestamp"]):
                    raise LocalAirflowError(f"{error['filename']}\n{error['stack_trace']}")
            dags = self.get("dags")["dags"]
            return any(dag["dag_id"] == dag_id and self._is_new(dag["last_parsed_time"]) for dag in dags)

        self.wait_for(f"DAG {dag_id} to be parsed", parsed, seconds=seconds)

    def _is_new(self, moment: str) -> bool:
        return datetime.fromisoformat(moment) > self._started


class DagRun:
    """One run of a DAG, seen through the REST API."""

    def __init__(self, airflow: LocalAirflow, dag_id: str, run_id: str) -> None:
        self.dag_id = dag_id
        self.run_id = run_id
        self._airflow = airflow
        self._path = f"dags/{dag_id}/dagRuns/{run_id}"

    def follow(self, on_change: Callable[[str, str], None], *, seconds: float) -> str:
        """Call `on_change(task_id, state)` at each change of a task's state; return the run's final state."""
        states: dict[str, str] = {}

        def finished() -> str | None:
            # Asked before the tasks, so that none of their changes is missed.
            run_state: str = self._airflow.get(self._path)["state"]
            for task in self.tasks():
                if task["state"] and states.get(task["task_id"]) != task["state"]:
                    states[task["task_id"]] = task["state"]
                    on_change(task["task_id"], task["state"])
            return run_state if run_state in FINAL_STATES else None

        return self._airflow.wait_for(f"run {self.run_id} to end", finished, seconds=seconds)

    @property
    def state(self) -> str:
        """The run's state."""
        return str(self._airflow.get(self._path)["state"])

    def tasks(self) -> list[dict[str, Any]]:
        """The run's task instances, oldest first."""
        tasks: list[dict[str, Any]] = []
        while True:
            page = self._airflow.get(
                f"{self._path}/taskInstances", limit=PAGE_SIZE, offset=len(tasks), order_by="id"
            )
            tasks += page["task_instances"]
            if len(tasks) >= page["total_entries"]:
                return sorted(tasks, key=lambda task: task["start_date"] or "~")

    def task(self, task_id: str) -> dict[str, Any]:
        """A task instance."""
        task: dict[str, Any] = self._airflow.get(f"{self._path}/taskInstances/{task_id}")
        return task

    def mark_task(self, task_id: str, state: str) -> None:
        """Set a task's state, as a user does in the UI."""
        self._airflow.patch(f"{self._path}/taskInstances/{task_id}", {"new_state": state})

    def clear_task(self, task_id: str) -> None:
        """Clear a task, so that it runs again."""
        wanted = {"dag_run_id": self.run_id, "task_ids": [task_id], "only_failed": False, "dry_run": False}
        self._airflow.post(f"dags/{self.dag_id}/clearTaskInstances", wanted)

    def state_of(self, task_id: str) -> dict[str, Any]:
        """What Airflow keeps for a task's tries, since 3.3."""
        kept = self._airflow.get(f"{self._path}/taskInstances/{task_id}/state-store")["task_state_store"]
        return {entry["key"]: entry["value"] for entry in kept}

    def forget_state(self, task_id: str) -> None:
        """Delete what Airflow keeps for a task's tries."""
        self._airflow.delete(f"{self._path}/taskInstances/{task_id}/state-store")

    def xcom(self, task_id: str, key: str = "return_value") -> Any:
        """An XCom value."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._airflow.get(path)["value"]

    def links(self, task_id: str) -> dict[str, str]:
        """The addresses that a task's page links to, by their names."""
        links: dict[str, str] = self._airflow.get(f"{self._path}/taskInstances/{task_id}/links")[
            "extra_links"
        ]
        return links

    def printed(self, task_id: str) -> list[str]:
        """The lines a task has printed, from its log."""
        log = self._airflow.get(f"{self._path}/taskInstances/{task_id}/logs/1")["content"]
        return [entry["event"] for entry in log if entry.get("logger") == "task.stdout"]


def connection_to(double: SMSPartnerDouble) -> dict[str, Any]:
    """Describe a connection in separate fields: Airflow 3.3.2 cannot test a saved one whose port is empty."""
    url = urlsplit(double.url)
    return {
        "conn_type": "smspartner",
        "schema": url.scheme,
        "host": url.hostname,
        "port": url.port,
        "password": double.api_key,
    }


def environment(home: Path, *, dags: Path, url: str) -> dict[str, str]:
    """The caller's environment with this Airflow's configuration in place of the caller's."""
    own = {
        "AIRFLOW_HOME": str(home.resolve()),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",  # everybody is admin: not for the network
        "AIRFLOW__API__PORT": url.rpartition(":")[2],
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags.resolve()),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",  # the form's Test button
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Airflow fails a task that resumes before its worker has noticed that the deferred process is gone, and
        # that takes up to this many seconds (5 by default); see issues 66374 and 72716 of apache/airflow.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # While somebody else writes into SQLite the API gives no answer.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(ANSWER_SECONDS),
        # No proxy leads to loopback, where Airflow's parts talk to each other and to the double.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    # Nor a measurement of the caller's coverage: it would slow Airflow's processes down.
    others = ("AIRFLOW", "COVERAGE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)} | own


@contextmanager
def held_port() -> Iterator[socket.socket]:
    """
    Yield a socket that has a port and does not listen: connections are refused, and nobody else is given the port.

    On Linux a server may listen on it meanwhile, if it sets SO_REUSEADDR as well: asyncio, Uvicorn, Gunicorn,
    PostgreSQL and Redis do.
    """
    with closing(socket.socket()) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        yield bound


def port_is_free(port: int) -> bool:
    """Whether nobody listens on a TCP port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def stop_when_asked() -> None:
    """Let Ctrl+C and `kill` raise KeyboardInterrupt, so that nothing is left running."""
    # A shell that starts a command in the background has it ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
