"""No answer holds the event loop up, whatever is in it, or takes more memory than a limited body may."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import zlib
from collections.abc import Callable

import pytest
from loopback import ONE_ROW, RawServer, response, said

from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

MIB = 1024 * 1024
ROW = ONE_ROW[ONE_ROW.index(b"[") + 1 : ONE_ROW.rindex(b"]")]


def page(rows: bytes, total: int = 1) -> bytes:
    return b'{"success":true,"code":200,"currentPage":1,"total":%d,"StatutResponse_List":[%b]}' % (
        total,
        rows,
    )


def many(value: bytes, size: int = 15 * MIB) -> bytes:
    return b",".join([value] * (size // (len(value) + 1)))


def members(size: int = 12 * MIB) -> bytes:
    return b",".join(b'"%d":1' % number for number in range(size // 10))


BODIES: dict[str, Callable[[], bytes]] = {
    "lists": lambda: b'{"code":[%b]}' % many(b"[]"),
    "unknown lists": lambda: b'{"unknown":[%b]}' % many(b"[]"),
    "figures for rows": lambda: page(many(b"0")),
    "empty rows": lambda: page(many(b"{}")),
    "one row of lists": lambda: page(b'{"date":[%b]}' % many(b"[]")),
    "string": lambda: b'{"code":"%b"}' % (b"x" * 15 * MIB),
    "digits": lambda: b'{"code":%b}' % (b"1" * 15 * MIB),
    "digits as text": lambda: b'{"code":"%b"}' % (b"1" * 15 * MIB),
    "nested": lambda: b'{"code":%b' % (b"[" * 15 * MIB),
    "white space": lambda: b" " * 15 * MIB + b"{}",
    "members": lambda: b'{"code":{%b}}' % members(),
    "gzip bomb": lambda: gzip.compress(b" " * 64 * MIB, 6),
    "deflate bomb": lambda: zlib.compress(b" " * 64 * MIB, 6),
}
ENCODINGS = {
    "gzip bomb": b"Content-Encoding: gzip\r\n",
    "deflate bomb": b"Content-Encoding: deflate\r\n",
}


async def longest_hold(answered: asyncio.Task[object]) -> float:
    """Return the longest time in which no other coroutine ran until a task is done."""
    longest, last = 0.0, time.perf_counter()
    while not answered.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


@pytest.mark.parametrize("name", BODIES)
def test_no_body_holds_the_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = response(BODIES[name](), head=ENCODINGS.get(name, b""))

    async def held() -> float:
        async with SMSPartnerHook() as hook:
            task = asyncio.create_task(hook.aget_status_by_tag("spring"))
            longest = await longest_hold(task)
            with pytest.raises(SMSPartnerUnavailableError, match="can't be used"):
                await task
        return longest

    with RawServer(said(answer)) as server:
        connection = server.connection("test-key", max_attempts=1, timeout=5)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        # Another process may hold the processor in one run or another; what the body does, it does in each.
        holds = []
        for _ in range(4):
            holds.append(asyncio.run(held()))
            if holds[-1] < 0.2:
                break
    # The limit is 50 ms on an idle machine; without it these bodies took up to seven seconds.
    assert min(holds) < 0.2, holds


def test_a_large_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = b",".join(ROW.replace(b"0000", b"%04d" % number, 1) for number in range(9_900))
    with RawServer(said(response(page(rows + b" " * MIB, total=9_900)))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key"))

        async def read() -> list[object]:
            async with SMSPartnerHook() as hook:
                return await hook.aget_status_by_tag("spring")

        found = asyncio.run(read())
    assert len(found) == 9_900
    assert {row["status"] for row in found} == {"Delivered"}  # type: ignore[index]


def _endless(client: socket.socket, server: RawServer) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    sent = 0
    while not server.stopping.is_set() and sent < 200 * MIB:
        client.sendall(b" " * MIB)
        sent += MIB
    server.sent = sent  # type: ignore[attr-defined]


HUGE: dict[str, Callable[[socket.socket, RawServer], None]] = {
    "endless": _endless,
    "a length of 2 GB": said(b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n{"),
    "a length of 40 digits": said(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n{" % (b"9" * 40)),
    "brotli": said(response(b"\x0b\x02\x80{}\x03", head=b"Content-Encoding: br\r\n")),
    "zstd": said(response(b"(\xb5/\xfd", head=b"Content-Encoding: zstd\r\n")),
    "gzip twice": said(response(b"", head=b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n")),
    "a cut gzip": said(response(gzip.compress(ONE_ROW)[:-9], head=b"Content-Encoding: gzip\r\n")),
    "not gzip": said(response(ONE_ROW, head=b"Content-Encoding: gzip\r\n")),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_body_that_is_not_read_to_its_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read() -> None:
        async with SMSPartnerHook() as hook:
            await hook.aget_status_by_tag("spring")

    with RawServer(HUGE[name]) as server:
        connection = server.connection("test-key", max_attempts=1, timeout=5)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        started = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError):
            asyncio.run(read())

        assert time.monotonic() - started < 30
        # Far less than the server would send: sockets' buffers come on top of the limit.
        assert getattr(server, "sent", 0) < 100 * MIB
        assert b"accept-encoding: gzip, deflate\r\n" in server.heads[0].lower()
