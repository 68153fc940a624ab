"""Who shares with whom, and which connection."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.connection import get_async_connection
from shared_polls.vendor import (
    D,
    counts_of,
    poll,
    ref,
    take_part,
    taking_part,
    wait_for,
)

from airflow_provider_smspartner._shared_polls import connections
from airflow_provider_smspartner._shared_polls.registry import poll_together
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import (
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.testing import SMSPartnerDouble


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that are looked up, each of which takes a moment."""
    seen: list[str] = []

    async def look_up(conn_id: str) -> Any:
        seen.append(conn_id)
        await asyncio.sleep(0.05)
        return await get_async_connection(conn_id)

    monkeypatch.setattr(connections, "get_async_connection", look_up)
    return seen


def test_waits_share_on_one_connection_as_it_was_found_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with SMSPartnerDouble(api_key="old") as double:

        def connection(conn_id: str, **extra: Any) -> None:
            for name, value in double.connection_env(conn_id, requests_per_minute=0, **extra).items():
                monkeypatch.setenv(name, value)

        connection("one")
        connection("other")

        async def main() -> None:
            async with (
                taking_part("one") as first,
                taking_part("one") as same,
                taking_part("other") as other,
            ):
                assert first is same
                assert first is not other
                connection("one", timeout=3)
                async with taking_part("one") as changed:
                    assert changed is not first
            async with taking_part("other") as again:
                assert again is not other

        asyncio.run(main())


def test_waits_that_begin_together_look_the_connection_up_together(
    double: SMSPartnerDouble, look_ups: list[str]
) -> None:
    async def main() -> None:
        waits = [asyncio.ensure_future(take_part("smspartner_default")) for _ in range(60)]
        await asyncio.sleep(0.01)
        waits[0].cancel()
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert len(set(outcomes[1:])) == 1
        await take_part("smspartner_default")

    asyncio.run(main())
    # Who comes later looks it up anew.
    assert look_ups == ["smspartner_default"] * 2


def test_each_wait_has_its_own_error_of_a_missing_connection(look_ups: list[str]) -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(*(take_part("nowhere") for _ in range(3)), return_exceptions=True)

    errors = asyncio.run(main())

    assert [type(error) for error in errors] == [SMSPartnerUnavailableError] * 3
    assert ["nowhere" in str(error) for error in errors] == [True] * 3
    assert len({id(error) for error in errors}) == 3


def test_one_connection_keeps_to_its_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    with SMSPartnerDouble(api_key="key", latency=0.02) as double:
        for name, value in double.connection_env("one", requests_per_minute=0, max_connections=2).items():
            monkeypatch.setenv(name, value)
        for number in range(3000):
            double.add_message(*map(str, ref(number)), "Delivered")

        async def one(number: int) -> Tally:
            async with taking_part("one") as polls:
                return await poll(polls, wait_for(number), due_in=0.5)

        async def main() -> list[Tally]:
            return await asyncio.gather(*(one(number) for number in range(3000)))

        tallies = asyncio.run(main())

    assert [counts_of(tally) for tally in tallies] == [Counter({D: 1})] * 3000
    assert double.max_in_flight <= 2
    assert len({request.peer_port for request in double.requests}) <= 2


def test_the_polls_keep_to_the_settings_and_are_made_anew_once_they_are_over(
    monkeypatch: pytest.MonkeyPatch, double: SMSPartnerDouble
) -> None:
    for name, value in double.connection_env("one", max_attempts=7, max_connections=3).items():
        monkeypatch.setenv(name, value)

    async def main() -> None:
        async with taking_part("one") as polls:
            assert (polls._sender._tries, polls._in_flight) == (7, 3)
            polls._sender.is_over = True
            async with taking_part("one") as anew:
                assert anew is not polls

    asyncio.run(main())


@pytest.mark.parametrize("pause", [0.05, -60.0], ids=["later", "at once"])
def test_polls_of_a_missing_connection_fail_as_often_as_the_wait_polls(pause: float) -> None:
    wait, tallies = wait_for(1), list[Tally]()

    def answered(tally: Tally) -> datetime | None:
        tallies.append(tally)
        return datetime.now(UTC) + timedelta(seconds=pause) if len(tallies) < 4 else None

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await poll_together("nowhere", wait, datetime.now(UTC), answered)
        return loop.time() - began

    seconds = asyncio.run(main())

    assert [type(tally.trouble) for tally in tallies] == [SMSPartnerUnavailableError] * 4
    assert max(3 * pause, 0) <= seconds < 2.5


def test_a_connection_that_is_missing_at_the_deadline_ends_the_wait_then() -> None:
    wait, tallies = wait_for(1, timeout=1), list[Tally]()

    def answered(tally: Tally) -> datetime | None:
        tallies.append(tally)
        return datetime.now(UTC) + timedelta(hours=1) if datetime.now(UTC) < wait.goal.deadline else None

    asyncio.run(asyncio.wait_for(poll_together("nowhere", wait, datetime.now(UTC), answered), timeout=20))

    assert len(tallies) == 2
