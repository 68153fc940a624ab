"""Coroutines that wait for the same event, and go on a few at a time."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

AT_ONCE = 25
"""How many waits go on before the event loop gets its turn."""


class Waiters(Generic[T]):
    """Futures in the order in which they were made."""

    def __init__(self) -> None:
        self._futures: deque[asyncio.Future[T]] = deque()

    def __bool__(self) -> bool:
        """Whether anybody still waits."""
        while self._futures and self._futures[0].done():
            self._futures.popleft()
        return bool(self._futures)

    def add(self) -> asyncio.Future[T]:
        """Return a new future, which stands last."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return future

    def release_first(self, result: T) -> bool:
        """Wake the first one, and return whether there was one."""
        if not self:
            return False
        self._futures.popleft().set_result(result)
        return True

    def release(self, outcome: T | Exception) -> None:
        """Wake all that wait now, with this result or with a copy of this error."""
        released, self._futures = self._futures, deque()
        _release(released, outcome)


def _release(futures: deque[asyncio.Future[T]], outcome: T | Exception) -> None:
    for _ in range(min(AT_ONCE, len(futures))):
        future = futures.popleft()
        if future.done():
            continue
        if isinstance(outcome, Exception):
            # A copy for each, because raising adds to an exception.
            future.set_exception(copy.copy(outcome))
        else:
            future.set_result(outcome)
    if futures:
        asyncio.get_running_loop().call_soon(_release, futures, outcome)
