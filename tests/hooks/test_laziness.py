"""Rows are fetched as they are taken."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing

import pytest
from hooks.asking import Counting, azip, endless, together
from loopback import Ask, Start, both_ways

from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


class TestLaziness:
    def test_a_page_is_asked_for_when_its_rows_are_wanted(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        with SMSPartnerHook() as hook:
            rows = hook.iter_status_by_tag("spring")
            assert not double.requests
            assert [len(double.requests) for _ in rows] == [*[1] * 50, *[2] * 50, *[3] * 20]
        double.clear_requests()

        async def main() -> list[int]:
            async with SMSPartnerHook() as hook:
                return [len(double.requests) async for _ in hook.aiter_status_by_tag("spring")]

        assert asyncio.run(main()) == [*[1] * 50, *[2] * 50, *[3] * 20]

    @pytest.mark.parametrize("max_connections", [1, 3])
    def test_endless_messages_are_read_two_calls_ahead_of_those_in_flight(
        self, start: Start, max_connections: int
    ) -> None:
        double = start({"max_connections": max_connections})
        messages = Counting(endless())
        with SMSPartnerHook() as hook, closing(hook.iter_multi_status(messages)) as rows:
            taken = [messages.taken]
            for _ in range(1001):
                next(rows)
                taken.append(messages.taken)

        # With a single connection nothing is sent while the rows before are looked at.
        ahead = 500 * (max_connections + 2) if max_connections > 1 else 500
        assert taken == [0, *[ahead] * 500, *[ahead + 500] * 500, ahead + 1000]
        assert len(double.requests) <= max_connections + 3

    @pytest.mark.parametrize("max_connections", [1, 3])
    def test_endless_messages_asynchronously(self, start: Start, max_connections: int) -> None:
        double = start({"max_connections": max_connections})
        messages = Counting(endless())

        async def main() -> list[int]:
            async with SMSPartnerHook() as hook, aclosing(hook.aiter_multi_status(messages)) as rows:
                return [messages.taken, *[messages.taken async for _, _ in azip(rows, range(1001))]]

        ahead = 500 * (max_connections + 1)
        assert asyncio.run(main()) == [0, *[ahead] * 500, *[ahead + 500] * 500, ahead + 1000]
        assert len(double.requests) <= max_connections + 3

    @both_ways
    @pytest.mark.parametrize(("extra", "most"), [({"max_connections": 1}, 1), ({}, 4)], ids=["1", "default"])
    def test_calls_in_flight_reach_and_keep_to_the_ceiling(
        self, start: Start, ask: Ask, extra: dict[str, int], most: int
    ) -> None:
        double = start(extra)
        campaign = double.add_campaign("spring", size=4000, settle_seconds=0)
        double.misbehave(together(most), times=most)

        assert len(ask(SMSPartnerHook(), "multi_status", campaign.messages)) == 4000
        assert double.max_in_flight == most
        assert len({request.peer_port for request in double.requests}) == most

    @both_ways
    def test_pages_that_are_all_wanted_are_asked_for_ahead(self, start: Start, ask: Ask) -> None:
        double = start({"max_connections": 3}, page_size=50)
        campaign = double.add_campaign("spring", size=430, settle_seconds=0)
        # The first page tells how many there are.
        double.misbehave(Fault.headers({}))
        double.misbehave(together(3), times=3)

        rows = ask(SMSPartnerHook(), "status_by_tag", "spring")

        assert [row["phone_number"] for row in rows] == [each["phone_number"] for each in campaign.messages]
        assert sorted(int(request.query.get("page", 1)) for request in double.requests) == [*range(1, 10)]
        assert double.max_in_flight == 3

    @both_ways
    def test_a_faulty_page_ahead_is_met_in_its_turn(self, start: Start, ask: Ask) -> None:
        double = start({"max_attempts": 1, "max_connections": 3}, page_size=50)
        fifth = double.add_campaign("spring", size=430, settle_seconds=0).messages[200]["phone_number"]
        double.misbehave(Fault.rows(lambda rows: [] if rows[0]["phoneNumber"] == fifth else rows), times=99)

        with pytest.raises(SMSPartnerIncompleteError, match="page") as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")

        assert (caught.value.expected, caught.value.received) == (430, 200)

    @both_ways
    def test_a_wrong_key_is_met_by_the_calls_in_flight_and_no_more(self, start: Start, ask: Ask) -> None:
        double = start({"max_connections": 3})
        messages = double.add_campaign("spring", size=6000, settle_seconds=0).messages
        double.misbehave(together(3, Fault.error(10)), times=3)
        double.misbehave(Fault.error(10), times=None)

        with pytest.raises(SMSPartnerCredentialsError):
            ask(SMSPartnerHook(), "multi_status", messages)

        assert len(double.requests) == 3
