"""What arrives on a kept connection without having been asked for is nobody's answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest
from loopback import RawServer, head_of, one_row
from waits_for import LIMIT

from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

Answer = Callable[[socket.socket, bytes, threading.Semaphore], None]


def kept(number: int) -> bytes:
    body = one_row(number)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


UNASKED = kept(9999)


def in_the_same_segment(client: socket.socket, answer: bytes, _: threading.Semaphore) -> None:
    client.sendall(answer + UNASKED)


def a_moment_later(client: socket.socket, answer: bytes, is_read: threading.Semaphore) -> None:
    client.sendall(answer)
    is_read.acquire(timeout=LIMIT)
    client.sendall(UNASKED)


def cut_in_the_same_segment(client: socket.socket, answer: bytes, is_read: threading.Semaphore) -> None:
    client.sendall(answer + b"HTTP/1.1 200 OK\r\nX: ")
    is_read.acquire(timeout=LIMIT)
    client.sendall(b"\r\n" + UNASKED)


TROUBLE = [in_the_same_segment, a_moment_later, cut_in_the_same_segment]


class Server(RawServer):
    """Answers each tag with a number of its own, keeps connections alive, and adds what was not asked for."""

    def __init__(self, answer: Answer) -> None:
        self.requests = 0
        self.is_read, self.said_all = threading.Semaphore(0), threading.Semaphore(0)

        def serve(client: socket.socket, _: RawServer) -> None:
            head = self.heads[-1]
            while head:
                self.requests += 1
                answer(client, kept(int(head.partition(b"tag=")[2][:4])), self.is_read)
                self.said_all.release()
                head = head_of(client)

        super().__init__(serve)

    def wait_until_all_is_said(self) -> None:
        """Let the server say what it says once its answer was read."""
        self.is_read.release()
        assert self.said_all.acquire(timeout=LIMIT)


TAGS = ("0000", "0001", "0002")


def in_a_thread(server: Server) -> list[str]:
    numbers = []
    with SMSPartnerHook() as hook:
        for tag in TAGS:
            numbers += [row["phone_number"] for row in hook.get_status_by_tag(tag)]
            server.wait_until_all_is_said()
    return numbers


async def on_a_loop(server: Server, turns: int) -> list[str]:
    numbers = []
    async with SMSPartnerHook() as hook:
        for tag in TAGS:
            numbers += [row["phone_number"] for row in await hook.aget_status_by_tag(tag)]
            server.wait_until_all_is_said()
            for _ in range(turns):
                await asyncio.sleep(0)
    return numbers


WAYS: dict[str, Callable[[Server], list[str]]] = {
    "in a thread": in_a_thread,
    # It finds what has come only once the next call has taken the connection.
    "on a busy loop": lambda server: asyncio.run(on_a_loop(server, turns=0)),
    "on an idle loop": lambda server: asyncio.run(on_a_loop(server, turns=5)),
}


@pytest.mark.parametrize("trouble", [None, *TROUBLE], ids=lambda each: each.__name__ if each else "none")
@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
def test_no_answer_is_that_of_the_call_before(
    trouble: Answer | None, ask: Callable[[Server], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(trouble or (lambda client, answer, _: client.sendall(answer))) as server:
        connection = server.connection("test-key", max_connections=1, max_attempts=3)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)

        assert ask(server) == ["+33639980000", "+33639980001", "+33639980002"]
        # A connection in order is used again.
        assert (server.requests, len(server.heads)) == (3, 3 if trouble else 1)
