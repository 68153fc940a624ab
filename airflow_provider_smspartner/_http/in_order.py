"""Several calls in flight on an event loop, and their results in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import TypeVar

from airflow_provider_smspartner.protocol import Call

T = TypeVar("T")
R = TypeVar("R")


async def in_order(
    send: Callable[[Call[T]], Awaitable[R]], calls: Iterator[Call[T]], *, in_flight: int
) -> AsyncGenerator[R, None]:
    """
    Send calls with a few of them in flight, and yield their results lazily and in order.

    :param send: sends one call.
    :param calls: taken one by one, at most one further ahead than calls are in flight.
    :param in_flight: most calls on their way at once.
    """
    window: deque[asyncio.Future[R]] = deque()
    try:
        for call in calls:
            # The next call takes a result's place before its rows are given: they may keep the caller busy.
            done = [await window.popleft()] if len(window) == in_flight else []
            window.append(asyncio.ensure_future(send(call)))
            for result in done:
                yield result
        while window:
            yield await window.popleft()
    finally:
        for task in window:
            task.cancel()
        await asyncio.gather(*window, return_exceptions=True)
