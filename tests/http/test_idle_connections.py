"""What arrives on a kept connection without having been asked for is nobody's answer."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable

import pytest
from loopback import RawServer

from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

UNASKED = "+33639989999"


def kept(number: str) -> bytes:
    row = {"phoneNumber": number, "status": "Delivered", "date": "1517989111", "stopSMS": False}
    page = {"success": True, "code": 200, "currentPage": 1, "total": 1, "StatutResponse_List": [row]}
    body = json.dumps(page).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def in_the_same_segment(client: socket.socket, answer: bytes) -> None:
    client.sendall(answer + kept(UNASKED))


def a_moment_later(client: socket.socket, answer: bytes) -> None:
    client.sendall(answer)
    time.sleep(0.1)
    client.sendall(kept(UNASKED))


def in_part_a_moment_later(client: socket.socket, answer: bytes) -> None:
    client.sendall(answer)
    time.sleep(0.1)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")


def cut_in_the_same_segment(client: socket.socket, answer: bytes) -> None:
    client.sendall(answer + b"HTTP/1.1 200 OK\r\nX: ")
    time.sleep(0.1)
    client.sendall(b"\r\n" + kept(UNASKED))


TROUBLE = [in_the_same_segment, a_moment_later, in_part_a_moment_later, cut_in_the_same_segment]


class Server(RawServer):
    """Answers each tag with a number of its own, keeps connections alive, and adds what was not asked for."""

    def __init__(self, answer: Callable[[socket.socket, bytes], None]) -> None:
        self.requests = 0
        self.said_all = threading.Semaphore(0)

        def serve(client: socket.socket, _: RawServer) -> None:
            head = self.heads[-1]
            while head:
                self.requests += 1
                number = head.partition(b"tag=")[2][:4].decode()
                answer(client, kept(f"+3363998{number}"))
                self.said_all.release()
                head = client.recv(4096)

        super().__init__(serve)


def asked(server: Server, pause: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    connection = server.connection("test-key", max_connections=1, max_attempts=3)
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)

    async def ask() -> list[str]:
        numbers = []
        async with SMSPartnerHook() as hook:
            for tag in ("0000", "0001", "0002"):
                (row,) = await hook.aget_status_by_tag(tag)
                numbers.append(row["phone_number"])
                if asyncio.iscoroutine(paused := pause()):
                    await paused
        return numbers

    return asyncio.run(ask())


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda trouble: trouble.__name__)
@pytest.mark.parametrize("is_busy", [False, True])
def test_no_answer_is_that_of_the_call_before(
    trouble: Callable[[socket.socket, bytes], None], is_busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def let_the_loop_find_it(server: Server) -> None:
        assert await asyncio.to_thread(server.said_all.acquire, timeout=10)
        for _ in range(5):
            await asyncio.sleep(0)

    # A loop that is busy finds what has come only once the next call has taken the connection.
    def pause() -> object:
        if not is_busy:
            return let_the_loop_find_it(server)
        assert server.said_all.acquire(timeout=10)
        return None

    with Server(trouble) as server:
        numbers = asked(server, pause, monkeypatch)

        assert numbers == ["+33639980000", "+33639980001", "+33639980002"]
        assert (server.requests, len(server.heads)) == (3, 3)


def test_a_connection_in_order_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda client, answer: client.sendall(answer)) as server:
        assert len(asked(server, lambda: asyncio.sleep(0.05), monkeypatch)) == 3

        assert (server.requests, len(server.heads)) == (3, 1)
