"""A request that may not be repeated is sent once, unless it surely was not sent. The endpoint is made up."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import aiohttp
import pytest
import requests
from loopback import RawServer, response, said

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._http.asynchronous import AsyncClient
from airflow_provider_smspartner._http.blocking import BlockingClient
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.protocol import Answer, Call, Request
from airflow_provider_smspartner.protocol.answers import unavailable

Send = Callable[..., Any]


def send(settings: Settings, *calls: Call[Any]) -> Any:
    """Send calls one after the other, and return what the last one gives."""
    with closing(BlockingClient(settings, "smspartner_default")) as client:
        return [client.send(call) for call in calls][-1]


def asend(settings: Settings, *calls: Call[Any]) -> Any:
    async def main() -> Any:
        client = await AsyncClient.open(settings, "smspartner_default")
        try:
            return [await client.send(call) for call in calls][-1]
        finally:
            await client.close()

    return asyncio.run(main())


both_clients = pytest.mark.parametrize("send", [send, asend], ids=["sync", "async"])


def settings_for(url: str) -> Settings:
    return Settings(
        base_url=url,
        api_key="test-key",
        timeout=0.3,
        max_attempts=3,
        requests_per_minute=0,
        max_connections=1,
    )


def write(*, may_repeat: bool) -> Call[int]:
    def read(answer: Answer) -> int:
        if answer.http_status != 200:
            raise unavailable(answer, "an error")
        return answer.http_status

    return Call(Request("POST", "/made-up", body={"text": "hello"}, may_repeat=may_repeat), read)


def close(client: socket.socket, server: RawServer) -> None:
    """Close the connection without an answer, as a gateway does that has crashed over the request."""
    # With something unread, closing is a reset.
    receive_body(client, server.heads[-1])


def reset(client: socket.socket, _: RawServer) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()


def hang(_: socket.socket, server: RawServer) -> None:
    server.stopping.wait(5)


def break_off(client: socket.socket, _: RawServer) -> None:
    client.sendall(response(b"x" * 100)[:60])


LOST = {
    "closed": close,
    "reset": reset,
    "no answer in time": hang,
    "broken off": break_off,
    "HTTP 503": said(response(b"{}", status="503 Service Unavailable", head=b"Retry-After: 0\r\n")),
    "HTTP 429": said(response(b"{}", status="429 Too Many Requests")),
    "redirect": said(response(b"", status="307 Temporary Redirect", head=b"Location: /elsewhere\r\n")),
}
lost = pytest.mark.parametrize("answer", LOST.values(), ids=LOST)


@both_clients
@lost
def test_a_request_whose_fate_is_unknown_is_not_repeated(send: Send, answer: Any) -> None:
    with RawServer(answer) as server:
        with pytest.raises(SMSPartnerUnavailableError, match=r"acted on it, is unknown\.$") as caught:
            send(settings_for(server.url), write(may_repeat=False))
        assert len(server.heads) == 1
    assert not caught.value.surely_unsent


@both_clients
@lost
def test_others_are(send: Send, answer: Any) -> None:
    with RawServer(answer) as server:
        with pytest.raises(SMSPartnerUnavailableError, match=r"Gave up after 3 tries") as caught:
            send(settings_for(server.url), write(may_repeat=True))
        assert len(server.heads) == 3
    assert "unknown" not in str(caught.value)


@both_clients
@pytest.mark.parametrize("earlier", ["requests", "aiohttp"])
def test_an_error_that_the_caller_is_handling_says_nothing_of_the_request(send: Send, earlier: str) -> None:
    # As an on_failure_callback does, or a fallback after another vendor could not be reached.
    with RawServer(close) as server:
        try:
            refuse_a_connection(earlier)
        except (requests.ConnectionError, aiohttp.ClientConnectorError):
            with pytest.raises(SMSPartnerUnavailableError, match=r"closed the connection.* is unknown\.$"):
                send(settings_for(server.url), write(may_repeat=False))
        assert len(server.heads) == 1


def refuse_a_connection(library: str) -> None:
    """Raise what a library raises about a server that is not there."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session, session.get("http://127.0.0.1:1"):
            pass

    if library == "requests":
        requests.get("http://127.0.0.1:1", timeout=5)
    else:
        # In a thread of its own: the loop of this one may be running.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, ask()).result()


@both_clients
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_is_kept_alive_and_then_lost(send: Send, method: str) -> None:
    def answer_once(client: socket.socket, server: RawServer) -> None:
        receive_body(client, server.heads[-1])
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        server.heads.append(client.recv(65536))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    read = write(may_repeat=False).read
    call = Call(Request(method, "/made-up", body={} if method == "POST" else None, may_repeat=False), read)
    with RawServer(answer_once) as server:
        with pytest.raises(SMSPartnerUnavailableError, match=r"acted on it, is unknown\.$"):
            send(settings_for(server.url), call, call)
        assert len(server.heads) == 2


def receive_body(client: socket.socket, head: bytes) -> None:
    """Receive what is left of a request whose head was received, perhaps with a part of the body."""
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = (int(length[1]) if length else 0) - len(head.partition(b"\r\n\r\n")[2])
    while left > 0:
        left -= len(client.recv(left))


@contextmanager
def opened_late() -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of a port on which nothing listens yet, and what is sent once something does."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    heads: list[bytes] = []

    def serve() -> None:
        with socket.create_server(("127.0.0.1", port)) as late:
            late.settimeout(10)
            client, _ = late.accept()
            with client:
                heads.append(client.recv(65536))
                client.sendall(response(b"{}"))

    opening = threading.Timer(0.05, serve)
    opening.start()
    try:
        yield f"http://127.0.0.1:{port}", heads
    finally:
        opening.join()


@both_clients
def test_a_request_that_surely_was_not_sent_is_tried_again(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_smspartner._http.policy.pause_before_retry", lambda _: 0.2)

    with opened_late() as (url, heads):
        assert send(settings_for(url), write(may_repeat=False)) == 200
    assert [head.partition(b" ")[0] for head in heads] == [b"POST"]


@both_clients
def test_a_request_that_never_could_be_sent_is_no_riddle(send: Send) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(SMSPartnerUnavailableError, match=r"refused.* Gave up after 3 tries") as caught:
        send(settings_for(f"http://127.0.0.1:{port}"), write(may_repeat=False))
    assert caught.value.surely_unsent
    assert "unknown" not in str(caught.value)


def test_whether_a_request_may_be_repeated_is_not_left_open() -> None:
    with pytest.raises(TypeError, match="may_repeat"):
        Request("POST", "/made-up")  # type: ignore[call-arg]  # what a careless author would write
