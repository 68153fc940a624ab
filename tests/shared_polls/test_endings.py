"""Waits that end together: how much of it falls into one turn of the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from airflow_provider_smspartner.testing import SMSPartnerDouble

WAITS = 400


def test_waits_that_end_together_end_a_few_in_each_turn_of_the_loop(
    double: SMSPartnerDouble, new_trigger: Any
) -> None:
    for number in range(WAITS):
        double.add_message(f"+336399{number:05}", str(number), "Delivered")
    turns = 0
    ended: Counter[int] = Counter()

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def one(number: int) -> None:
        trigger = new_trigger(messages=[[f"+336399{number:05}", str(number)]], first_in=2.0)
        event = await asyncio.wait_for(anext(trigger.run()), timeout=30)
        assert event.payload["verdict"] == "done"
        ended[turns] += 1

    async def main() -> None:
        counting = asyncio.ensure_future(count_turns())
        await asyncio.gather(*map(one, range(WAITS)))
        counting.cancel()

    asyncio.run(main())

    assert ended.total() == WAITS
    assert max(ended.values()) <= 30
    assert len(double.requests) == 1
