"""The server starts, stops and fails as a context manager should."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest
import requests
from certificates import issue
from testing.client import Client
from waits_for import wait_until

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

REQUEST = b"GET /v1/me?apiKey=test-key HTTP/1.1\r\nHost: double\r\n\r\n"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "smspartner-double"]


def test_a_double_can_be_used_again() -> None:
    double = SMSPartnerDouble()
    for _ in range(2):
        with double:
            assert double.url == f"http://127.0.0.1:{double.port}"
            with pytest.raises(RuntimeError, match="running already"):
                double.__enter__()
        with pytest.raises(RuntimeError, match="not running"):
            _ = double.port


@pytest.mark.parametrize("hangs", [False, True], ids=["kept", "hanging"])
def test_stopping_closes_connections(hangs: bool) -> None:
    with SMSPartnerDouble() as double:
        if hangs:
            double.misbehave(Fault.hang(3600))
        connection = socket.create_connection((double.host, double.port), timeout=60)
        connection.sendall(REQUEST)
        if hangs:
            wait_until(lambda: double.requests, "the request")
        else:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    with connection:
        assert connection.recv(1) == b""
    assert threads() == []


def test_a_port_that_is_taken() -> None:
    with (
        SMSPartnerDouble() as first,
        pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{first.port}"),
    ):
        SMSPartnerDouble(port=first.port).__enter__()
    with pytest.raises(ValueError, match="from 0 to 65535"):
        SMSPartnerDouble(port=70_000).__enter__()
    assert threads() == []


def test_down_for_a_while(client: Client) -> None:
    double = client.double
    assert client.me().status_code == 200
    url, port = double.url, double.port
    with double.down():
        assert double.url == url
        with pytest.raises(requests.ConnectionError, match="refused"):
            client.me()
    assert client.me().status_code == 200
    assert double.port == port
    assert len(threads()) == 1


def test_https(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="makes the certificates")
    certificate = issue(tmp_path)
    authority = str(certificate.authority)
    with SMSPartnerDouble(ssl_context=certificate.server) as double:
        assert double.url.startswith("https://127.0.0.1:")
        assert json.loads(double.connection_json())["host"] == double.url
        assert f":{double.port}/https" in double.connection_uri()
        url = f"{double.url}/v1/me"
        assert requests.get(url, {"apiKey": "test-key"}, verify=authority, timeout=60).json()["success"]
        double.misbehave(Fault.reset_in_body())
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            requests.get(url, verify=authority, timeout=60)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=60)
    assert threads() == []


def test_only_the_loopback_address(client: Client) -> None:
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((str(address), client.double.port))
