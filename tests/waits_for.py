"""Wait for what happens elsewhere: in a thread, a process or a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT = 60.0
"""Protects from hangs: what is waited for comes much earlier, on a busy machine as well."""


def wait_until(happened: Callable[[], T], what: str = "it", *, limit: float = LIMIT) -> T:
    """Return what a function returns once that is true; fail if it never is."""
    ends_at = time.monotonic() + limit
    while not (result := happened()):
        if time.monotonic() > ends_at:
            raise AssertionError(f"Waited {limit:.0f} s for {what}.")
        time.sleep(0.005)
    return result
