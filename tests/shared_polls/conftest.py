"""What tests of shared polls share: the pauses of production in the event loop's time, a vendor and a connection."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from shared_polls.vendor import Backend, Vendor
from virtual_time import virtual_now

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._shared_polls import connections, registry
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

LOG = logging.getLogger("trigger")
LOG.setLevel(logging.ERROR)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all pauses be as long as they are, in the event loop's time, in the place of the fixture of this name."""
    monkeypatch.setattr(_clock, "now", virtual_now)
    monkeypatch.setattr(SMSPartnerCampaignTrigger, "_clock", staticmethod(virtual_now))
    monkeypatch.setattr(SMSPartnerCampaignTrigger, "log", LOG)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The secrets backend that connections are looked up in."""
    made = Backend()
    monkeypatch.setattr(connections, "get_async_connection", made.get)
    return made


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> Vendor:
    """The vendor that all connections lead to."""
    made = Vendor(seconds=0.1)
    monkeypatch.setattr(registry, "open_async_client", made.open)
    return made


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    """Return the levels and texts that triggers have logged."""
    caplog.set_level(logging.INFO, logger=LOG.name)
    return lambda: [
        (row.levelname.lower(), row.getMessage()) for row in caplog.records if row.name == LOG.name
    ]
