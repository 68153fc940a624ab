"""Which call may go out while the vendor is down: the rules by themselves, without a network."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from shared_polls.vendor import on_a_loop

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._shared_polls.outage import Outage, without_header
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)

DOWN = SMSPartnerUnavailableError("down", code=500, http_status=503)


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
async def test_while_the_vendor_is_well_each_call_goes_out() -> None:
    outage = Outage(tries=3)
    outage.answered()

    assert [await outage.turn(30.0) for _ in range(3)] == [False] * 3
    assert (outage.is_on, outage.is_lasting) == (False, False)


@on_a_loop
async def test_one_call_asks_and_the_others_wait_for_its_answer() -> None:
    outage = await outage_after(1)
    first, *others = asking(outage, 5)

    assert await first
    await asyncio.sleep(0.05)
    assert not any(each.done() for each in others)
    outage.answered()
    assert [await each for each in others] == [False] * 4
    assert not outage.is_on
    assert not await outage.turn(30.0)


@on_a_loop
async def test_after_each_failure_the_next_one_asks() -> None:
    outage = await outage_after(1)
    for each in asking(outage, 3):
        assert await each
        outage.failed(DOWN, was_asking=True, interval=30.0)

    assert outage.is_on


@on_a_loop
async def test_an_outage_lasts_once_all_tries_have_failed() -> None:
    assert [(await outage_after(n)).is_lasting for n in (1, 2, 3, 4)] == [False, False, True, True]


@on_a_loop
async def test_calls_that_were_on_their_way_together_fail_as_one() -> None:
    outage = Outage(tries=2)
    for _ in range(5):
        outage.failed(DOWN, was_asking=False, interval=30.0)

    assert (outage.is_on, outage.is_lasting) == (True, False)


@on_a_loop
async def test_waiting_calls_fail_only_once_the_outage_lasts() -> None:
    header = SMSPartnerUnavailableError("down", code=500, http_status=503, retry_after="0")
    for failures, lasts in ((2, False), (3, True)):
        outage = await outage_after(failures)
        (asks, *waiting) = asking(outage, 3)
        assert await asks
        outage.give_up(header)
        await asyncio.sleep(0.05)

        assert [each.done() for each in waiting] == [lasts] * 2
        if lasts:
            errors = [each.exception() for each in waiting]
            assert [repr(each) for each in errors] == [repr(DOWN)] * 2
            for error in errors:
                assert isinstance(error, SMSPartnerUnavailableError)
                assert (error.code, error.http_status, error.retry_after) == (500, 503, None)
        outage.answered()
        await asyncio.gather(*waiting, return_exceptions=True)


@on_a_loop
async def test_an_answer_ends_the_outage_and_the_next_one_begins_anew() -> None:
    outage = await outage_after(3)
    outage.answered()
    outage.failed(DOWN, was_asking=False, interval=30.0)

    assert (outage.is_on, outage.is_lasting) == (True, False)
    (again,) = asking(outage)
    assert await again


@pytest.mark.parametrize("error", [SMSPartnerCredentialsError("x"), SMSPartnerNotFoundError("x")])
@pytest.mark.parametrize("was_asking", [False, True])
def test_a_refusal_is_an_answer(error: Exception, was_asking: bool) -> None:
    async def main() -> None:
        outage = await outage_after(1)
        outage.settle(error, was_asking=was_asking)
        assert not outage.is_on

    asyncio.run(main())


@on_a_loop
async def test_a_call_that_is_given_up_while_it_asks_leaves_it_to_the_next() -> None:
    outage = await outage_after(1)
    first, second, third = asking(outage, 3)
    assert await first

    outage.settle(asyncio.CancelledError(), was_asking=False)
    await asyncio.sleep(0.05)
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
    while not outage._is_asking:  # noqa: ASYNC110 - no event says so
        await asyncio.sleep(0)
    first.cancel()
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
    assert isinstance(failed, RuntimeError)


@on_a_loop
async def test_a_waiting_call_that_is_cancelled_leaves_the_asking_one_alone() -> None:
    outage = await outage_after(1)
    first, second, third = asking(outage, 3)
    assert await first
    second.cancel()
    await asyncio.sleep(0.05)

    assert second.cancelled()
    assert not third.done()
    outage.answered()
    assert not await third


@on_a_loop
async def test_all_waiting_calls_fail_once_the_polls_go_on_elsewhere() -> None:
    outage = await outage_after(1)
    waiting = asking(outage, 3)
    await asyncio.sleep(0)
    outage.abandon(ValueError("elsewhere"))

    assert [str(each) for each in await asyncio.gather(*waiting, return_exceptions=True)] == ["elsewhere"] * 3


class TestPauses:
    @pytest.fixture(autouse=True)
    def _as_shipped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "FIRST_WAIT_SECONDS", 0.5)

    @staticmethod
    def pauses(*intervals: float, failures: int, retry_after: str | None = None) -> list[float]:
        """Return how long the calls wait after each failure."""
        outage = Outage(tries=3)
        error = SMSPartnerUnavailableError("down", retry_after=retry_after)
        for interval in intervals[1:]:
            outage._shorten(interval)
        lasted = []
        for number in range(failures):
            now = asyncio.get_running_loop().time()
            outage.failed(error, was_asking=number > 0, interval=intervals[0])
            lasted.append(outage._asks_at - now)
        return lasted

    @on_a_loop
    async def test_double_each_time_up_to_the_interval_of_the_polls(self) -> None:
        for number, pause in enumerate(self.pauses(60.0, failures=40)):
            most = min(0.5 * 2**number, 60.0)
            assert 0.5 * most <= pause <= most + 0.1

    @on_a_loop
    async def test_the_shortest_interval_counts_but_none_is_below_the_first_pause(self) -> None:
        assert max(self.pauses(60.0, 4.0, failures=10)) <= 4.1
        assert max(self.pauses(0.0, failures=10)) >= 0.25

    @on_a_loop
    async def test_differ(self) -> None:
        assert len({round(self.pauses(60.0, failures=10)[-1], 3) for _ in range(10)}) > 5

    @on_a_loop
    async def test_last_as_long_as_the_vendor_asks_up_to_a_minute(self) -> None:
        assert self.pauses(30.0, failures=1, retry_after="20") == [pytest.approx(20, abs=0.5)]
        assert self.pauses(30.0, failures=1, retry_after="3600") == [pytest.approx(60, abs=0.5)]
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
        assert self.pauses(30.0, failures=1, retry_after=date) == [pytest.approx(19, abs=5)]

    @on_a_loop
    async def test_are_kept_to(self) -> None:
        loop = asyncio.get_running_loop()
        outage = Outage(tries=3)
        outage.failed(DOWN, was_asking=False, interval=30.0)
        began = loop.time()

        assert await outage.turn(30.0)
        assert loop.time() - began >= 0.2


def test_an_error_without_the_vendors_header_is_the_same_otherwise() -> None:
    error = without_header(SMSPartnerUnavailableError("x", code=1, http_status=2, retry_after="secret"))

    assert (str(error), error.code, error.http_status, error.retry_after) == ("x", 1, 2, None)
