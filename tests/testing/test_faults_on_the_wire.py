"""Faults of the connection and of HTTP itself, as a client meets them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests
from testing.client import Client
from waits_for import wait_until

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


@pytest.fixture(autouse=True)
def _nothing_is_logged_by_the_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [record for record in caplog.records if record.name.startswith(("aio", "asyncio"))]


def raw_request(double: SMSPartnerDouble) -> socket.socket:
    request = f"GET /v1/me?apiKey={double.api_key} HTTP/1.1\r\nHost: {double.host}\r\n\r\n"
    connection = socket.create_connection((double.host, double.port), timeout=60)
    connection.sendall(request.encode())
    return connection


def test_reset_before_the_body_is_read(client: Client) -> None:
    client.double.misbehave(Fault.reset_unread())
    head = f"POST /v1/bulk-send HTTP/1.1\r\nHost: {client.double.host}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((client.double.host, client.double.port), timeout=60) as connection:
        connection.sendall(head.encode())
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    (request,) = client.double.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/bulk-send", None)
    # A request without a body is reset as well.
    client.double.misbehave(Fault.reset_unread(), times=2)
    with pytest.raises(requests.ConnectionError):
        client.me()
    with pytest.raises(requests.ConnectionError):
        client.send_to("+33639980001")
    assert client.double.sent == []
    assert client.double.requests[-1].body is None
    assert client.send_to("+33639980001").json()["success"] is True


def test_a_client_that_gives_up_frees_the_double(client: Client) -> None:
    client.double.misbehave(Fault.hang(3600))
    with raw_request(client.double):
        wait_until(lambda: client.double.requests, "the request")
    wait_until(lambda: not client.double._in_flight, "the double to see it leave")
    client.me()
    assert client.double.max_in_flight == 1


@pytest.mark.parametrize(
    ("fault", "part"),
    [(Fault.endless_headers(), b"\r\nX-More: "), (Fault.endless_body(), b"\r\n10000\r\n ")],
    ids=["headers", "body"],
)
def test_endless(client: Client, fault: Fault, part: bytes) -> None:
    client.double.misbehave(fault)
    with raw_request(client.double) as connection:
        got = b""
        while len(got) < 4 * 2**20:
            got += connection.recv(2**20)
    assert got.count(part) > 60
    # Whoever has left is no longer written to.
    wait_until(lambda: not client.double._in_flight, "the double to see it leave")
