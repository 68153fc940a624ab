"""A request that may not be repeated has a connection of its own: opened for it, and closed after its answer."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from certificates import issue
from loopback import PATIENCE, SILENCE, RawServer, head_of, receive_body, response
from writing import Send, asend, both_clients, settings_for, write

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
        self.left: list[int] = []
        """The ports of the clients that closed their connection."""
        self.lingered: list[int] = []
        """The ports of the clients that said so, and had not done it by the next request."""
        super().__init__(self._serve)

    def _serve(self, client: socket.socket, _: RawServer) -> None:
        port, head = client.getpeername()[1], self.heads[-1]
        while head:
            self.asked.append((port, b"\r\nconnection: close\r\n" in head.lower()))
            self._note_who_lingers()
            receive_body(client, head)
            client.sendall(OK)
            head = head_of(client)
        self.left.append(port)

    def _note_who_lingers(self) -> None:
        before = {port for port, closes in self.asked[:-1] if closes}
        end = time.monotonic() + 2
        while not before <= {*self.left} and time.monotonic() < end:
            time.sleep(0.01)
        self.lingered += before - {*self.left}


@both_clients
@pytest.mark.parametrize("method", ["GET", "POST"])
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
    assert server.lingered == []


@both_clients
def test_a_kept_connection_that_is_half_closed_is_not_used(send: Send) -> None:
    def lose_the_next(client: socket.socket, server: RawServer) -> None:
        receive_body(client, server.heads[-1])
        client.sendall(OK)
        if len(server.heads) == 1:
            # It looks alive until something is sent on it.
            server.heads.append(client.recv(65536))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

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


KEPT, CLOSED = OK, response(b"{}")


@pytest.mark.parametrize("answer", [KEPT, CLOSED, b""], ids=["kept", "closed by its answer", "no answer"])
@pytest.mark.parametrize("call", [READ, WRITE], ids=["read", "write"])
def test_a_closed_client_leaves_no_connection_to_a_server_that_says_no_goodbye(
    call: Call[int], answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography", reason="makes the certificates")
    certificate = issue(tmp_path)

    def linger(client: socket.socket, server: RawServer) -> None:
        receive_body(client, server.heads[-1])
        client.sendall(answer)
        server.stopping.wait(10)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
    with RawServer(linger, ssl_context=certificate.server) as server:
        settings = settings_for(server.url, timeout=PATIENCE if answer else SILENCE, max_attempts=1)
        with nullcontext() if answer else pytest.raises(SMSPartnerError):
            asend(settings, call)
        # A socket that is left open is told by the garbage collector, and fails the test.
        gc.collect()


class TestMaxConnections:
    class Counting(RawServer):
        """Notes how many requests it had at once."""

        def __init__(self) -> None:
            self.now = self.most = 0
            lock = threading.Lock()

            def serve(client: socket.socket, _: RawServer) -> None:
                with lock:
                    self.now += 1
                    self.most = max(self.most, self.now)
                receive_body(client, self.heads[-1])
                time.sleep(0.1)
                with lock:
                    self.now -= 1
                client.sendall(response(b"{}"))

            super().__init__(serve)

    def test_counts_them_in_threads(self) -> None:
        with (
            self.Counting() as server,
            closing(BlockingClient(settings_for(server.url, max_connections=2), "c")) as client,
            ThreadPoolExecutor(6) as pool,
        ):
            assert [*pool.map(client.send, [WRITE, READ] * 3)] == [200] * 6
        assert server.most <= 2

    def test_counts_them_in_tasks(self) -> None:
        async def main(url: str) -> list[int]:
            client = await AsyncClient.open(settings_for(url, max_connections=2), "c")
            try:
                return await asyncio.gather(*(client.send(call) for call in [WRITE, READ] * 3))
            finally:
                await client.close()

        with self.Counting() as server:
            assert asyncio.run(main(server.url)) == [200] * 6
        assert server.most <= 2


def drip(client: socket.socket, server: RawServer) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while not server.stopping.wait(0.05):
        client.sendall(b"X: y\r\n")


def flood(client: socket.socket, server: RawServer) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(2**12):
        client.sendall(b" " * 2**16)


@both_clients
@pytest.mark.parametrize(
    ("answer", "said"),
    [(drip, "did not come within the 1 s of a call"), (flood, "larger than 4 MiB")],
    ids=["time", "size"],
)
def test_its_answer_is_bounded(
    send: Send, answer: Callable[[socket.socket, RawServer], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "TOTAL_SECONDS", 1.0)
    with RawServer(answer) as server:
        began = time.monotonic()
        with pytest.raises(SMSPartnerAmbiguousSendError, match=said):
            send(settings_for(server.url), WRITE)
        assert len(server.heads) == 1
    assert time.monotonic() - began < 10


def hang(_: socket.socket, server: RawServer) -> None:
    server.stopping.wait(10)


class TestClosing:
    def test_the_blocking_client_in_flight(self) -> None:
        with RawServer(hang) as server, ThreadPoolExecutor(1) as pool:
            client = BlockingClient(settings_for(server.url, timeout=60), "c")
            sent = pool.submit(client.send, WRITE)
            server.wait_until_asked()
            client.close()
            with pytest.raises(SMSPartnerAmbiguousSendError, match="hook was closed before SMS Partner"):
                sent.result(5)
            assert len(server.heads) == 1

    def test_the_blocking_client_while_another_has_the_connection(self) -> None:
        with RawServer(hang) as server, ThreadPoolExecutor(2) as pool:
            client = BlockingClient(settings_for(server.url, timeout=60), "c")
            first = pool.submit(client.send, READ)
            server.wait_until_asked()
            waits = pool.submit(client.send, WRITE)
            time.sleep(0.2)
            client.close()
            with pytest.raises(SMSPartnerUnavailableError, match="hook was closed before") as caught:
                waits.result(5)
            assert caught.value.surely_unsent
            with pytest.raises(SMSPartnerUnavailableError):
                first.result(5)
            assert len(server.heads) == 1

    def test_the_asynchronous_client_in_flight(self) -> None:
        async def main(server: RawServer) -> None:
            client = await AsyncClient.open(settings_for(server.url, timeout=60), "c")
            sent = asyncio.create_task(client.send(WRITE))
            await asyncio.to_thread(server.wait_until_asked)
            await client.close()
            with pytest.raises(SMSPartnerAmbiguousSendError, match="hook was closed before SMS Partner"):
                await sent

        with RawServer(hang) as server:
            asyncio.run(main(server))
            assert len(server.heads) == 1

    def test_the_asynchronous_client_while_another_has_the_connection(self) -> None:
        async def main(server: RawServer) -> None:
            client = await AsyncClient.open(settings_for(server.url, timeout=60), "c")
            first = asyncio.create_task(client.send(READ))
            await asyncio.to_thread(server.wait_until_asked)
            waits = asyncio.create_task(client.send(WRITE))
            await asyncio.sleep(0.2)
            await client.close()
            with pytest.raises(SMSPartnerUnavailableError, match="hook was closed before") as caught:
                await waits
            assert caught.value.surely_unsent
            with pytest.raises(SMSPartnerUnavailableError):
                await first

        with RawServer(hang) as server:
            asyncio.run(main(server))
            assert len(server.heads) == 1

    def test_a_task_that_is_cancelled_is_cancelled(self) -> None:
        async def main(server: RawServer) -> None:
            client = await AsyncClient.open(settings_for(server.url, timeout=60), "c")
            sent = asyncio.create_task(client.send(WRITE))
            await asyncio.to_thread(server.wait_until_asked)
            sent.cancel()
            await client.close()
            with pytest.raises(asyncio.CancelledError):
                await sent

        with RawServer(hang) as server:
            asyncio.run(main(server))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_opens_its_own() -> None:
    with Keeping() as server, closing(BlockingClient(settings_for(server.url), "c")) as client:
        client.send(READ)
        child = multiprocessing.get_context("fork").Process(target=client.send, args=(WRITE,))
        child.start()
        child.join(20)
        assert child.exitcode == 0
        client.send(READ)
    (before, _), (forked, closes), (after, _) = server.asked
    assert before == after != forked
    assert closes
