"""The hook's methods over real HTTP: what they give, how lazily, over which connections, and that they close."""

from __future__ import annotations

import asyncio
import copy
import gc
import itertools
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from typing import Any

import pytest
from loopback import WAYS, Ask, RawServer, Start, both_ways, connect, four_ways, get

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._http.asynchronous import AsyncClient
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "STATUS_BY_TAG"


def endless() -> Iterator[tuple[str, int]]:
    return (("+33639980000", number) for number in itertools.count(1))


class Counting(Iterator[Any]):
    """Counts what has been taken from an iterable."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self.taken = 0

    def __next__(self) -> Any:
        item = next(self._items)
        self.taken += 1
        return item


def slow(seconds: float) -> Fault:
    async def apply(request: Any, proceed: Any, _: Any) -> Any:
        await asyncio.sleep(seconds)
        return proceed(request)

    return Fault("slow", apply)


class TestRows:
    @four_ways
    def test_by_tag_over_several_pages(self, double: SMSPartnerDouble, ask: Ask) -> None:
        campaign = double.add_campaign("spring", size=120, settle_seconds=0)

        rows = ask(SMSPartnerHook(), "status_by_tag", "spring")

        assert [row["phone_number"] for row in rows] == [each["phone_number"] for each in campaign.messages]
        assert {row["status"] for row in rows} == {"Delivered", "Not delivered"}
        assert all(row["message_id"] is row["is_spam"] is row["code"] is None for row in rows)
        assert json.loads(json.dumps(rows)) == rows
        assert [request.query.get("page") for request in double.requests] == [None, "2", "3"]

    @four_ways
    def test_by_list_over_several_calls(self, double: SMSPartnerDouble, ask: Ask) -> None:
        campaign = double.add_campaign("spring", size=1600, settle_seconds=0)
        messages = campaign.messages[::-1]

        rows = ask(SMSPartnerHook(), "multi_status", messages)

        assert [(row["phone_number"], row["message_id"]) for row in rows] == [
            (each["phone_number"], each["message_id"]) for each in messages
        ]
        assert {row["status"] for row in rows} == {"Delivered", "Not delivered"}
        assert json.loads(json.dumps(rows)) == rows
        assert sorted(len(request.body["SMSStatut_List"]) for request in double.requests) == [
            100,
            500,
            500,
            500,
        ]

    def test_all_ways_give_the_same(self, double: SMSPartnerDouble) -> None:
        campaign = double.add_campaign("spring", size=600, settle_seconds=0)

        by_tag = [ask(SMSPartnerHook(), "status_by_tag", "spring") for ask in WAYS.values()]
        by_list = [ask(SMSPartnerHook(), "multi_status", campaign.messages) for ask in WAYS.values()]

        assert all(rows == by_tag[0] for rows in by_tag)
        assert all(rows == by_list[0] for rows in by_list)

    @four_ways
    def test_the_contracts_example(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_message("+33699999993", 111111, "Delivered")

        found, failed = ask(SMSPartnerHook(), "multi_status", [("0699999993", "111111"), ("0699999994", 2)])

        date = found.pop("date")
        assert date.endswith("+00:00")
        assert found == {
            "phone_number": "+33699999993",
            "message_id": "111111",
            "status": "Delivered",
            "raw_status": "Delivered",
            "stop_sms": False,
            "is_spam": False,
            "code": 200,
        }
        assert (failed["status"], failed["raw_status"], failed["code"]) == (
            "Not found",
            "Numéro introuvable",
            4,
        )

    @four_ways
    def test_an_unanswered_pair_shows(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_message("+33699999993", 1, "Delivered")
        double.misbehave(Fault.rows(lambda _: []))

        (row,) = ask(SMSPartnerHook(), "multi_status", [MessageRef("+33699999993", 1)])

        assert (row["status"], row["raw_status"], row["code"]) == ("Not found", None, None)

    @four_ways
    def test_repeats_are_asked_once(self, double: SMSPartnerDouble, ask: Ask) -> None:
        rows = ask(SMSPartnerHook(), "multi_status", [("0699999993", 1), ("+33699999993", "1")])

        assert len(rows) == len(double.requests[0].body["SMSStatut_List"]) == 1

    @four_ways
    def test_no_messages_need_no_request(self, double: SMSPartnerDouble, ask: Ask) -> None:
        assert ask(SMSPartnerHook(), "multi_status", []) == []
        assert double.requests == []

    @four_ways
    @pytest.mark.parametrize("answered", ["not_found", "empty"])
    def test_an_unknown_tag_either_way(self, start: Start, ask: Ask, answered: str) -> None:
        double = start(unknown_tag=answered)

        with pytest.raises(SMSPartnerNotFoundError):
            ask(SMSPartnerHook(), "status_by_tag", "nobody")
        assert len(double.requests) == 1

    @four_ways
    def test_results_stay_in_order_where_a_call_is_slow(self, double: SMSPartnerDouble, ask: Ask) -> None:
        campaign = double.add_campaign("spring", size=2000, settle_seconds=0)
        double.misbehave(slow(0.3))

        rows = ask(SMSPartnerHook(), "multi_status", campaign.messages)

        assert [row["message_id"] for row in rows] == [each["message_id"] for each in campaign.messages]

    @both_ways
    def test_another_connection(
        self, double: SMSPartnerDouble, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", double.connection_json())
        monkeypatch.delenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT")
        double.add_campaign("spring", size=1, settle_seconds=0)

        assert len(ask(SMSPartnerHook("other"), "status_by_tag", "spring")) == 1
        assert len(ask(SMSPartnerHook(smspartner_conn_id="other"), "status_by_tag", "spring")) == 1


class TestLaziness:
    def test_a_page_is_asked_for_when_its_rows_are_wanted(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        with SMSPartnerHook() as hook:
            rows = hook.iter_status_by_tag("spring")
            asked = [len(double.requests)]
            for _ in range(120):
                next(rows)
                asked.append(len(double.requests))

        assert asked == [0, *[1] * 50, *[2] * 50, *[3] * 20]

    def test_a_page_is_asked_for_when_its_rows_are_wanted_asynchronously(
        self, double: SMSPartnerDouble
    ) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)

        async def main() -> list[int]:
            async with SMSPartnerHook() as hook:
                return [len(double.requests) async for _ in hook.aiter_status_by_tag("spring")]

        assert asyncio.run(main()) == [*[1] * 50, *[2] * 50, *[3] * 20]

    @pytest.mark.parametrize("max_connections", [1, 2, 3])
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

    @pytest.mark.parametrize("max_connections", [1, 2, 3])
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
    @pytest.mark.parametrize("max_connections", [1, 3])
    def test_calls_in_flight_reach_and_keep_to_the_ceiling(
        self, start: Start, ask: Ask, max_connections: int
    ) -> None:
        double = start({"max_connections": max_connections}, latency=0.1)
        campaign = double.add_campaign("spring", size=4000, settle_seconds=0)

        assert len(ask(SMSPartnerHook(), "multi_status", campaign.messages)) == 4000
        assert double.max_in_flight == max_connections
        assert len({request.peer_port for request in double.requests}) == max_connections

    @both_ways
    @pytest.mark.parametrize("max_connections", [1, 3])
    def test_pages_that_are_all_wanted_are_asked_for_ahead(
        self, start: Start, ask: Ask, max_connections: int
    ) -> None:
        double = start({"max_connections": max_connections}, latency=0.05, page_size=50)
        campaign = double.add_campaign("spring", size=430, settle_seconds=0)

        rows = ask(SMSPartnerHook(), "status_by_tag", "spring")

        assert [row["phone_number"] for row in rows] == [each["phone_number"] for each in campaign.messages]
        assert sorted(int(request.query.get("page", 1)) for request in double.requests) == [*range(1, 10)]
        assert double.max_in_flight == max_connections

    @both_ways
    def test_a_faulty_page_ahead_is_met_in_its_turn(self, start: Start, ask: Ask) -> None:
        double = start({"max_attempts": 1, "max_connections": 3}, page_size=50)
        fifth = double.add_campaign("spring", size=430, settle_seconds=0).messages[200]["phone_number"]
        double.misbehave(Fault.rows(lambda rows: [] if rows[0]["phoneNumber"] == fifth else rows), times=99)

        with pytest.raises(SMSPartnerIncompleteError, match="page") as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")

        assert (caught.value.expected, caught.value.received) == (430, 200)

    def test_a_tag_with_too_many_rows_is_told_before_anything_is_asked_ahead(self, start: Start) -> None:
        double = start(page_size=50)
        double.add_campaign("spring", size=430, settle_seconds=0)

        with SMSPartnerHook() as hook, pytest.raises(ValueError, match="430 rows are more"):
            list(hook.iter_status_by_tag("spring", max_rows=429, read_ahead=True))

        assert len(double.requests) == 1

    @both_ways
    def test_a_wrong_key_is_met_by_the_calls_in_flight_and_no_more(self, start: Start, ask: Ask) -> None:
        double = start({"max_connections": 3}, latency=0.05)
        messages = double.add_campaign("spring", size=6000, settle_seconds=0).messages
        double.misbehave(Fault.error(10), times=None)

        with pytest.raises(SMSPartnerCredentialsError):
            ask(SMSPartnerHook(), "multi_status", messages)

        assert len(double.requests) == 3

    @both_ways
    def test_four_calls_in_flight_by_default(self, start: Start, ask: Ask) -> None:
        double = start(latency=0.1)
        campaign = double.add_campaign("spring", size=4000, settle_seconds=0)

        ask(SMSPartnerHook(), "multi_status", campaign.messages)

        assert double.max_in_flight == 4

    def test_a_single_call_needs_no_threads(self, double: SMSPartnerDouble) -> None:
        with SMSPartnerHook() as hook:
            for _ in hook.iter_multi_status([("+33639980000", 1)]):
                assert not [each for each in threading.enumerate() if each.name.startswith("smspartner_")]


async def azip(rows: Any, numbers: Any) -> Any:
    for number in numbers:
        yield await anext(rows), number


class TestConnections:
    def test_one_session_is_kept_alive_over_all_calls(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        with SMSPartnerHook() as hook:
            session = hook.get_conn()
            for _ in range(3):
                assert len(list(hook.iter_status_by_tag("spring"))) == 120
                hook.get_multi_status([("+33639980000", 1)])
            assert hook.get_conn() is session

        assert len(double.requests) == 12
        assert len({request.peer_port for request in double.requests}) == 1

    def test_asynchronous_calls_share_connections_inside_async_with(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                for _ in range(3):
                    assert len([row async for row in hook.aiter_status_by_tag("spring")]) == 120
                    await hook.aget_multi_status([("+33639980000", 1)])

        asyncio.run(main())
        assert len(double.requests) == 12
        assert len({request.peer_port for request in double.requests}) == 1

    def test_each_asynchronous_call_opens_its_own_without(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        hook = SMSPartnerHook()

        async def main() -> None:
            for _ in range(2):
                assert len([row async for row in hook.aiter_status_by_tag("spring")]) == 120

        asyncio.run(main())
        asyncio.run(main())
        assert len({request.peer_port for request in double.requests}) == 4

    def test_the_session_never_holds_the_key(self, double: SMSPartnerDouble) -> None:
        with SMSPartnerHook() as hook:
            session = hook.get_conn()
            hook.get_multi_status([("+33639980000", 1)])
            held = repr([session.headers, session.params, session.auth, session.cookies, vars(session)])

        assert "secret" not in held
        assert not session.params

    def test_the_session_follows_no_redirect_and_ignores_cookies(self, double: SMSPartnerDouble) -> None:
        async def apply(*_: Any) -> Any:
            from airflow_provider_smspartner.testing.exchange import Answer

            return Answer(b"", 302, "text/plain", {"Location": "/v1/me", "Set-Cookie": "a=b"})

        double.misbehave(Fault("cookie", apply))
        with SMSPartnerHook() as hook:
            answer = hook.get_conn().get(f"{double.url}/v1/me", timeout=5)
            assert answer.status_code == 302
            assert not hook.get_conn().cookies
        assert len(double.requests) == 1

    def test_two_coroutines_share_a_hook(self, start: Start) -> None:
        double = start({"max_connections": 2}, latency=0.05, page_size=50)
        campaign = double.add_campaign("spring", size=120, settle_seconds=0)

        async def main() -> list[list[Any]]:
            async with SMSPartnerHook() as hook:
                return await asyncio.gather(
                    hook.aget_status_by_tag("spring"), hook.aget_multi_status(campaign.messages)
                )

        by_tag, by_list = asyncio.run(main())
        assert [row["phone_number"] for row in by_tag] == [row["phone_number"] for row in by_list]
        assert len({request.peer_port for request in double.requests}) == 2

    def test_coroutines_that_share_a_hook_keep_to_its_ceiling(self, start: Start) -> None:
        double = start({"max_connections": 2}, latency=0.05, auto_campaigns=True, campaign_size=1)

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                await asyncio.gather(*[hook.aget_status_by_tag("spring") for _ in range(6)])

        asyncio.run(main())
        assert len(double.requests) == 6
        assert double.max_in_flight == 2

    def test_two_coroutines_that_open_at_once(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        start(auto_campaigns=True, campaign_size=1)
        slowly_opened = AsyncClient.open
        clients = []

        async def open_slowly(*arguments: Any) -> AsyncClient:
            await asyncio.sleep(0.05)
            clients.append(await slowly_opened(*arguments))
            return clients[-1]

        monkeypatch.setattr(AsyncClient, "open", open_slowly)

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                await asyncio.gather(*[hook.aget_status_by_tag("spring") for _ in range(2)])
                assert [client._session.closed for client in clients].count(False) == 1
            assert all(client._session.closed for client in clients)

        asyncio.run(main())
        assert len(clients) == 2

    def test_several_threads_share_a_hook(
        self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(monkeypatch, double, max_connections=3)
        campaign = double.add_campaign("spring", size=120, settle_seconds=0)
        gate = threading.Barrier(8)

        def fetch(hook: SMSPartnerHook) -> tuple[int, list[str]]:
            gate.wait()
            session = hook.get_conn()
            return id(session), [row["phone_number"] for row in hook.get_status_by_tag("spring")]

        with SMSPartnerHook() as hook, ThreadPoolExecutor(8) as pool:
            results = list(pool.map(fetch, [hook] * 8))

        assert len({session for session, _ in results}) == 1
        expected = [each["phone_number"] for each in campaign.messages]
        assert all(numbers == expected for _, numbers in results)
        assert len({request.peer_port for request in double.requests}) <= 3
        assert double.max_in_flight <= 3

    def test_a_used_hook_may_be_copied_before_it_connects(self) -> None:
        assert copy.deepcopy(SMSPartnerHook("other")).smspartner_conn_id == "other"

    def test_it_connects_anew_after_close(self, double: SMSPartnerDouble) -> None:
        hook = SMSPartnerHook()
        hook.close()
        for _ in range(2):
            with hook:
                hook.get_multi_status([("+33639980000", 1)])
        hook.close()

        assert len({request.peer_port for request in double.requests}) == 2

    def test_constructing_needs_no_connection(self) -> None:
        hook = SMSPartnerHook(**{SMSPartnerHook.conn_name_attr: "nowhere"})

        assert hook.smspartner_conn_id == "nowhere"
        assert SMSPartnerHook().smspartner_conn_id == "smspartner_default"


class TestClosing:
    """A leak is a ResourceWarning as the garbage is collected, and any warning fails a test."""

    @pytest.fixture(autouse=True)
    def _collect_garbage(self) -> Iterator[None]:
        yield
        gc.collect()

    @pytest.fixture
    def campaign(self, double: SMSPartnerDouble) -> list[dict[str, str]]:
        return double.add_campaign("spring", size=2600, settle_seconds=0).messages

    def test_with(self, campaign: list[dict[str, str]]) -> None:
        with SMSPartnerHook() as hook:
            hook.get_status_by_tag("spring")
            hook.get_multi_status(campaign)
            kept_alive = hook.get_conn().get_adapter("http://").poolmanager.pools
            assert len(kept_alive) == 1
        assert len(kept_alive) == 0

    def test_without_with(self, campaign: list[dict[str, str]]) -> None:
        hook = SMSPartnerHook()
        hook.get_status_by_tag("spring")
        hook.get_multi_status(campaign)

    def test_a_session_outlives_its_hook(self, double: SMSPartnerDouble) -> None:
        session = SMSPartnerHook().get_conn()
        gc.collect()
        with session.get(f"{double.url}/v1/me", timeout=5) as answer:
            assert answer.status_code == 200
        session.close()

    def test_async_with(self, campaign: list[dict[str, str]]) -> None:
        async def main() -> None:
            async with SMSPartnerHook() as hook:
                await hook.aget_status_by_tag("spring")
                await hook.aget_multi_status(campaign)

        asyncio.run(main())

    def test_without_async_with(self, campaign: list[dict[str, str]]) -> None:
        async def main() -> None:
            hook = SMSPartnerHook()
            await hook.aget_status_by_tag("spring")
            await hook.aget_multi_status(campaign)

        asyncio.run(main())

    def test_both_halves_in_async_with(self, campaign: list[dict[str, str]]) -> None:
        async def main() -> SMSPartnerHook:
            async with SMSPartnerHook() as hook:
                await hook.aget_status_by_tag("spring")
                await asyncio.to_thread(hook.get_status_by_tag, "spring")
            return hook

        assert asyncio.run(main())._client is None

    @pytest.mark.parametrize("what", ["status_by_tag", "multi_status"])
    @pytest.mark.parametrize("closed", [True, False])
    def test_a_break(self, campaign: list[dict[str, str]], what: str, closed: bool) -> None:
        hook = SMSPartnerHook()
        for _ in getattr(hook, f"iter_{what}")("spring" if what == "status_by_tag" else campaign):
            break
        if closed:
            hook.close()

    @pytest.mark.parametrize("what", ["status_by_tag", "multi_status"])
    @pytest.mark.parametrize("kept", [True, False])
    def test_a_break_asynchronously(self, campaign: list[dict[str, str]], what: str, kept: bool) -> None:
        argument = "spring" if what == "status_by_tag" else campaign

        async def main() -> None:
            hook = SMSPartnerHook()
            if kept:
                async with hook:
                    await broken_off(hook)
            else:
                await broken_off(hook)

        async def broken_off(hook: SMSPartnerHook) -> None:
            async for _ in getattr(hook, f"aiter_{what}")(argument):
                break

        asyncio.run(main())

    def test_a_closed_iterator_leaves_no_task_and_no_request_behind(self, start: Start) -> None:
        double = start({"max_connections": 3}, latency=0.2)

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                rows = hook.aiter_multi_status(endless())
                await anext(rows)
                await rows.aclose()
                assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())
        assert len(double.requests) == 3

    def test_a_cancelled_call_leaves_no_task_behind(self, start: Start) -> None:
        start(latency=5)
        began = time.monotonic()

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await hook.aget_multi_status(endless())
                assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())
        assert time.monotonic() - began < 2

    def test_a_closed_iterator_gives_up_retries_and_turns(self, start: Start) -> None:
        double = start({"max_connections": 4, "requests_per_minute": 60})
        hook = SMSPartnerHook()
        rows = hook.iter_multi_status(endless())
        next(rows)
        began = time.monotonic()
        rows.close()

        assert time.monotonic() - began < 0.5
        assert hook._client is not None
        assert len(hook._client._given_up) == 1
        assert len(double.requests) == 1
        assert not [each for each in threading.enumerate() if each.name.startswith("smspartner_")]

    def test_closing_the_hook_gives_up_what_is_in_flight(self, start: Start) -> None:
        double = start({"max_connections": 4, "requests_per_minute": 60})
        hook = SMSPartnerHook()
        rows = hook.iter_multi_status(endless())
        next(rows)
        began = time.monotonic()
        hook.close()

        with pytest.raises(SMSPartnerUnavailableError, match="closed"):
            list(rows)
        assert time.monotonic() - began < 0.5
        assert len(double.requests) == 1

    def test_closing_the_hook_gives_up_what_is_in_flight_asynchronously(self, start: Start) -> None:
        double = start({"max_connections": 4}, latency=0.1)

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                rows = hook.aiter_multi_status(endless())
                await anext(rows)
            with pytest.raises(SMSPartnerUnavailableError, match="closed"):
                [row async for row in rows]
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())
        assert len(double.requests) <= 8

    def test_a_body_that_drips_is_given_up_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def drip(client: Any, server: RawServer) -> None:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while not server.stopping.wait(0.05):
                client.sendall(b" ")

        monkeypatch.setattr(policy, "TOTAL_SECONDS", 10)
        with RawServer(drip) as server, SMSPartnerHook() as hook:
            monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key"))
            threading.Timer(0.3, hook.close).start()
            began = time.monotonic()
            with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 1 try"):
                hook.get_status_by_tag("spring")
            assert time.monotonic() - began < 2
            assert len(server.heads) == 1

    @both_ways
    def test_errors(self, double: SMSPartnerDouble, campaign: list[dict[str, str]], ask: Ask) -> None:
        for fault in (Fault.reset(), Fault.truncated(), Fault.error(10), Fault.status(503)):
            double.misbehave(fault, times=None)
            for what, argument in (("status_by_tag", "spring"), ("multi_status", campaign)):
                with pytest.raises((SMSPartnerUnavailableError, SMSPartnerCredentialsError)):
                    ask(SMSPartnerHook(), what, argument)
            double.clear_faults()
        gc.collect()


class TestArguments:
    @four_ways
    @pytest.mark.parametrize("tag", ["", "a" * 21, "two words", "line\nbreak", None, 5])
    def test_a_bad_tag_is_refused_before_anything_is_sent(
        self, double: SMSPartnerDouble, ask: Ask, tag: object
    ) -> None:
        with pytest.raises(ValueError, match="tag must"):
            ask(SMSPartnerHook(), "status_by_tag", tag)
        assert double.requests == []

    @pytest.mark.parametrize("tag", ["a", "a" * 20, "é-_.1"])
    @both_ways
    def test_a_good_tag_is_sent_as_it_is(self, double: SMSPartnerDouble, ask: Ask, tag: str) -> None:
        double.add_campaign(tag, size=1)

        assert len(ask(SMSPartnerHook(), "status_by_tag", tag)) == 1
        assert double.requests[0].query["tag"] == tag

    @four_ways
    @pytest.mark.parametrize(
        "messages",
        [
            [*[("+33639980000", number) for number in range(1, 700)], ("+33639980000", None)],
            [{"phone_number": "+33639980000"}],
            [("not a number", 1)],
            "+33639980000",
            {"phone_number": "+33639980000", "message_id": 1},
            None,
        ],
        ids=["late", "no id", "no number", "text", "mapping", "none"],
    )
    def test_bad_messages_are_refused_before_anything_is_sent(
        self, double: SMSPartnerDouble, ask: Ask, messages: object
    ) -> None:
        with pytest.raises(ValueError, match="messages") as caught:
            ask(SMSPartnerHook(), "multi_status", messages)
        assert double.requests == []
        assert "39980000" not in str(caught.value)

    @four_ways
    def test_a_bad_message_of_an_iterator_names_its_position(
        self, double: SMSPartnerDouble, ask: Ask
    ) -> None:
        def messages() -> Iterator[object]:
            yield from (("+33639980000", number) for number in range(700))
            yield "nonsense"

        with pytest.raises(ValueError, match=r"messages\[700\]"):
            ask(SMSPartnerHook(), "multi_status", messages())

    def test_the_plain_iterators_check_at_once(self) -> None:
        hook = SMSPartnerHook()
        with pytest.raises(ValueError, match="tag must"):
            hook.iter_status_by_tag("")
        with pytest.raises(ValueError, match="messages"):
            hook.iter_multi_status([None])

    @pytest.mark.parametrize("ask", [get, WAYS["aiter"]])
    def test_upper_case_is_warned_about_once(
        self,
        double: SMSPartnerDouble,
        ask: Ask,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Airflow 3.3 prints what a hook logs, past the standard library's logging.
        monkeypatch.setattr(SMSPartnerHook, "log", logging.getLogger("hook"))
        double.add_campaign("Spring", size=1)
        double.add_campaign("spring", size=1)
        hook = SMSPartnerHook()
        for tag in ("Spring", "Spring", "spring"):
            ask(hook, "status_by_tag", tag)

        assert [request.query["tag"] for request in double.requests] == ["Spring", "Spring", "spring"]
        assert len([record for record in caplog.records if "upper case" in record.getMessage()]) == 1


class TestPartialResults:
    @both_ways
    def test_rows_read_before_an_error_are_counted(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        behave_then_refuse(double, after=2)

        with pytest.raises(SMSPartnerCredentialsError) as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert caught.value.__notes__ == ["100 rows had been read before this error; they are not returned."]

    @both_ways
    def test_rows_of_a_list(self, start: Start, ask: Ask) -> None:
        double = start({"max_connections": 1})
        behave_then_refuse(double, after=1)
        messages = [("+33639980000", number) for number in range(1, 1100)]

        with pytest.raises(SMSPartnerCredentialsError) as caught:
            ask(SMSPartnerHook(), "multi_status", messages)
        assert caught.value.__notes__ == ["500 rows had been read before this error; they are not returned."]

    @both_ways
    def test_a_short_paging_is_an_error(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        double.misbehave(Fault.ignore_page(), times=None)

        with pytest.raises(SMSPartnerIncompleteError) as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert (caught.value.expected, caught.value.received) == (120, 50)
        assert len(caught.value.__notes__) == 1

    def test_rows_before_an_error_are_given_lazily(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        behave_then_refuse(double, after=1)
        with SMSPartnerHook() as hook:
            rows = hook.iter_status_by_tag("spring")
            assert len([next(rows) for _ in range(50)]) == 50
            with pytest.raises(SMSPartnerCredentialsError):
                next(rows)


def behave_then_refuse(double: SMSPartnerDouble, *, after: int) -> None:
    double.misbehave(slow(0), times=after)
    double.misbehave(Fault.error(10), times=None)


class TestTestConnection:
    def test_a_right_key_says_balance_and_credits(self, double: SMSPartnerDouble) -> None:
        hook = SMSPartnerHook()
        assert hook.test_connection() == (
            True,
            "SMS Partner accepts the API key: balance 10225.119 EUR, 269082 SMS credits.",
        )
        assert [request.path for request in double.requests] == ["/v1/me"]

    def test_it_leaves_the_hooks_session_open(self, double: SMSPartnerDouble) -> None:
        with SMSPartnerHook() as hook:
            session = hook.get_conn()
            hook.test_connection()
            assert hook.get_conn() is session

    def test_a_wrong_key(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        described = json.loads(double.connection_json()) | {"password": "wr%2Fong&key"}
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(described))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "the API key is wrong (code 10" in message
        assert "ong" not in message.replace("wrong", "")
        assert "incorrecte" not in message
        assert len(double.requests) == 1

    def test_no_key(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        described = json.loads(double.connection_json()) | {"password": ""}
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(described))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "no API key" in message
        assert double.requests == []

    def test_nobody_there(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        described = json.loads(double.connection_json(max_attempts=2)) | {"host": "http://127.0.0.1:1"}
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(described))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "could not be reached" in message
        assert "2 tries" in message

    def test_a_bad_setting(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        connect(monkeypatch, double, timeout="soon")

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "timeout" in message
        assert "soon" not in message

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.fake_success(),
            Fault.html(),
            Fault.error(999, "secret words of the vendor"),
            Fault.error(10, "secret words of the vendor", shape=4),
            Fault.body(b'{"success":true,"code":200,"credits":["secret"]}'),
            Fault.body(b'{"success":true,"code":200,"credits":"secret"}'),
            Fault.status(500, body="secret"),
            Fault.redirect("http://127.0.0.1:1/secret"),
        ],
        ids=lambda fault: fault.name,
    )
    def test_any_other_answer_is_a_failure_without_the_vendors_words(
        self, double: SMSPartnerDouble, fault: Fault
    ) -> None:
        double.misbehave(fault, times=None)

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert message.startswith("SMS Partner ")
        assert "secret" not in message

    @pytest.mark.parametrize(
        ("credits_", "message"),
        [
            ({}, "SMS Partner accepts the API key."),
            ({"creditSms": 5}, "SMS Partner accepts the API key: 5 SMS credits."),
            ({"balance": 3.5}, "SMS Partner accepts the API key: balance 3.5."),
            (
                {"balance": "<b>secret</b>", "currency": "secret", "creditSms": "secret", "secret": 1},
                "SMS Partner accepts the API key.",
            ),
            (
                {"balance": {"secret": 1}, "currency": ["EUR"], "creditSms": None},
                "SMS Partner accepts the API key.",
            ),
        ],
    )
    def test_only_plain_figures_are_shown(
        self, double: SMSPartnerDouble, credits_: dict[str, Any], message: str
    ) -> None:
        body = {"success": True, "code": 200, "message": "secret", "credits": credits_}
        double.misbehave(Fault.body(json.dumps(body).encode()))

        assert SMSPartnerHook().test_connection() == (True, message)


@both_ways
def test_a_refused_request_is_asked_once(double: SMSPartnerDouble, ask: Ask) -> None:
    double.misbehave(Fault.error(50), times=None)

    with pytest.raises(SMSPartnerRequestError):
        ask(SMSPartnerHook(), "multi_status", [("+33639980000", 1)])
    assert len(double.requests) == 1


def test_the_asynchronous_half_looks_the_connection_up_asynchronously(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.add_campaign("spring", size=1)
    loop_thread = threading.get_ident()
    looked_up = SMSPartnerHook.get_connection

    def get_connection(conn_id: str) -> Any:
        assert threading.get_ident() != loop_thread, "a synchronous look-up on the event loop"
        return looked_up(conn_id)

    monkeypatch.setattr(SMSPartnerHook, "get_connection", staticmethod(get_connection))

    async def main() -> None:
        assert len(await SMSPartnerHook().aget_status_by_tag("spring")) == 1

    asyncio.run(main())
