"""The event loop with a time of its own."""

from __future__ import annotations

import asyncio
import time

from virtual_time import VirtualLoop


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
