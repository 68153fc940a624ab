"""The event loop with a time of its own."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from virtual_time import VirtualLoop, virtual_now


def test_two_days_pass_at_once_and_in_order() -> None:
    woken: list[float] = []

    async def sleep(hours: float) -> None:
        began = virtual_now()
        await asyncio.sleep(3600 * hours)
        assert virtual_now() - began == timedelta(hours=hours)
        woken.append(hours)

    async def main() -> None:
        await asyncio.gather(*map(sleep, (48, 1, 0.5, 24)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.sleep(7200)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())

    assert woken == [0.5, 1, 24, 48]


def test_time_stands_still_for_a_thread() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        later = asyncio.create_task(asyncio.sleep(1))
        began = loop.time()
        await asyncio.to_thread(time.sleep, 0.05)
        assert loop.time() == began
        await later
        assert loop.time() == began + 1

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
