"""Real HTTP clients of real doubles, whose time passes where a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from clocks import FakeClock
from testing.client import Client, Run

from airflow_provider_smspartner.testing import SMSPartnerDouble, campaigns


@pytest.fixture(autouse=True)
def vendor_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock that doubles go by."""
    clock = FakeClock()
    monkeypatch.setattr(
        campaigns, "time", SimpleNamespace(time=lambda: clock.now().timestamp(), monotonic=clock.monotonic)
    )
    return clock


@pytest.fixture
def run() -> Iterator[Run]:
    """Start doubles, each with a client."""
    with ExitStack() as stack:

        def start(**options: Any) -> Client:
            started = stack.enter_context(SMSPartnerDouble(**options))
            return Client(started, stack.enter_context(requests.Session()))

        yield start


@pytest.fixture
def client(run: Run) -> Client:
    """A client of a double as it is by default."""
    return run()
