"""Looking up a storage, which may take its time."""

from __future__ import annotations

import threading

import pytest
from airflow.providers.common.compat import sdk

from airflow_provider_smspartner._files.storage import Place


def test_a_slow_look_up_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real, found = sdk.ObjectStoragePath, threading.Event()

    def find_another() -> None:
        with pytest.raises(FileNotFoundError):
            Place("file:///no/such/file").open()
        found.set()

    def look_up(uri: str) -> object:
        if uri.endswith("slow"):
            threading.Thread(target=find_another, daemon=True).start()
            assert found.wait(5)
        return real(uri)

    monkeypatch.setattr(sdk, "ObjectStoragePath", look_up)
    with pytest.raises(FileNotFoundError):
        Place("file:///no/such/slow").open()
