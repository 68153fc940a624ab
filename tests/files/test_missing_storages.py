"""Storages whose packages are not installed, or that Airflow does not know: told by what to install or to write."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from files.rows import rows
from files.stores import STORE_MODULE, Bucket, attached
from harness import AIRFLOW_3

from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

PACKAGES = {
    "s3": r"apache-airflow-providers-amazon\[s3fs\]",
    "s3a": r"apache-airflow-providers-amazon\[s3fs\]",
    "gs": "apache-airflow-providers-google",
    "gcs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "adl": "apache-airflow-providers-microsoft-azure",
}


def not_readable(scheme: str) -> None:
    list(MessageFile.of(f"{scheme}://bucket/m.csv"))


def not_writable(scheme: str) -> None:
    Output.of(f"{scheme}://bucket/m.csv").check()


def not_written(scheme: str) -> None:
    Output.of(f"{scheme}://bucket/m.csv").write(rows(1))


USES = pytest.mark.parametrize("use", [not_readable, not_writable, not_written])


@USES
@pytest.mark.parametrize("scheme", PACKAGES)
def test_a_storage_without_its_package_says_what_to_install(use: Any, scheme: str) -> None:
    told = rf"^{scheme}://bucket/m\.csv needs {PACKAGES[scheme]}: pip install '{PACKAGES[scheme]}'$"
    with pytest.raises(ImportError, match=told) as raised:
        use(scheme)
    assert raised.value.__suppress_context__


@USES
@pytest.mark.parametrize("scheme", ["nowhere", "S3", "s33", "memory"])
def test_an_unknown_scheme_is_bad_input(use: Any, scheme: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=rf"Airflow knows no storage '{scheme}://'"):
        use(scheme)


@USES
def test_a_provider_without_the_library_that_it_needs_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, use: Any
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
        use("s3")


def test_a_storage_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    attached(monkeypatch, "s3", Bucket())
    Output.of("s3://bucket/rows.csv").write(rows(3))
    assert len(list(MessageFile.of("s3://bucket/rows.csv"))) == 3


@pytest.mark.parametrize("of", [Output.of, MessageFile.of])
@pytest.mark.parametrize("path", ["s3://bucket/*.csv", "/data/day?.csv", "rows.xlsx", "s3://bucket/rows"])
def test_a_pattern_and_an_unknown_ending_are_bad_input(of: Any, path: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=r"must (name one file|end in one of \.ndjson)"):
        of(path)
