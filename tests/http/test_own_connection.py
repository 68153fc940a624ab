"""A request that may not be repeated has a connection of its own: opened for it, and closed after its answer."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import pytest
from certificates import issue
from clocks import FakeClock
from combinations import in_turn
from loopback import ENDLESS, SILENCE, RawServer, hang, head_of, receive_body, reset, response
from waits_for import LIMIT, wait_until
from writing import CLIENTS, Send, asend, both_clients, settings_for, write

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._http.asynchronous import AsyncClient
from airflow_provider_smspartner._http.blocking import BlockingClient
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import Call

READ, WRITE = write(may_repeat=True), write(may_repeat=False)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Keeping(RawServer):
    """Keeps every connection alive, whatever the client says, and notes over which one each request came."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []
        """Of each request: the client's port, and whether it said that it would close the connection."""
        left: set[int] = set()

        def serve(client: socket.socket, _: RawServer) -> None:
            port, head = client.getpeername()[1], self.heads[-1]
            while head:
                leave = {port for port, closes in self.asked if closes}
                wait_until(partial(left.issuperset, leave), "the clients that said they would leave")
                self.asked.append((port, b"\r\nconnection: close\r\n" in head.lower()))
                receive_body(client, head)
                client.sendall(OK)
                head = head_of(client)
            left.add(port)

        super().__init__(serve)


@in_turn(send=CLIENTS, method=["GET", "POST"])
def test_it_is_opened_for_the_request_and_closed_after_it(send: Send, method: str) -> None:
    once = write(may_repeat=False, method=method)
    with Keeping() as server:
        assert send(settings_for(server.url), READ, READ, once, once, READ, READ) == 200
    ports = [port for port, _ in server.asked]
    assert [closes for _, closes in server.asked] == [False, False, True, True, False, False]
    assert ports[0] == ports[1]
    assert ports[4] == ports[5]
    assert len({*ports[1:5]}) >= 3
    assert ports.count(ports[2]) == ports.count(ports[3]) == 1


@both_clients
def test_a_kept_connection_that_is_half_closed_is_not_used(send: Send) -> None:
    def lose_the_next(client: socket.socket, server: RawServer) -> None:
        receive_body(client, server.heads[-1])
        client.sendall(OK)
        if len(server.heads) == 1:
            # It looks alive until something is sent on it.
            server.heads.append(client.recv(65536))
            reset(client)

    with RawServer(lose_the_next) as server:
        assert send(settings_for(server.url), READ, WRITE) == 200
    assert sum(head.startswith(b"POST") for head in server.heads) == 2


@both_clients
def test_each_has_a_tunnel_of_its_own(send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography", reason="makes the certificates")
    certificate = issue(tmp_path, host="api.sms.invalid")

    def tunnel(client: socket.socket, server: RawServer) -> None:
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with certificate.server.wrap_socket(client, server_side=True) as inner:
            while head := head_of(inner):
                server.heads.append(head)
                receive_body(inner, head)
                inner.sendall(OK)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with RawServer(tunnel) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert send(settings_for("https://api.sms.invalid"), READ, READ, WRITE, WRITE) == 200
    assert [head.partition(b" ")[0] for head in proxy.heads] == [
        *(b"CONNECT", b"POST", b"POST"),
        *(b"CONNECT", b"POST"),
        *(b"CONNECT", b"POST"),
    ]


CLOSED = response(b"{}")


@in_turn(
    answer={"kept": OK, "no answer": b"", "closed by its answer": CLOSED, "lost": b""},
    call={"read": READ, "write": WRITE},
)
def test_a_closed_client_leaves_no_connection_to_a_server_that_says_no_goodbye(
    call: Call[int], answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography", reason="makes the certificates")
    certificate = issue(tmp_path)

    def linger(client: socket.socket, server: RawServer) -> None:
        receive_body(client, server.heads[-1])
        client.sendall(answer)
        server.stopping.wait()

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
    with RawServer(linger, ssl_context=certificate.server) as server:
        settings = settings_for(server.url, timeout=LIMIT if answer else SILENCE, max_attempts=1)
        with nullcontext() if answer else pytest.raises(SMSPartnerError):
            asend(settings, call)
        # A socket that is left open is reported by the garbage collector, and fails the test.
        gc.collect()


def send_six(settings: Settings) -> list[int]:
    with closing(BlockingClient(settings, "c")) as client, ThreadPoolExecutor(6) as pool:
        return [*pool.map(client.send, [WRITE, READ] * 3)]


def asend_six(settings: Settings) -> list[int]:
    async def main() -> list[int]:
        client = await AsyncClient.open(settings, "c")
        try:
            return await asyncio.gather(*(client.send(call) for call in [WRITE, READ] * 3))
        finally:
            await client.close()

    return asyncio.run(main())


@pytest.mark.parametrize("send_all", [send_six, asend_six], ids=["sync", "async"])
def test_max_connections_counts_them(send_all: Callable[[Settings], list[int]]) -> None:
    now: list[socket.socket] = []
    most, both = [], threading.Barrier(2, timeout=LIMIT)

    def answer_two_at_once(client: socket.socket, server: RawServer) -> None:
        now.append(client)
        most.append(len(now))
        receive_body(client, server.heads[-1])
        both.wait()
        now.remove(client)
        client.sendall(CLOSED)

    with RawServer(answer_two_at_once) as server:
        assert send_all(settings_for(server.url, max_connections=2)) == [200] * 6
    assert max(most) == 2


@both_clients
def test_its_answer_is_bounded_in_time(send: Send, time_of_all: FakeClock) -> None:
    def drip(client: socket.socket, server: RawServer) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        while not server.stopping.is_set():
            client.sendall(b"X: y\r\n")
            time_of_all.advance(20)

    with RawServer(drip) as server:
        with pytest.raises(SMSPartnerAmbiguousSendError, match="did not come within the 300 s of a call"):
            send(settings_for(server.url), WRITE)
        assert len(server.heads) == 1


class TestUnanswered:
    """A call in flight, and one that waits for its connection, end with the client or with their time."""

    @pytest.mark.parametrize("by", ["closing", "time"])
    def test_in_threads(self, by: str, clock: FakeClock) -> None:
        with RawServer(hang) as server, ThreadPoolExecutor(2) as pool:
            client = BlockingClient(settings_for(server.url, timeout=ENDLESS), "c")
            first = pool.submit(client.send, WRITE)
            server.wait_until_asked()
            waits = pool.submit(client.send, WRITE)
            wait_until(lambda: len(client._closing._in_flight) == 2, "the second call")
            if by == "time":
                clock.advance(policy.TOTAL_SECONDS)
                waits.exception()
            client.close()
            assert_unsent(waits.exception(), by)
            assert isinstance(first.exception(), SMSPartnerAmbiguousSendError)
            assert "hook was closed before SMS Partner" in str(first.exception())
        assert len(server.heads) == 1

    @pytest.mark.parametrize("by", ["closing", "time"])
    def test_in_tasks(self, by: str, time_of_all: FakeClock) -> None:
        async def main(server: RawServer) -> None:
            client = await AsyncClient.open(settings_for(server.url, timeout=ENDLESS), "c")
            first = asyncio.create_task(client.send(WRITE))
            await asyncio.to_thread(server.wait_until_asked)
            waits = asyncio.create_task(client.send(WRITE))
            for _ in range(20):
                await asyncio.sleep(0)
            if by == "time":
                time_of_all.advance(policy.TOTAL_SECONDS)
            else:
                await client.close()
            both = await asyncio.gather(first, waits, return_exceptions=True)
            await client.close()
            assert isinstance(both[0], SMSPartnerAmbiguousSendError)
            assert_unsent(both[1], by)

        with RawServer(hang) as server:
            asyncio.run(main(server))
        assert len(server.heads) == 1

    def test_a_task_that_is_cancelled_is_cancelled(self) -> None:
        async def main(server: RawServer) -> None:
            client = await AsyncClient.open(settings_for(server.url, timeout=ENDLESS), "c")
            sent = asyncio.create_task(client.send(WRITE))
            await asyncio.to_thread(server.wait_until_asked)
            sent.cancel()
            await client.close()
            with pytest.raises(asyncio.CancelledError):
                await sent

        with RawServer(hang) as server:
            asyncio.run(main(server))


ENDED = {"closing": "hook was closed before SMS Partner", "time": "was not asked"}


def assert_unsent(error: object, by: str) -> None:
    assert isinstance(error, SMSPartnerUnavailableError)
    assert error.surely_unsent
    assert ENDED[by] in str(error)
