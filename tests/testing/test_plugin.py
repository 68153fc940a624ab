"""The pytest plug-in, in a pytest of its own, as a user has it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from testing.client import Python

USER_TEST = """
import json
import os

import requests


def test_first(smspartner_double):
    smspartner_double.add_campaign("spring", size=3)
    connection = json.loads(os.environ["AIRFLOW_CONN_SMSPARTNER_DEFAULT"])
    assert connection["extra"] == {"requests_per_minute": 0}
    query = {"apiKey": connection["password"], "tag": "spring"}
    answer = requests.get(connection["host"] + "/v1/bulk-status-by-tag", params=query, timeout=5).json()
    assert answer["total"] == 3


def test_second(smspartner_double):
    assert smspartner_double.requests == []
    smspartner_double.add_campaign("spring")


def test_without():
    assert "AIRFLOW_CONN_SMSPARTNER_DEFAULT" not in os.environ
"""


def test_the_fixture(python: Python, tmp_path: Path) -> None:
    arguments, environment = python
    (tmp_path / "test_user.py").write_text(USER_TEST)
    # Named rather than found by its entry point, so that the package need not be installed.
    environment = {**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("AIRFLOW_CONN_SMSPARTNER_DEFAULT", None)
    plugin = ["-p", "airflow_provider_smspartner.testing.plugin"]
    run = subprocess.run(
        [*arguments, "-m", "pytest", *plugin, "-p", "no:cacheprovider", "-W", "error", "-q", str(tmp_path)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 passed" in run.stdout


def modules_after(python: Python, statement: str) -> Any:
    arguments, environment = python
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    # No warnings as errors: what is imported is looked at here, not how.
    run = subprocess.run(
        [arguments[0], "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.split())


def test_the_plugin_is_light(python: Python) -> None:
    loaded = modules_after(python, "import airflow_provider_smspartner.testing.plugin")
    assert not loaded & {"airflow", "aiohttp", "requests", "asyncio"}


def test_the_double_never_imports_airflow(python: Python) -> None:
    statement = "from airflow_provider_smspartner.testing import *; import airflow_provider_smspartner.testing.__main__"
    loaded = modules_after(python, statement)
    assert "aiohttp" in loaded
    assert "airflow" not in loaded
