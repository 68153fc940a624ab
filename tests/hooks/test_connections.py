"""How many connections and calls a hook has at once, and what closing it ends."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hooks.asking import endless
from loopback import Start, connect

from airflow_provider_smspartner._http import opening
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


class TestConnections:
    def test_one_connection_is_kept_alive_over_all_calls(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        with SMSPartnerHook() as hook:
            session = hook.get_conn()
            for _ in range(2):
                assert len(list(hook.iter_status_by_tag("spring"))) == 120
                hook.get_multi_status([("+33639980000", 1)])
            assert hook.get_conn() is session

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                for _ in range(2):
                    assert len([row async for row in hook.aiter_status_by_tag("spring")]) == 120
                    await hook.aget_multi_status([("+33639980000", 1)])

        asyncio.run(main())
        ports = [request.peer_port for request in double.requests]
        assert len(ports) == 16
        assert len(set(ports[:8])) == len(set(ports[8:])) == 1

    def test_the_session_holds_no_key_follows_no_redirect_and_keeps_no_cookie(
        self, double: SMSPartnerDouble
    ) -> None:
        double.misbehave(Fault.headers({"Set-Cookie": "a=b"}))
        double.misbehave(Fault.redirect("/v1/me"))
        with SMSPartnerHook() as hook:
            session = hook.get_conn()
            hook.get_multi_status([("+33639980000", 1)])
            answer = session.get(f"{double.url}/v1/me", timeout=60)
            held = repr([session.headers, session.params, session.auth, session.cookies, vars(session)])

        assert answer.status_code == 302
        assert len(double.requests) == 2
        assert "secret" not in held
        assert not session.params
        assert not session.cookies

    def test_coroutines_that_begin_together_share_one_client(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As in a new process: the client is imported on a thread, and over https it reads certificates there.
        monkeypatch.setattr(opening, "_loaded", None)
        double = start({"max_connections": 1})
        double.add_campaign("spring", size=1, settle_seconds=0)

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                await asyncio.gather(*(hook.aget_status_by_tag("spring") for _ in range(5)))

        asyncio.run(main())
        assert len(double.requests) == 5
        assert len({request.peer_port for request in double.requests}) == 1

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

    def test_it_connects_anew_after_close(self, double: SMSPartnerDouble) -> None:
        hook = SMSPartnerHook()
        hook.close()
        for _ in range(2):
            with hook:
                hook.get_multi_status([("+33639980000", 1)])
        hook.close()

        assert len({request.peer_port for request in double.requests}) == 2


class TestClosing:
    """A leak is a ResourceWarning as the garbage is collected, and any warning fails a test."""

    @pytest.fixture(autouse=True)
    def _collect_garbage(self) -> Iterator[None]:
        yield
        gc.collect()

    def test_a_closed_iterator_leaves_no_task_and_no_request_behind(self, start: Start) -> None:
        double = start({"max_connections": 3})
        in_flight = asyncio.Barrier(3)

        async def answer_the_first(request: Any, proceed: Any, _: Any) -> Any:
            await in_flight.wait()
            if int(request.body["SMSStatut_List"][0]["messageId"]) != 1:
                await asyncio.Event().wait()
            return proceed(request)

        double.misbehave(Fault("answer the first", answer_the_first), times=None)

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                rows = hook.aiter_multi_status(endless())
                await anext(rows)
                await rows.aclose()
                assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())
        assert len(double.requests) == 3

    def test_closing_the_hook_gives_up_what_is_in_flight_asynchronously(self, start: Start) -> None:
        double = start({"max_connections": 4})

        async def main() -> None:
            async with SMSPartnerHook() as hook:
                rows = hook.aiter_multi_status(endless())
                await anext(rows)
            with pytest.raises(SMSPartnerUnavailableError, match="closed"):
                [row async for row in rows]
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(main())
        assert len(double.requests) <= 8
