"""Doubles with options of a test's own, and a time that servers move on."""

from __future__ import annotations

import asyncio
import time

import pytest
from clocks import FakeClock
from loopback import started

start = pytest.fixture(started)


@pytest.fixture
def time_of_all(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that event loops follow as well, so that a server can move it on; blocking sockets keep real time."""
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda _: time.monotonic() + clock.passed)
    return clock
