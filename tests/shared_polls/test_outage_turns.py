"""Which call may go out while the vendor is down: the rules by themselves."""

from __future__ import annotations

import asyncio
from email.utils import format_datetime
from itertools import pairwise

import pytest
from shared_polls.vendor import DOWN, on_a_loop, seconds
from virtual_time import at

from airflow_provider_smspartner._shared_polls.outage import Outage
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError


def asking(outage: Outage, count: int = 1) -> list[asyncio.Task[bool]]:
    return [asyncio.ensure_future(outage.turn(30.0)) for _ in range(count)]


async def outage_after(failures: int, *, tries: int = 3) -> Outage:
    outage = Outage(tries=tries)
    outage.failed(DOWN, was_asking=False, interval=30.0)
    for _ in range(failures - 1):
        assert await outage.turn(30.0)
        outage.failed(DOWN, was_asking=True, interval=30.0)
    return outage


@on_a_loop
async def test_one_call_asks_and_the_others_wait_for_its_answer() -> None:
    outage = await outage_after(1)
    first, *others = asking(outage, 5)

    assert await first
    await asyncio.sleep(1_000)
    assert not any(each.done() for each in others)
    outage.answered()
    assert [await each for each in others] == [False] * 4
    assert not outage.is_on
    assert not await outage.turn(30.0)


@on_a_loop
async def test_an_outage_lasts_once_all_tries_have_failed_and_each_begins_anew() -> None:
    assert [(await outage_after(n)).is_lasting for n in (1, 2, 3, 4)] == [False, False, True, True]

    outage = await outage_after(3)
    outage.answered()
    outage.failed(DOWN, was_asking=False, interval=30.0)
    assert (outage.is_on, outage.is_lasting) == (True, False)
    (again,) = asking(outage)
    assert await again


@on_a_loop
async def test_calls_that_were_on_their_way_together_fail_as_one() -> None:
    outage = Outage(tries=2)
    for _ in range(5):
        outage.failed(DOWN, was_asking=False, interval=30.0)

    assert (outage.is_on, outage.is_lasting) == (True, False)


@pytest.mark.parametrize(("failures", "lasts"), [(2, False), (3, True)])
@on_a_loop
async def test_waiting_calls_fail_only_once_the_outage_lasts(failures: int, lasts: bool) -> None:
    header = SMSPartnerUnavailableError("down", code=500, http_status=503, retry_after="0")
    outage = await outage_after(failures)
    (asks, *waiting) = asking(outage, 3)
    assert await asks
    outage.give_up(header)
    await asyncio.sleep(1)

    assert [each.done() for each in waiting] == [lasts] * 2
    outage.answered()
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        if lasts:
            assert isinstance(error, SMSPartnerUnavailableError)
            # The header is text of the vendor's.
            assert (str(error), error.code, error.http_status, error.retry_after) == ("down", 500, 503, None)
        else:
            assert error is False


@on_a_loop
async def test_a_call_that_is_given_up_while_it_asks_leaves_it_to_the_next() -> None:
    outage = await outage_after(1)
    first, second, third = asking(outage, 3)
    assert await first

    outage.settle(asyncio.CancelledError(), was_asking=False)
    await asyncio.sleep(100)
    assert not second.done()
    outage.settle(asyncio.CancelledError(), was_asking=True)
    assert await second
    outage.settle(SMSPartnerUnavailableError("not sent"), was_asking=True)
    assert await third
    assert outage.is_on


@on_a_loop
async def test_a_turn_that_is_cancelled_as_it_comes_is_the_next_ones() -> None:
    outage = await outage_after(1)
    first, second = asking(outage, 2)
    # In the same turn of the event loop.
    asyncio.get_running_loop().call_at(outage._asks_at + 1e-10, first.cancel)
    await asyncio.gather(first, return_exceptions=True)

    assert first.cancelled()
    assert await second


@on_a_loop
async def test_a_turn_that_is_cancelled_as_it_fails_is_cancelled() -> None:
    outage = await outage_after(1)
    first, second = asking(outage, 2)
    await asyncio.sleep(0)
    outage.abandon(RuntimeError("elsewhere"))
    first.cancel()
    _, failed = await asyncio.gather(first, second, return_exceptions=True)

    assert first.cancelled()
    assert str(failed) == "elsewhere"


@on_a_loop
async def test_a_waiting_call_that_is_cancelled_leaves_the_asking_one_alone() -> None:
    outage = await outage_after(1)
    first, second, third = asking(outage, 3)
    assert await first
    second.cancel()
    await asyncio.sleep(100)

    assert second.cancelled()
    assert not third.done()
    outage.answered()
    assert not await third


class TestPauses:
    @staticmethod
    async def pauses(interval: float, failures: int, *, others: float = 60.0) -> list[float]:
        """Return how long the call that asks waits after each failure, beside one with another interval."""
        outage = Outage(tries=3)
        outage.failed(DOWN, was_asking=False, interval=interval)
        failed_at = [seconds()]
        beside = asyncio.ensure_future(outage.turn(others))
        for each in [beside, *(asyncio.ensure_future(outage.turn(interval)) for _ in range(failures))]:
            assert await each
            outage.failed(DOWN, was_asking=True, interval=interval)
            failed_at.append(seconds())
        return [later - earlier for earlier, later in pairwise(failed_at)]

    @on_a_loop
    async def test_double_each_time_up_to_the_interval_of_the_polls_and_differ(self) -> None:
        lasted = await self.pauses(60.0, failures=40)
        for number, pause in enumerate(lasted):
            most = min(0.5 * 2**number, 60.0)
            assert 0.5 * most <= pause <= most + 0.001
        assert len({round(pause, 3) for pause in lasted[10:]}) > 5

    @on_a_loop
    async def test_the_shortest_interval_counts_but_none_is_below_the_first_pause(self) -> None:
        assert 2 <= max((await self.pauses(60.0, 10, others=4.0))[4:]) <= 4.001
        assert 0.25 <= max(await self.pauses(0.0, failures=10)) <= 0.501

    @pytest.mark.parametrize(
        ("asked", "pause"), [("20", 20), ("3600", 60), (format_datetime(at(20), usegmt=True), 20)]
    )
    @on_a_loop
    async def test_last_as_long_as_the_vendor_asks_up_to_a_minute(self, asked: str, pause: float) -> None:
        outage = Outage(tries=3)
        error = SMSPartnerUnavailableError("down", retry_after=asked)
        outage.failed(error, was_asking=False, interval=30.0)

        assert await outage.turn(30.0)
        assert seconds() == pytest.approx(pause)
