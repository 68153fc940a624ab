"""A real Airflow 2 on this machine: what it has for the API server of Airflow 3, and its REST API."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests

from local_airflow import COMPONENTS, PAGE_SIZE, LocalAirflow


class LocalAirflow2(LocalAirflow):
    """
    Webserver, scheduler and triggerer, on loopback only.

    :param home: AIRFLOW_HOME.
    :param dags: the folder of the DAGs.
    """

    api = "api/v1"
    _any_run: ClassVar[dict[str, Any]] = {}

    def __init__(self, home: Path, *, dags: Path) -> None:
        alone = {name: COMPONENTS[name] for name in ("scheduler", "triggerer")}
        super().__init__(home, dags=dags, components={"webserver": ["webserver"]} | alone)
        self._env |= {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            # Airflow 2 lets no other executor work with SQLite.
            "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__CONFIG_FILE": str(Path(__file__).with_name("webserver_config.py")),
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(urlsplit(self.url).port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            # Else it leaves a socket in the home folder of whoever runs it.
            "GUNICORN_CMD_ARGS": "--no-control-socket",
            # The executor and the web server start `airflow` and `gunicorn` by their names.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }

    def _health(self) -> dict[str, Any]:
        try:
            components = self._session.get(f"{self.url}/{self.api}/health", timeout=10).json()
        except requests.RequestException:
            return {}
        # The scheduler processes the DAGs.
        return {name: part for name, part in components.items() if name != "dag_processor"}

    def _store(self, connection: dict[str, Any]) -> None:
        conn_id = connection["connection_id"]
        stored = self.get("connections", limit=PAGE_SIZE)["connections"]
        if any(each["connection_id"] == conn_id for each in stored):
            self.patch(f"connections/{conn_id}", connection)
        else:
            self.post("connections", connection)
