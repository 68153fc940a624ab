"""An event loop whose time jumps to the next timer whenever nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
"""The wall clock's time when an event loop begins."""

_LONGEST_REAL_WAIT = 30.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    An event loop with a time of its own, in which two days pass as fast as what happens in them can be computed.

    Time stands still while a thread works for the loop, and jumps when all that is left is a timer. Sockets and
    virtual time do not go together: no answer is ready at once, and time would jump past it. What needs the network is
    to be replaced by what awaits `asyncio.sleep`.
    """

    def __init__(self) -> None:
        self.passed = 0.0
        self.turns = 0
        self.in_threads = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the seconds since the loop was made, in its own time."""
        return self.passed

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call a function in a thread, for which time stands still."""
        future = super().run_in_executor(executor, func, *args)
        self.in_threads += 1
        future.add_done_callback(self._leave_thread)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """Wait for the threads without a limit, which Python 3.12 sets: in this loop's time it would pass at once."""
        await super().shutdown_default_executor()

    def _leave_thread(self, _: asyncio.Future[Any]) -> None:
        self.in_threads -= 1


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        self._loop.turns += 1
        ready: list[Any] = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self._loop.in_threads:
            ready = super().select(_LONGEST_REAL_WAIT)
            if not ready:
                raise RuntimeError("Nothing is left that could happen, or a thread hangs.")
            return ready
        self._loop.passed += timeout
        return []


def virtual_now() -> datetime:
    """Return the wall clock's time in the running event loop, aware."""
    return at(asyncio.get_running_loop().time())


def at(seconds: float) -> datetime:
    """Return the wall clock's time at a time of the event loop."""
    return EPOCH + timedelta(seconds=seconds)
