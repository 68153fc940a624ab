"""A request that may not be repeated is sent once, unless the vendor surely has not acted on it."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import aiohttp
import pytest
import requests
from clocks import FakeClock
from combinations import in_turn, pairs
from loopback import SILENCE, RawServer, hang, receive_body, response, said
from requests.adapters import HTTPAdapter
from waits_for import LIMIT, wait_until
from writing import CLIENTS, Send, both_clients, settings_for, write

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._http.blocking import BlockingClient
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerError,
    SMSPartnerUnavailableError,
)
from local_airflow import held_port


def close(client: socket.socket, server: RawServer) -> None:
    """Close the connection without an answer, as a gateway does that has crashed over the request."""
    # With something unread, closing is a reset.
    receive_body(client, server.heads[-1])


LOST = {
    "closed": close,
    "no answer in time": hang,
    "HTTP 503": said(response(b"{}", status="503 Service Unavailable", head=b"Retry-After: 0\r\n")),
    "redirect": said(response(b"", status="307 Temporary Redirect", head=b"Location: /elsewhere\r\n")),
}


@pairs(answer=LOST, send=CLIENTS, may_repeat={"once": False, "again": True})
def test_a_request_whose_fate_is_unknown_is_only_repeated_if_it_may_be(
    send: Send, answer: Any, may_repeat: bool
) -> None:
    with RawServer(answer) as server:
        settings = settings_for(server.url, timeout=SILENCE if answer is hang else LIMIT)
        with pytest.raises(SMSPartnerError) as caught:
            send(settings, write(may_repeat=may_repeat))
        wait_until(lambda: len(server.heads) == (3 if may_repeat else 1), "all requests")
    assert type(caught.value) is (SMSPartnerUnavailableError if may_repeat else SMSPartnerAmbiguousSendError)
    assert ("Gave up after 3 tries" if may_repeat else "sent its SMS, is unknown.") in str(caught.value)


@both_clients
def test_http_429_is_a_refusal_that_passes(send: Send, clock: FakeClock) -> None:
    too_many = response(b"{}", status="429 Too Many Requests", head=b"Retry-After: 1\r\n")

    def refuse_the_first(client: socket.socket, server: RawServer) -> None:
        receive_body(client, server.heads[-1])
        client.sendall(too_many if len(server.heads) == 1 else response(b"{}"))

    with RawServer(refuse_the_first) as server:
        assert send(settings_for(server.url), write(may_repeat=False)) == 200
        assert len(server.heads) == 2
    assert clock.passed == pytest.approx(1)  # as Retry-After says


@in_turn(send=CLIENTS, earlier=["requests", "aiohttp"])
def test_an_error_that_the_caller_is_handling_says_nothing_of_the_request(send: Send, earlier: str) -> None:
    # As an on_failure_callback does, or a fallback after another vendor could not be reached.
    with RawServer(close) as server:
        try:
            refuse_a_connection(earlier)
        except (requests.ConnectionError, aiohttp.ClientConnectorError):
            with pytest.raises(SMSPartnerAmbiguousSendError, match=r"closed the connection.* is unknown\.$"):
                send(settings_for(server.url), write(may_repeat=False))
        assert len(server.heads) == 1


def test_what_an_adapter_of_a_user_has_sent_is_not_known() -> None:
    # As those of libraries that sign, record or trace requests.
    with (
        RawServer(close) as server,
        closing(BlockingClient(settings_for(server.url), "smspartner_default")) as client,
    ):
        client.session.mount("http://", HTTPAdapter())
        with pytest.raises(SMSPartnerAmbiguousSendError, match=r"is unknown\.$"):
            client.send(write(may_repeat=False))
        assert len(server.heads) == 1


def refuse_a_connection(library: str) -> None:
    """Raise what a library raises about a server that is not there."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session, session.get("http://127.0.0.1:1"):
            pass

    if library == "requests":
        requests.get("http://127.0.0.1:1", timeout=LIMIT)
    else:
        asyncio.run(ask())


def address_of(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@both_clients
def test_a_request_that_surely_was_not_sent_is_tried_again(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []

    with held_port() as bound, ThreadPoolExecutor(1) as pool:
        bound.settimeout(LIMIT)

        def serve() -> None:
            client, _ = bound.accept()
            with client:
                heads.append(client.recv(65536))
                client.sendall(response(b"{}"))

        def listen_before_the_next_try(_: object) -> float:
            bound.listen()
            pool.submit(serve)
            return 0

        monkeypatch.setattr(policy, "pause_before_retry", listen_before_the_next_try)
        assert send(settings_for(address_of(bound)), write(may_repeat=False)) == 200
    assert [head.partition(b" ")[0] for head in heads] == [b"POST"]


@both_clients
def test_a_request_that_never_could_be_sent_is_no_riddle(send: Send) -> None:
    with (
        held_port() as bound,
        pytest.raises(SMSPartnerUnavailableError, match=r"refused.* 3 tries") as caught,
    ):
        send(settings_for(address_of(bound)), write(may_repeat=False))
    assert caught.value.surely_unsent
    assert "unknown" not in str(caught.value)
