"""One exchange against hostile servers: it ends in time, within memory, and its answer is its own."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from clocks import FakeClock
from combinations import pairs
from loopback import (
    BOTH,
    ENDLESS,
    Ask,
    RawServer,
    aget,
    both_ways,
    connect,
    get,
    hang,
)
from waits_for import LIMIT

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

Serve = Callable[[socket.socket, RawServer], None]


def lead_to(monkeypatch: pytest.MonkeyPatch, server: RawServer, **extra: Any) -> None:
    extra = {"max_attempts": 1, **extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key", **extra))


def connection_to(url: str, *, timeout: float = LIMIT) -> str:
    extra = {"timeout": timeout, "max_attempts": 1}
    return json.dumps({"conn_type": "smspartner", "host": url, "password": "test-key", "extra": extra})


@pairs(ask=BOTH, sent=[policy.MAX_INTERIM_ANSWERS, policy.MAX_INTERIM_ANSWERS + 1])
def test_the_number_of_interim_answers_is_limited(
    double: SMSPartnerDouble, ask: Ask, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, double, max_attempts=1)
    double.add_campaign("spring", size=120)
    double.misbehave(Fault.interim(sent), times=None)
    if sent == policy.MAX_INTERIM_ANSWERS:
        # Of each request: this takes three.
        assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 120
        return
    with pytest.raises(SMSPartnerUnavailableError, match="not valid HTTP"):
        ask(SMSPartnerHook(), "status_by_tag", "spring")


EMPTY_GZIP = gzip.compress(b"")
DRIPS = {
    "the status line": (b"HTTP/1.1 200 ", b"x"),
    "a header": (HEAD + b"X: ", b"x"),
    "headers": (HEAD, b"X: y\r\n"),
    "a chunk's size": (CHUNKED, b"0"),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n"),
    "a body": (HEAD + b"Content-Length: 999999\r\n\r\n", b" "),
    "empty members": (HEAD + b"Content-Encoding: gzip\r\n\r\n", EMPTY_GZIP),
    "empty blocks": (HEAD + b"Content-Encoding: deflate\r\n\r\n", b"\x00\x00\x00\xff\xff"),
}


class TestTime:
    @pytest.fixture
    def drip(self, time_of_all: FakeClock) -> Callable[[bytes, bytes], Serve]:
        """Send something every 20 seconds, which pass at once: less than the timeout."""

        def dripping(start: bytes, drop: bytes) -> Serve:
            def serve(client: socket.socket, server: RawServer) -> None:
                client.sendall(start)
                while not server.stopping.is_set():
                    client.sendall(drop)
                    time_of_all.advance(20)

            return serve

        return dripping

    @pytest.mark.parametrize(
        ("ask", "start", "drop"),
        [
            *(pytest.param(get, *each, id=f"{name}-sync") for name, each in DRIPS.items()),
            *(pytest.param(aget, *DRIPS[name], id=f"{name}-async") for name in ("headers", "empty blocks")),
        ],
    )
    def test_a_drip_ends_with_the_time_of_a_call(
        self,
        ask: Ask,
        start: bytes,
        drop: bytes,
        drip: Callable[[bytes, bytes], Serve],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with RawServer(drip(start, drop)) as server:
            lead_to(monkeypatch, server)
            with pytest.raises(SMSPartnerUnavailableError, match="within the 300 s of a call"):
                ask(SMSPartnerHook(), "status_by_tag", "spring")

    @both_ways
    def test_a_proxy_that_drips(
        self, ask: Ask, drip: Callable[[bytes, bytes], Serve], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection_to("https://sms.example"))
        for name in ("NO_PROXY", "no_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        with RawServer(drip(*DRIPS["headers"])) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            with pytest.raises(SMSPartnerUnavailableError, match="within the 300 s of a call"):
                ask(SMSPartnerHook(), "status_by_tag", "spring")
            assert proxy.heads

    @pytest.mark.parametrize("is_closed", [False, True])
    def test_a_name_that_is_looked_up_for_ever(
        self, is_closed: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, begins, ends = socket.getaddrinfo, threading.Event(), threading.Event()

        # No resolver of this machine can be made to hang.
        def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
            if host == "sms.example" and not options.get("flags"):
                begins.set()
                ends.wait()
            return real(host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        connection = connection_to("https://sms.example", timeout=ENDLESS if is_closed else 0.3)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        hook = SMSPartnerHook()
        try:
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(hook.get_status_by_tag, "spring")
                if is_closed:
                    begins.wait(LIMIT)
                    hook.close()
                error = asked.exception()
        finally:
            ends.set()
        said = "was closed" if is_closed else "sms.example:443 could not be reached: connecting took longer"
        assert isinstance(error, SMSPartnerUnavailableError)
        assert said in str(error)


class TestClosing:
    """Nothing but closing ends these calls."""

    @pytest.mark.parametrize(
        "start", [b"", HEAD, CHUNKED + b"0\r\n"], ids=["before the answer", "headers", "trailers"]
    )
    def test_from_another_thread_ends_a_call(self, start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop_after(client: socket.socket, server: RawServer) -> None:
            client.sendall(start)
            hang(client, server)

        with RawServer(stop_after) as server, ThreadPoolExecutor(1) as pool:
            lead_to(monkeypatch, server, timeout=ENDLESS, max_attempts=5)
            hook = SMSPartnerHook()
            asked = pool.submit(hook.get_status_by_tag, "spring")
            server.wait_until_asked()
            hook.close()
            assert isinstance(asked.exception(), SMSPartnerUnavailableError)
            assert len(server.heads) == 1

    def test_from_a_signal_handler_ends_all_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def signal_once_asked() -> None:
            server.wait_until_asked()
            os.kill(os.getpid(), signal.SIGUSR1)

        with RawServer(hang) as server, ThreadPoolExecutor(1) as pool:
            lead_to(monkeypatch, server, timeout=ENDLESS, max_attempts=5)
            hook = SMSPartnerHook()
            before = signal.signal(signal.SIGUSR1, lambda *_: hook.close())
            try:
                signalled = pool.submit(signal_once_asked)
                with pytest.raises(SMSPartnerUnavailableError):
                    hook.get_multi_status([("+33639980000", number) for number in range(3000)])
                signalled.result()
            finally:
                signal.signal(signal.SIGUSR1, before)
        assert not [each for each in threading.enumerate() if each.name.startswith("smspartner_")]


def flooding(start: bytes, flood: bytes) -> Callable[[socket.socket, RawServer], None]:
    def answer(client: socket.socket, server: RawServer) -> None:
        client.sendall(start)
        flood_bytes = flood * (1 + 2**16 // len(flood))
        # The bound is for a client that would read all of it.
        for _ in range(2**28 // len(flood_bytes)):
            if server.stopping.is_set():
                return
            client.sendall(flood_bytes)

    return answer


HTTP = {
    "an endless body": flooding(HEAD + b"\r\n", b" " * 2**16),
    "a chunk of FFFFFFFFFFFFFFFFFF": flooding(CHUNKED + b"F" * 18 + b"\r\n", b" " * 2**16),
    "a chunk of -1": flooding(CHUNKED + b"-1\r\n", b" " * 2**16),
    "endless headers": flooding(HEAD, b"X: y\r\n"),
    "an endless status line": flooding(b"HTTP/1.1 200 ", b"x"),
    "endless trailers": flooding(CHUNKED + b"0\r\n", b"X: y\r\n"),
    "an endless extension": flooding(CHUNKED + b"1;", b"x"),
}


@pairs(ask=BOTH, answer=HTTP)
def test_an_endless_answer_ends_within_memory(
    ask: Ask, answer: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "larger than 64 MiB" if answer is HTTP["an endless body"] else None
    with RawServer(answer) as server:
        # What is too large would be so again.
        lead_to(monkeypatch, server, max_attempts=5 if text else 1)
        tracemalloc.start()
        try:
            with pytest.raises(SMSPartnerUnavailableError, match=text):
                ask(SMSPartnerHook(), "status_by_tag", "spring")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 80 * 2**20
    assert len(server.heads) == 1
    assert b"\r\naccept-encoding: gzip, deflate\r\n" in server.heads[0].lower()
