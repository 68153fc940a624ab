"""The clock of a wait, which tests replace by one of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the time, aware."""


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)
