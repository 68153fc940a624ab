"""Who is due, and who polls along."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from shared_polls.vendor import (
    Vendor,
    counts_of,
    poll,
    run,
    wait_for,
)

from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._waiting.tally import Tally


def test_waits_out_of_step_come_into_step_and_stay_there() -> None:
    vendor = Vendor()

    async def keep_polling(polls: SharedPolls, number: int) -> None:
        tallies: list[Tally] = []

        def answered(tally: Tally) -> datetime | None:
            tallies.append(tally)
            return datetime.now(UTC) + timedelta(seconds=0.4) if len(tallies) < 5 else None

        await polls.poll(
            wait_for(number), datetime.now(UTC) + timedelta(seconds=0.4 * number / 100), answered
        )
        assert [counts_of(tally).total() for tally in tallies] == [1] * 5

    run(vendor, lambda polls: asyncio.gather(*(keep_polling(polls, n) for n in range(100))))

    # 100 waits, 5 polls each, alone: 500 calls.
    assert len(vendor.asked) <= 20


def test_a_wait_joins_once_half_its_time_has_passed_and_not_before() -> None:
    vendor = Vendor()

    async def main(polls: SharedPolls) -> None:
        early, late = (
            asyncio.ensure_future(poll(polls, wait_for(n), due)) for n, due in ((1, 0.3), (2, 5.0))
        )
        await poll(polls, wait_for(3), 0.2)
        await early
        assert not late.done()
        late.cancel()

    run(vendor, main)

    assert sorted(vendor.asked[0]) == ["1", "3"]
    assert len(vendor.asked) == 1
