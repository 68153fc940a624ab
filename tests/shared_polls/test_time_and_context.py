"""When polls under way are given up, what is left of them, and whose log they belong to."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from shared_polls.vendor import D, Vendor, counts_of, poll, run, wait_for

from airflow_provider_smspartner._shared_polls import dispatcher
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._waiting import wait as waiting
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.protocol import Call


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(waiting, "OVERTIME_SECONDS", 0.05)


def test_a_poll_ends_soon_after_the_deadline_of_its_wait() -> None:
    vendor = Vendor(delays={0: 15.0})

    async def main(polls: SharedPolls) -> tuple[Tally, set[Any]]:
        return await poll(polls, wait_for(1, timeout=0.3)), set(polls._polling)

    tally, polling = run(vendor, main)

    assert "The time was over" in str(tally.trouble)
    assert not polling


def test_of_two_polls_one_after_the_other_both_end_in_time() -> None:
    vendor = Vendor(delays={0: 15.0, 1: 15.0})

    async def main(polls: SharedPolls) -> list[Tally]:
        first = await poll(polls, wait_for(1, timeout=0.2))
        await asyncio.sleep(0.1)  # the sweeper has found nothing under way
        return [first, await poll(polls, wait_for(2, timeout=0.2))]

    assert ["The time was over" in str(tally.trouble) for tally in run(vendor, main)] == [True, True]


def test_a_poll_of_a_wait_that_has_time_is_not_given_up() -> None:
    vendor = Vendor(delays={0: 1.5})

    assert counts_of(run(vendor, lambda polls: poll(polls, wait_for(1)))).total() == 1


def test_polls_that_are_answered_are_no_longer_under_way() -> None:
    async def main(polls: SharedPolls) -> set[Any]:
        await asyncio.gather(*(poll(polls, wait_for(n)) for n in range(3)))
        return polls._polling | polls._subscribers

    assert run(Vendor(), main) == set()


def test_calls_are_sent_in_the_context_of_no_wait() -> None:
    task_of_the_log: ContextVar[str] = ContextVar("task_of_the_log", default="none")

    class Watched(Vendor):
        async def send_once(self, call: Call[Any]) -> Any:
            seen.append(task_of_the_log.get())
            return await super().send_once(call)

    seen: list[str] = []
    answered: list[str] = []

    async def main(polls: SharedPolls) -> None:
        task_of_the_log.set("a task's")
        await polls.poll(wait_for(1), datetime.now(UTC), lambda _: answered.append(task_of_the_log.get()))

    run(Watched(), main)

    assert (seen, answered) == (["none"], ["a task's"])


def test_a_poll_that_is_answered_after_the_connection_has_changed_goes_on_elsewhere() -> None:
    class Vendors(Vendor):
        async def send_once(self, call: Call[Any]) -> Any:
            if call.request.query["tag"] == "down":
                await asyncio.sleep(0.05)
                raise SMSPartnerUnavailableError("down")
            await asyncio.sleep(0.3)
            return await super().send_once(call)

    async def open_client() -> Vendor:
        return Vendors(pages={"late": [[D]]})

    async def has_changed(_: float, __: bool) -> bool:
        return True

    async def main() -> float:
        polls = SharedPolls(open_client, tries=1, has_changed=has_changed)
        now = datetime.now(UTC)
        _, moved = await asyncio.gather(
            polls.poll(wait_for(tag="down"), now, lambda _: None),
            polls.poll(wait_for(tag="late"), now, lambda _: now + timedelta(seconds=500)),
        )
        await polls.close()
        assert moved is not None
        return (moved - now).total_seconds()

    assert asyncio.run(asyncio.wait_for(main(), timeout=20)) == 500.0
