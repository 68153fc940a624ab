"""No answer holds the event loop up, whatever is in it: by what runs where, and by CPU time, not by how fast it is."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
import time
import zlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from campaign_triggers import campaign_trigger
from combinations import in_turn
from loopback import ONE_ROW, RawServer, response, said
from writing import settings_for

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http.asynchronous import AsyncClient
from airflow_provider_smspartner._http.body import BodyDecoder
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.protocol import Answer, Call, Request

ROW = ONE_ROW[ONE_ROW.index(b"[") + 1 : ONE_ROW.rindex(b"]")]


def page(rows: bytes, total: int = 1) -> bytes:
    return b'{"success":true,"code":200,"currentPage":1,"total":%d,"StatutResponse_List":[%b]}' % (
        total,
        rows,
    )


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """What Python's garbage collector takes is not the body's."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("body", "is_on_a_thread"),
    [(ONE_ROW, False), (b" " * 300_000 + ONE_ROW, True), (page(b",".join([b"{}"] * 700)), True)],
    ids=["small", "large", "many rows"],
)
def test_large_answers_are_read_on_a_thread(body: bytes, is_on_a_thread: bool) -> None:
    call = Call(Request("GET", "/me", may_repeat=True), lambda _: threading.get_ident())

    async def reads_elsewhere(url: str) -> bool:
        client = await AsyncClient.open(settings_for(url), "c")
        try:
            return await client.send(call) != threading.get_ident()
        finally:
            await client.close()

    with RawServer(said(response(body))) as server:
        assert asyncio.run(reads_elsewhere(server.url)) is is_on_a_thread


@pytest.mark.parametrize(
    ("encoding", "compress"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)], ids=["gzip", "deflate"]
)
def test_others_run_between_the_steps_of_decoding(
    encoding: bytes, compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, turns, seen = BodyDecoder.steps, 0, []

    def steps(decoder: BodyDecoder, raw: bytes) -> Iterator[None]:
        for _ in decode(decoder, raw):
            seen.append(turns)
            yield

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        others = asyncio.create_task(take_turns())
        async with SMSPartnerHook() as hook:
            with pytest.raises(SMSPartnerUnavailableError, match="larger than 64 MiB"):
                await hook.aget_status_by_tag("spring")
        others.cancel()

    monkeypatch.setattr(BodyDecoder, "steps", steps)
    head = b"Content-Encoding: %b\r\n" % encoding
    with RawServer(said(response(compress(b" " * 2**27), head=head))) as server:
        connection = server.connection("test-key", max_attempts=1)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        asyncio.run(main())
    assert len(set(seen)) == len(seen) >= 16


async def fetched() -> int:
    async with SMSPartnerHook() as hook:
        return len(await hook.aget_status_by_tag("spring"))


async def awaited() -> int:
    (event,) = [event async for event in campaign_trigger(tag="spring", grace=0, poke_interval=1.0).run()]
    return sum(event.payload["counts"].values())


PAGES = {
    "usual rows": page(b",".join(ROW.replace(b"39980000", b"%08d" % n) for n in range(60_000)), 60_000),
    # What takes the longest to normalise, in no larger a body than may be read on the event loop.
    "foreign numbers": page(
        b",".join(b'{"phoneNumber":"0048 (0)6%08d","status":"KO"}' % n for n in range(4_900)), 4_900
    ),
}


@in_turn(body=PAGES, ask={"hook": fetched, "trigger": awaited})
def test_many_rows_are_not_read_in_one_turn(
    body: bytes, ask: Callable[[], Coroutine[Any, Any, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def longest_turn() -> float:
        """Return the most CPU time that the loop's thread took between two turns of another coroutine."""
        asked, longest, last = asyncio.create_task(ask()), 0.0, time.thread_time()
        while not asked.done():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
        assert asked.result() == body.count(b"phoneNumber")
        return longest

    with RawServer(said(response(body))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key"))
        longest = asyncio.run(longest_turn())
    began = time.thread_time()
    next(protocol.status_by_tag("spring")).read(Answer(200, {}, body))
    assert longest < (time.thread_time() - began) / 2
