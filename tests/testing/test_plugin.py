"""The pytest plug-in, in a pytest of its own, as a user has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import environment_of_a_user, output_of, run_python

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


def test_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USER_TEST)
    # Named rather than found by its entry point, so that the package need not be installed.
    env = environment_of_a_user(tmp_path, env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    plugins = ("-p", "airflow_provider_smspartner.testing.plugin", "-p", "no:cacheprovider")
    command = ("-W", "error", "-m", "pytest", *plugins, "-W", "error", "-q", str(tmp_path))
    assert "3 passed" in output_of(run_python(*command, env=env, cwd=tmp_path))


@pytest.mark.parametrize(
    ("module", "loaded", "left_alone"),
    [
        ("plugin", {"pytest"}, {"airflow", "aiohttp", "requests", "asyncio"}),
        ("__main__", {"aiohttp"}, {"airflow"}),
    ],
)
def test_what_importing_loads(tmp_path: Path, module: str, loaded: set[str], left_alone: set[str]) -> None:
    statement = f"import sys, airflow_provider_smspartner.testing.{module}"
    code = f"{statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"

    # No warnings as errors: what is imported is looked at here, not how.
    found = set(output_of(run_python("-c", code, env=environment_of_a_user(tmp_path))).split())

    assert loaded <= found
    assert not left_alone & found
