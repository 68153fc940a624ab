"""One exchange against hostile servers: it ends in time, within memory, and its answer is its own."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from loopback import ONE_ROW, Ask, RawServer, both_ways, connect, get, head_of, one_row, response

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

HEAD = b"HTTP/1.1 200 OK\r\n"
KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def lead_to(monkeypatch: pytest.MonkeyPatch, server: RawServer, **extra: Any) -> None:
    extra = {"max_attempts": 1, **extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key", **extra))


def answer_each(client: socket.socket, server: RawServer, answer: Callable[[int], Iterator[bytes]]) -> None:
    """Answer all requests of a connection, each in parts that are sent 50 ms apart."""
    for number in count(len(server.heads) - 1):
        for part in answer(number):
            client.sendall(part)
            time.sleep(0.05)
        if not receive_head(client, server):
            return


def receive_head(client: socket.socket, server: RawServer) -> bool:
    head = head_of(client)
    if not head:
        return False
    server.heads.append(head)
    return True


class TestInterimAnswers:
    @both_ways
    @pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints", b"199 Odd"])
    def test_each_call_gets_its_own_answer(
        self, ask: Ask, interim: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def hinted(number: int) -> Iterator[bytes]:
            body = one_row(number).replace(b'"total": 1', b'"total": 3')
            body = body.replace(b'"currentPage": 1', b'"currentPage": %d' % (number + 1))
            yield b"HTTP/1.1 " + interim + b"\r\nLink: </style.css>; rel=preload\r\n\r\n"
            yield b"HTTP/1.1 " + interim + b"\r\n\r\n" + KEPT % (len(body), body)

        with RawServer(lambda client, server: answer_each(client, server, hinted)) as server:
            lead_to(monkeypatch, server, max_connections=1)
            rows = ask(SMSPartnerHook(), "status_by_tag", "spring")

            assert [row["phone_number"] for row in rows] == ["+33639980000", "+33639980001", "+33639980002"]
            assert len(server.heads) == 3

    @both_ways
    def test_switching_protocols_is_no_answer(self, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        def switching(number: int) -> Iterator[bytes]:
            yield b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
            yield KEPT % (len(ONE_ROW), ONE_ROW)

        with RawServer(lambda client, server: answer_each(client, server, switching)) as server:
            lead_to(monkeypatch, server, max_attempts=2, timeout=0.3)
            with pytest.raises(SMSPartnerUnavailableError):
                ask(SMSPartnerHook(), "status_by_tag", "spring")
            assert len(server.heads) == 2

    @both_ways
    @pytest.mark.parametrize("more", [0, 1])
    def test_their_number_is_limited(
        self, double: SMSPartnerDouble, ask: Ask, more: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(monkeypatch, double, max_attempts=1)
        double.add_campaign("spring", size=120)
        double.misbehave(Fault.interim(policy.MAX_INTERIM_ANSWERS + more), times=None)
        if not more:
            # Of each request: this takes three.
            assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 120
            return
        with pytest.raises(SMSPartnerUnavailableError, match="not valid HTTP"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")

    @both_ways
    def test_endless_ones(self, double: SMSPartnerDouble, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        connect(monkeypatch, double, max_attempts=1)
        double.misbehave(Fault.interim(10**9))
        began = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError, match="not valid HTTP"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert time.monotonic() - began < 5


class TestBytesThatNobodyAskedFor:
    @pytest.mark.parametrize("pause", [0, 0.05])
    def test_are_not_the_next_answer(self, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
        unasked = threading.Semaphore(0)

        def twice(client: socket.socket, server: RawServer) -> None:
            page = one_row(len(server.heads))
            answer = KEPT % (len(page), page)
            if pause:
                client.sendall(answer)
                time.sleep(pause)
                client.sendall(answer)
            else:
                client.sendall(answer + answer)
            unasked.release()
            while receive_head(client, server):
                client.sendall(answer)

        with RawServer(twice) as server, SMSPartnerHook() as hook:
            lead_to(monkeypatch, server, max_attempts=5)
            numbers = []
            for _ in range(3):
                (row,) = hook.get_status_by_tag("spring")
                numbers.append(row["phone_number"])
                assert unasked.acquire(timeout=10)
        assert numbers == ["+33639980001", "+33639980002", "+33639980003"]


def dripping(start: bytes, drip: bytes) -> Callable[[socket.socket, RawServer], None]:
    def answer(client: socket.socket, server: RawServer) -> None:
        client.sendall(start)
        while not server.stopping.wait(0.05):
            client.sendall(drip)

    return answer


EMPTY_GZIP = gzip.compress(b"")
DRIPS = {
    "nothing": dripping(b"", b""),
    "the status line": dripping(b"HTTP/1.1 200 ", b"x"),
    "a header": dripping(HEAD + b"X: ", b"x"),
    "headers": dripping(HEAD, b"X: y\r\n"),
    "a chunk's size": dripping(CHUNKED, b"0"),
    "a chunk's extension": dripping(CHUNKED + b"1;", b"x"),
    "chunks": dripping(CHUNKED, b"1\r\n \r\n"),
    "a trailer": dripping(CHUNKED + b"0\r\n", b"x"),
    "trailers": dripping(CHUNKED + b"0\r\n", b"X: y\r\n"),
    "interim answers": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers of an interim answer": dripping(b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n"),
    "a body": dripping(HEAD + b"Content-Length: 999999\r\n\r\n", b" "),
    "a body without a length": dripping(HEAD + b"\r\n", b" "),
    "empty members": dripping(HEAD + b"Content-Encoding: gzip\r\n\r\n", EMPTY_GZIP),
    "empty blocks": dripping(HEAD + b"Content-Encoding: deflate\r\n\r\n", b"\x00\x00\x00\xff\xff"),
}
drips = pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)


class TestTime:
    @pytest.mark.parametrize("given_up", [False, True])
    def test_a_name_that_is_looked_up_for_ever(self, given_up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        real, ends = socket.getaddrinfo, threading.Event()

        # No resolver of this machine can be made to hang.
        def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
            if host == "sms.example" and not options.get("flags"):
                ends.wait(20)
            return real(host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        connection = {"conn_type": "smspartner", "host": "https://sms.example", "password": "test-key"}
        extra = {"timeout": 30 if given_up else 0.3, "max_attempts": 1}
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps({**connection, "extra": extra}))
        began = time.monotonic()
        hook = SMSPartnerHook()
        if given_up:
            threading.Timer(0.5, hook.close).start()
        told = "was closed" if given_up else r"sms\.example:443 could not be reached: connecting took longer"
        try:
            with pytest.raises(SMSPartnerUnavailableError, match=told):
                hook.get_status_by_tag("spring")
            assert time.monotonic() - began < 5
        finally:
            ends.set()

    @both_ways
    @drips
    def test_a_drip_ends(
        self, ask: Ask, answer: Callable[[socket.socket, RawServer], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        with RawServer(answer) as server:
            lead_to(monkeypatch, server)
            began = time.monotonic()
            with pytest.raises(SMSPartnerUnavailableError):
                ask(SMSPartnerHook(), "status_by_tag", "spring")
            assert time.monotonic() - began < 5
        assert_no_thread_is_left()

    def test_many_at_once_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        with RawServer(DRIPS["headers"]) as server:
            lead_to(monkeypatch, server, max_connections=20)
            began = time.monotonic()
            messages = [("+33639980000", number) for number in range(500 * 30)]
            with pytest.raises(SMSPartnerUnavailableError):
                get(SMSPartnerHook(), "multi_status", messages)
            assert time.monotonic() - began < 10
        assert_no_thread_is_left()

    def test_more_callers_than_connections_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        with RawServer(DRIPS["headers"]) as server, SMSPartnerHook() as hook:
            lead_to(monkeypatch, server, max_connections=1)
            ended = []

            def ask_once() -> None:
                with pytest.raises(SMSPartnerUnavailableError):
                    hook.get_status_by_tag("spring")
                ended.append(True)

            threads = [threading.Thread(target=ask_once) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            assert len(ended) == 5

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["nothing", "headers"])
    def test_a_proxy_that_drips(self, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        monkeypatch.setenv(
            "AIRFLOW_CONN_SMSPARTNER_DEFAULT",
            '{"conn_type": "smspartner", "password": "test-key", "extra": {"max_attempts": 1, "timeout": 2}}',
        )
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with RawServer(dripping(answer, b"X: y\r\n" if answer else b"x")) as proxy:
            for name in ("HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, proxy.url)
            began = time.monotonic()
            with pytest.raises(SMSPartnerUnavailableError):
                get(SMSPartnerHook(), "status_by_tag", "spring")
            assert time.monotonic() - began < 5
            assert proxy.heads

    def test_a_handshake_that_never_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        with closing(socket.create_server(("127.0.0.1", 0))) as silent:
            monkeypatch.setenv(
                "AIRFLOW_CONN_SMSPARTNER_DEFAULT",
                json.dumps(
                    {
                        "conn_type": "smspartner",
                        "password": "test-key",
                        "host": f"https://127.0.0.1:{silent.getsockname()[1]}",
                        "extra": {"max_attempts": 1, "timeout": 60},
                    }
                ),
            )
            began = time.monotonic()
            with pytest.raises(SMSPartnerUnavailableError):
                get(SMSPartnerHook(), "status_by_tag", "spring")
            assert time.monotonic() - began < 5


HANGS = {name: DRIPS[name] for name in ("nothing", "the status line", "headers", "trailers", "a body")}


class TestClosing:
    @pytest.mark.parametrize("answer", HANGS.values(), ids=HANGS)
    def test_from_another_thread_ends_a_call(
        self, answer: Callable[[socket.socket, RawServer], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RawServer(answer) as server:
            lead_to(monkeypatch, server, timeout=60, max_attempts=5)
            hook = SMSPartnerHook()
            closer = threading.Thread(target=close_once_asked, args=(hook, server))
            closer.start()
            with pytest.raises(SMSPartnerUnavailableError):
                hook.get_status_by_tag("spring")
            closer.join()
            assert time.monotonic() - closed_at(hook) < 3
            assert len(server.heads) == 1

    @pytest.mark.parametrize(
        ("what", "argument"),
        [("status_by_tag", "spring"), ("multi_status", [("+33639980000", n) for n in range(3000)])],
        ids=["by tag", "by list"],
    )
    def test_from_a_signal_handler_ends_a_call(
        self, what: str, argument: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RawServer(DRIPS["nothing"]) as server:
            lead_to(monkeypatch, server, timeout=60, max_attempts=5)
            hook = SMSPartnerHook()
            before = signal.signal(signal.SIGUSR1, lambda *_: note_closing(hook))
            sender = threading.Thread(target=signal_once_asked, args=(server,))
            try:
                sender.start()
                with pytest.raises(SMSPartnerUnavailableError):
                    getattr(hook, f"get_{what}")(argument)
                sender.join()
            finally:
                signal.signal(signal.SIGUSR1, before)
            assert time.monotonic() - closed_at(hook) < 3
        assert_no_thread_is_left()

    def test_an_iterator_ends_its_calls_in_flight(self, monkeypatch: pytest.MonkeyPatch) -> None:
        body = b'{"success": true, "code": 200, "StatutResponse_List": []}'

        def first_only(client: socket.socket, server: RawServer) -> None:
            if b'"messageId":0}' in server.heads[-1] or b'"messageId": 0}' in server.heads[-1]:
                client.sendall(KEPT % (len(body), body))
            server.stopping.wait(10)

        with RawServer(first_only) as server, SMSPartnerHook() as hook:
            lead_to(monkeypatch, server, timeout=60)
            rows = hook.iter_multi_status([("+33639980000", number) for number in range(3000)])
            closer = threading.Timer(0.5, hook.close)
            closer.start()
            began = time.monotonic()
            with pytest.raises(SMSPartnerUnavailableError):
                list(rows)
            closer.join()
            assert time.monotonic() - began < 5
        assert_no_thread_is_left()


def close_once_asked(hook: SMSPartnerHook, server: RawServer) -> None:
    wait_until_asked(server)
    note_closing(hook)


def note_closing(hook: SMSPartnerHook) -> None:
    hook.closed_at = time.monotonic()  # type: ignore[attr-defined]
    hook.close()


def closed_at(hook: SMSPartnerHook) -> float:
    at: float = hook.closed_at  # type: ignore[attr-defined]
    return at


def signal_once_asked(server: RawServer) -> None:
    wait_until_asked(server)
    os.kill(os.getpid(), signal.SIGUSR1)


def wait_until_asked(server: RawServer) -> None:
    server.wait_until_asked()
    time.sleep(0.2)


def assert_no_thread_is_left() -> None:
    left = [thread for thread in threading.enumerate() if thread.name.startswith("smspartner")]
    assert left == []


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


def deflated(size: int) -> bytes:
    return zlib.compress(bytes(size), 1)


TOO_LARGE = {
    "an endless body": flooding(HEAD + b"\r\n", b" " * 2**16),
    "2 GB announced": flooding(HEAD + b"Content-Length: 2147483648\r\n\r\n", b" " * 2**16),
    "chunks": flooding(CHUNKED, b"10000\r\n" + b" " * 2**16 + b"\r\n"),
    "gzip": flooding(HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(2**26), 1)),
    "deflate": flooding(HEAD + b"Content-Encoding: deflate\r\n\r\n", deflated(2**28)),
}
UNUSABLE = {
    "a chunk of FFFFFFFFFFFFFFFFFF": flooding(CHUNKED + b"F" * 18 + b"\r\n", b" " * 2**16),
    "a chunk of -1": flooding(CHUNKED + b"-1\r\n", b" " * 2**16),
    "endless headers": flooding(HEAD, b"X: y\r\n"),
    "long headers": flooding(HEAD, b"X: " + b"y" * 60_000 + b"\r\n"),
    "an endless status line": flooding(b"HTTP/1.1 200 ", b"x"),
    "endless trailers": flooding(CHUNKED + b"0\r\n", b"X: y\r\n"),
    "an endless extension": flooding(CHUNKED + b"1;", b"x"),
    "brotli": flooding(HEAD + b"Content-Encoding: br\r\n\r\n", b"\x1b" * 2**16),
    "empty members": flooding(HEAD + b"Content-Encoding: gzip\r\n\r\n", EMPTY_GZIP),
    "empty blocks": flooding(HEAD + b"Content-Encoding: deflate\r\n\r\n", b"\x00\x00\x00\xff\xff"),
}


class TestSize:
    @both_ways
    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            *((each, "larger than 4 MiB") for each in TOO_LARGE.values()),
            *((each, None) for each in UNUSABLE.values()),
        ],
        ids=[*TOO_LARGE, *UNUSABLE],
    )
    def test_ends_within_memory(
        self,
        ask: Ask,
        answer: Callable[[socket.socket, RawServer], None],
        text: str | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with RawServer(answer) as server:
            lead_to(monkeypatch, server)
            tracemalloc.start()
            try:
                with pytest.raises(SMSPartnerUnavailableError, match=text):
                    ask(SMSPartnerHook(), "status_by_tag", "spring")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak < 80 * 2**20

    @both_ways
    def test_only_encodings_that_can_be_bounded_are_asked_for(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RawServer(lambda client, _: client.sendall(response(ONE_ROW))) as server:
            lead_to(monkeypatch, server)
            ask(SMSPartnerHook(), "status_by_tag", "spring")
            assert b"\r\naccept-encoding: gzip, deflate\r\n" in server.heads[0].lower()
