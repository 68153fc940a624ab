"""Storages and paths that do not do: an error says what to install or to write; and how storages are looked up."""

from __future__ import annotations

import importlib
import threading
from typing import Any

import pytest
from airflow.providers.common.compat import sdk
from combinations import in_turn
from files.rows import rows
from files.stores import STORE_MODULE
from harness import AIRFLOW_3

from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._files.recipients import NumberFile
from airflow_provider_smspartner._files.storage import Place
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

PACKAGES = {
    "s3": r"apache-airflow-providers-amazon\[s3fs\]",
    "gs": "apache-airflow-providers-google",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "adl": "apache-airflow-providers-microsoft-azure",
}


def not_readable(scheme: str) -> None:
    list(MessageFile.of(f"{scheme}://bucket/m.csv"))


def not_writable(scheme: str) -> None:
    Output.of(f"{scheme}://bucket/m.csv").check()


def not_written(scheme: str) -> None:
    Output.of(f"{scheme}://bucket/m.csv").write(rows(1))


USES = {"read": not_readable, "check": not_writable, "write": not_written}


@in_turn(scheme=PACKAGES.keys(), use=USES)
def test_a_storage_without_its_package_says_what_to_install(use: Any, scheme: str) -> None:
    told = rf"^{scheme}://bucket/m\.csv needs {PACKAGES[scheme]}: pip install '{PACKAGES[scheme]}'$"
    with pytest.raises(ImportError, match=told) as raised:
        use(scheme)
    assert raised.value.__suppress_context__


@in_turn(scheme=["nowhere", "S3", "memory"], use=USES)
def test_an_unknown_scheme_is_bad_input(use: Any, scheme: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=rf"Airflow knows no storage '{scheme}://'"):
        use(scheme)


def test_a_provider_without_the_library_that_it_needs_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_library(*_: object) -> None:
        raise ImportError("Airflow FS S3 protocol requires the s3fs library")

    module = importlib.import_module("airflow.sdk.io" if AIRFLOW_3 else "airflow.io")
    # Airflow 3.0 has this only where Airflow 2 had it.
    schemes = module if hasattr(module, "has_fs") else importlib.import_module("airflow.io")
    monkeypatch.setattr(schemes, "has_fs", lambda _: True)
    for user in (module, schemes, STORE_MODULE):
        monkeypatch.setattr(user, "get_fs", without_library, raising=False)
    with pytest.raises(ImportError, match=r"needs apache-airflow-providers-amazon\[s3fs\]"):
        not_readable("s3")


ENDS = r"must end in one of \.ndjson, \.ndjson\.gz, \.csv, \.csv\.gz, \.parquet$"


@in_turn(
    path=[
        *("", "rows", "rows.CSV", "rows.parquet.gz", "s3://bucket/messages.xlsx"),
        *("s3://bucket/*.csv", "file:///tmp/day?.csv", "gs://bucket/[a].parquet"),
    ],
    of={"output": Output.of, "messages": MessageFile.of, "numbers": NumberFile.of},
)
def test_a_pattern_and_an_unknown_ending_are_bad_input(path: str, of: Any) -> None:
    with pytest.raises(SMSPartnerInputError, match="must name one file" if set(path) & {*"*?["} else ENDS):
        of(path)


def test_nothing_is_looked_up_before_it_is_needed() -> None:
    Output.of("s3://no_such_connection@bucket/rows.csv", "nor_this")


def test_a_slow_look_up_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real, found = sdk.ObjectStoragePath, threading.Event()

    def find_another() -> None:
        with pytest.raises(FileNotFoundError):
            Place("file:///no/such/file").open()
        found.set()

    def look_up(uri: str) -> object:
        if uri.endswith("slow"):
            threading.Thread(target=find_another, daemon=True).start()
            assert found.wait(60)
        return real(uri)

    monkeypatch.setattr(sdk, "ObjectStoragePath", look_up)
    with pytest.raises(FileNotFoundError):
        Place("file:///no/such/slow").open()
