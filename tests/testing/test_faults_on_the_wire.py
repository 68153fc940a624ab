"""Faults of the connection and of HTTP itself, as a client meets them."""

from __future__ import annotations

import gzip
import json
import socket
import time
from typing import Any

import pytest
import requests
from testing.client import Client

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


@pytest.fixture(autouse=True)
def _nothing_is_logged_by_the_server(caplog: pytest.LogCaptureFixture) -> Any:
    yield
    assert not [record for record in caplog.records if record.name.startswith(("aio", "asyncio"))]


def raw_request(double: SMSPartnerDouble) -> Any:
    request = f"GET /v1/me?apiKey={double.api_key} HTTP/1.1\r\nHost: {double.host}\r\n\r\n"
    connection = socket.create_connection((double.host, double.port), timeout=5)
    connection.sendall(request.encode())
    return connection


def received(connection: Any) -> Any:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_reset(client: Client) -> None:
    client.double.misbehave(Fault.reset())
    with raw_request(client.double) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    client.double.misbehave(Fault.reset())
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        client.me()
    assert client.me().status_code == 200


def test_reset_before_the_body_is_read(client: Client) -> None:
    client.double.misbehave(Fault.reset_unread())
    head = f"POST /v1/send HTTP/1.1\r\nHost: {client.double.host}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((client.double.host, client.double.port), timeout=5) as connection:
        connection.sendall(head.encode())
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    (request,) = client.double.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/send", None)
    client.double.misbehave(Fault.reset_unread())
    with pytest.raises(requests.ConnectionError):
        client.send_to("+33639980001")
    assert client.double.sent == []
    assert client.double.requests[-1].body is None
    assert client.send_to("+33639980001").json()["success"] is True


def test_a_get_has_no_body_to_leave_unread(client: Client) -> None:
    client.double.misbehave(Fault.reset_unread())
    with pytest.raises(requests.ConnectionError):
        client.me()
    assert client.me().status_code == 200


def test_hang(client: Client) -> None:
    client.double.misbehave(Fault.hang(0.3))
    started = time.monotonic()
    with raw_request(client.double) as connection:
        assert received(connection) == b""
    assert 0.25 < time.monotonic() - started < 3


def test_a_client_that_gives_up_frees_the_double(client: Client) -> None:
    client.double.misbehave(Fault.hang(30))
    raw_request(client.double).close()
    time.sleep(0.2)
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


def begun(connection: Any) -> tuple[bytes, bytes]:
    """Return the head and the beginning of the body, which come together."""
    head, _, content = connection.recv(65536).partition(b"\r\n\r\n")
    return head, content


def test_reset_in_body(client: Client) -> None:
    client.double.misbehave(Fault.reset_in_body())
    with raw_request(client.double) as connection:
        head, content = begun(connection)
        assert b"Content-Length: 4096" in head
        assert content.startswith(b'{"success":true')
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert client.me().status_code == 200


def test_hang_in_body(client: Client) -> None:
    client.double.misbehave(Fault.hang_in_body(0.3))
    # Taken before the double begins, which may be long before it is seen here.
    started = time.monotonic()
    with raw_request(client.double) as connection:
        assert begun(connection)[1].startswith(b'{"success":true')
        assert connection.recv(1) == b""
    assert 0.25 < time.monotonic() - started < 3


def test_drip(client: Client) -> None:
    client.double.misbehave(Fault.drip(0.02))
    with raw_request(client.double) as connection:
        begun(connection)
        # Where this thread is late, several are there.
        assert [connection.recv(1) for _ in range(5)] == [b" "] * 5
    assert client.me().status_code == 200


@pytest.mark.parametrize(
    ("fault", "part"), [(Fault.endless_headers(), b"\r\nX-More: "), (Fault.endless_body(), b"\r\n10000\r\n ")]
)
def test_endless(client: Client, fault: Fault, part: bytes) -> None:
    client.double.misbehave(fault)
    with raw_request(client.double) as connection:
        got = b""
        while len(got) < 4 * 2**20:
            got += connection.recv(2**20)
    assert got.count(part) > 60
    # Whoever has left is no longer written to.
    deadline = time.monotonic() + 5
    while client.double._in_flight and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.double._in_flight == 0


def test_a_client_that_does_not_read_takes_no_memory_of_the_double(client: Client) -> None:
    client.double.misbehave(Fault.endless_body())
    with raw_request(client.double) as connection:
        connection.recv(1)
        time.sleep(0.3)
        connection.setblocking(False)
        waiting = 0
        try:
            while got := connection.recv(2**20):
                waiting += len(got)
                assert waiting < 2**26
                if not waiting:
                    break
        except BlockingIOError:
            pass
    assert client.me().status_code == 200


def test_gzip_bomb(client: Client) -> None:
    client.double.misbehave(Fault.gzip_bomb(4))
    with raw_request(client.double) as connection:
        head, content = begun(connection)
    assert b"Content-Encoding: gzip" in head
    assert len(content) < 2**16
    assert gzip.decompress(content) == b" " * 4 * 2**20


def test_nested(client: Client) -> None:
    client.double.misbehave(Fault.nested(3))
    assert client.me().json()["StatutResponse_List"] == [[[]]]
    client.double.misbehave(Fault.nested())
    assert client.me().text.count("[") == 100_000


@pytest.mark.parametrize(
    ("status", "line"), [(102, b"102 Processing"), (103, b"103 Early Hints"), (199, b"199 Error")]
)
def test_interim(client: Client, status: int, line: bytes) -> None:
    client.double.misbehave(Fault.interim(3, status=status))
    with raw_request(client.double) as connection:
        got = b""
        while b"200 OK" not in got:
            got += connection.recv(65536)
    assert got.startswith(b"HTTP/1.1 " + line + b"\r\n\r\nHTTP/1.1 " + line)
    assert got.count(line) == 3


def test_trailing(client: Client) -> None:
    client.double.misbehave(Fault.trailing(b"and more"))
    with raw_request(client.double) as connection:
        got = b""
        while not got.endswith(b"and more"):
            got += connection.recv(65536)
        head, _, content = got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert json.loads(content[:length])["success"] is True
        assert content[length:] == b"and more"


def test_a_second_answer_that_nobody_asked_for(client: Client) -> None:
    client.double.misbehave(Fault.trailing())
    with raw_request(client.double) as connection:
        got = b""
        while got.count(b"HTTP/1.1 200 OK") < 2:
            got += connection.recv(65536)
    assert got.endswith(b"\r\n\r\n{}")


def test_raw(client: Client) -> None:
    client.double.misbehave(Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n"))
    with raw_request(client.double) as connection:
        assert received(connection) == b"SSH-2.0-OpenSSH_9.6\r\n"


def test_charset(client: Client) -> None:
    pairs = [{"phone_number": "+33639989999", "message_id": 1}]
    client.double.misbehave(Fault.charset("latin-1"))
    body = json.dumps(
        {
            "apiKey": client.double.api_key,
            "SMSStatut_List": [{"phoneNumber": each["phone_number"], "messageId": 1} for each in pairs],
        }
    )
    content = client.post(body).content
    with pytest.raises(UnicodeDecodeError):
        content.decode()
    assert json.loads(content.decode("latin-1"))["StatutResponse_List"][0]["status"] == "Numéro introuvable"
    client.double.misbehave(Fault.charset("utf-16"))
    assert client.me().content.startswith(b"\xff\xfe")
