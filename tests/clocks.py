"""Clocks of the tests' own: what waits by them takes no time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from threading import Lock

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""When a clock begins: a Monday."""


class FakeClock:
    """A clock that moves only when somebody pauses by it, or when the test moves it."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.pauses: list[float] = []
        self._lock = Lock()

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        with self._lock:
            self.passed += seconds

    def now(self) -> datetime:
        """Return the time, aware."""
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Pass a pause at once, and remember it."""
        self.pauses.append(seconds)
        self.advance(max(0.0, seconds))

    async def asleep(self, seconds: float) -> None:
        """Pass a pause at once, and remember it; others on the event loop go on meanwhile."""
        self.sleep(seconds)
        await asyncio.sleep(0)
