"""The time and every pause, in one place, so that a test can put a clock of its own there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""Return the time, aware."""


def now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the seconds of a clock that is never set back."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Pause this thread."""
    time.sleep(seconds)


async def asleep(seconds: float) -> None:
    """Pause this coroutine."""
    await asyncio.sleep(seconds)
