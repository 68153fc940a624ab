"""What the blocks of a page meet when they run in the tests' process."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from documentation.place import Place, vendor
from environment import bundles
from harness import AIRFLOW_3

from airflow_provider_smspartner.testing import SMSPartnerDouble


@pytest.fixture
def place(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place of the page, as the working directory."""
    made = Place(tmp_path / "page", page)
    made.furnish()
    monkeypatch.chdir(made.data)
    monkeypatch.setattr(tempfile, "tempdir", str(made.temporary))
    monkeypatch.syspath_prepend(str(made.dags))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(made.dags))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", bundles(page=made.dags))
    read_bundles_anew()
    yield made
    monkeypatch.undo()
    read_bundles_anew()
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(str(made.dags)):
            del sys.modules[name]


def read_bundles_anew() -> None:
    """Let Airflow read where DAGs are: since 3.4 it does so once a process."""
    if AIRFLOW_3:
        manager = import_module("airflow.dag_processing.bundles.manager")
        if read := getattr(manager, "_load_bundle_config_snapshot", None):
            read.cache_clear()


@pytest.fixture
def double(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[SMSPartnerDouble]:
    """A double that all connections of the page lead to."""
    with vendor() as started:
        for name, value in place.environment(started).items():
            monkeypatch.setenv(name, value)
        yield started
