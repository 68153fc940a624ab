"""Faults of the connection and of HTTP itself, as a client meets them."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator

import pytest
import requests
from testing.client import Client
from waits_for import wait_until

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble, wire


@pytest.fixture(autouse=True)
def _nothing_is_logged_by_the_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [record for record in caplog.records if record.name.startswith(("aio", "asyncio"))]


def raw_request(double: SMSPartnerDouble) -> socket.socket:
    request = f"GET /v1/me?apiKey={double.api_key} HTTP/1.1\r\nHost: {double.host}\r\n\r\n"
    connection = socket.create_connection((double.host, double.port), timeout=60)
    connection.sendall(request.encode())
    return connection


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def received_until(connection: socket.socket, end: bytes, *, times: int = 1) -> bytes:
    got = b""
    while got.count(end) < times:
        got += connection.recv(65536)
    return got


def begun(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head and the beginning of the body, which come together."""
    head, _, content = connection.recv(65536).partition(b"\r\n\r\n")
    return head, content


def test_reset(client: Client) -> None:
    client.double.misbehave(Fault.reset())
    with raw_request(client.double) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert client.me().status_code == 200


def test_reset_before_the_body_is_read(client: Client) -> None:
    client.double.misbehave(Fault.reset_unread())
    head = f"POST /v1/send HTTP/1.1\r\nHost: {client.double.host}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((client.double.host, client.double.port), timeout=60) as connection:
        connection.sendall(head.encode())
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    (request,) = client.double.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/send", None)
    # A request without a body is reset as well.
    client.double.misbehave(Fault.reset_unread(), times=2)
    with pytest.raises(requests.ConnectionError):
        client.me()
    with pytest.raises(requests.ConnectionError):
        client.send_to("+33639980001")
    assert client.double.sent == []
    assert client.double.requests[-1].body is None
    assert client.send_to("+33639980001").json()["success"] is True


def test_hang(client: Client, pauses: list[float]) -> None:
    client.double.misbehave(Fault.hang(30))
    with raw_request(client.double) as connection:
        assert received(connection) == b""
    client.double.misbehave(Fault.hang_in_body(20))
    with raw_request(client.double) as connection:
        assert received(connection).partition(b"\r\n\r\n")[2] == wire.BODY
    assert pauses == [30, 20]


def test_a_client_that_gives_up_frees_the_double(client: Client) -> None:
    client.double.misbehave(Fault.hang(3600))
    with raw_request(client.double):
        wait_until(lambda: client.double.requests, "the request")
    wait_until(lambda: not client.double._in_flight, "the double to see it leave")
    client.me()
    assert client.double.max_in_flight == 1


def test_truncated(client: Client) -> None:
    client.double.misbehave(Fault.truncated(), times=2)
    with raw_request(client.double) as connection:
        head, _, content = received(connection).partition(b"\r\n\r\n")
    assert b"Content-Length: 4096" in head
    assert 0 < len(content) < 4096
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.me()


def test_reset_in_body(client: Client) -> None:
    client.double.misbehave(Fault.reset_in_body())
    with raw_request(client.double) as connection:
        head, content = begun(connection)
        assert b"Content-Length: 4096" in head
        assert content.startswith(b'{"success":true')
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert client.me().status_code == 200


def test_drip(client: Client, pauses: list[float]) -> None:
    client.double.misbehave(Fault.drip(5))
    with raw_request(client.double) as connection:
        received_until(connection, wire.BODY)
        assert [connection.recv(1) for _ in range(5)] == [b" "] * 5
    assert pauses[:5] == [5] * 5
    assert client.me().status_code == 200


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


def test_gzip_bomb(client: Client) -> None:
    client.double.misbehave(Fault.gzip_bomb(4))
    with raw_request(client.double) as connection:
        head, content = begun(connection)
    assert b"Content-Encoding: gzip" in head
    assert len(content) < 2**16
    assert gzip.decompress(content) == b" " * 4 * 2**20


def test_interim(client: Client) -> None:
    line = b"199 Error"
    client.double.misbehave(Fault.interim(3, status=199))
    with raw_request(client.double) as connection:
        got = received_until(connection, b"200 OK")
    assert got.startswith(b"HTTP/1.1 " + line + b"\r\n\r\nHTTP/1.1 " + line)
    assert got.count(line) == 3


def test_trailing(client: Client) -> None:
    client.double.misbehave(Fault.trailing(b"and more"))
    with raw_request(client.double) as connection:
        head, _, content = received_until(connection, b"and more").partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    assert json.loads(content[:length])["success"] is True
    assert content[length:] == b"and more"
    # By default a second answer, which nobody has asked for.
    client.double.misbehave(Fault.trailing())
    with raw_request(client.double) as connection:
        assert received_until(connection, b"\r\n\r\n{}").count(b"HTTP/1.1 200 OK") == 2
