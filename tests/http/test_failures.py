"""What an error says of a request without an answer: which host and port, what happened, and nothing of the request."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from certificates import issue
from loopback import Ask, both_ways, never_accepting, response, timeout_for, without_resolver

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from local_airflow import held_port

KEY = "a-key-nobody-may-see"
TAG = "tag-in-the-query"
QUICK: dict[str, object] = {"max_attempts": 1, "requests_per_minute": 0, "timeout": 2}


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAULTS = {
    "closed before": (Fault.hang(0), "was reached, but closed the connection without an answer"),
    "closed within": (Fault.truncated(), "was reached, but its answer broke off"),
    "reset before": (Fault.reset(), "was reached, but the connection was reset before the whole"),
    "reset within": (
        Fault.reset_in_body(),
        "was reached, but (the connection was reset|its answer broke off)",
    ),
    "hangs before": (Fault.hang(60), r"was reached, but sent nothing for 1 s"),
    "hangs within": (Fault.hang_in_body(60), r"was reached, but sent nothing for 1 s"),
    "not HTTP": (Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "was reached, but its answer was not valid HTTP"),
    "no status": (Fault.raw(b"HTTP/1.1 what\r\n\r\n"), "was reached, but its answer was not valid HTTP"),
    "bad chunk size": (Fault.raw(CHUNKED + b"-1\r\nabc\r\n"), "was reached, but its answer"),
    "huge chunk size": (Fault.raw(CHUNKED + b"F" * 18 + b"\r\nabc\r\n"), "was reached, but its answer"),
}


@pytest.fixture
def double() -> Iterator[SMSPartnerDouble]:
    with SMSPartnerDouble(api_key=KEY) as started:
        yield started


def failed(
    ask: Ask, connection: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> str:
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
    with pytest.raises(SMSPartnerUnavailableError) as caught:
        ask(SMSPartnerHook(), "status_by_tag", TAG)
    error = caught.value
    for text in (str(error), repr(error), caplog.text):
        assert KEY not in text
        assert "apiKey" not in text
        assert TAG not in text
    assert error.__cause__ is None
    return str(error)


@both_ways
@pytest.mark.parametrize(("fault", "said_of_it"), FAULTS.values(), ids=FAULTS)
def test_a_server_in_trouble(  # noqa: PLR0917
    ask: Ask,
    double: SMSPartnerDouble,
    fault: Fault,
    said_of_it: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    double.misbehave(fault)

    text = failed(
        ask, double.connection_json(**{**QUICK, "timeout": timeout_for(fault)}), monkeypatch, caplog
    )

    assert re.match(rf"SMS Partner at 127\.0\.0\.1:{double.port} {said_of_it}", text), text


@pytest.fixture
def closed_port() -> Iterator[int]:
    with held_port() as bound:
        yield bound.getsockname()[1]


def connection_to(url: str, **extra: object) -> str:
    return json.dumps({"conn_type": "smspartner", "host": url, "password": KEY, "extra": {**QUICK, **extra}})


@both_ways
class TestNotReached:
    def test_a_closed_port(
        self, ask: Ask, closed_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = failed(ask, connection_to(f"http://127.0.0.1:{closed_port}"), monkeypatch, caplog)

        target = f"SMS Partner at 127.0.0.1:{closed_port}"
        assert text.startswith(f"{target} could not be reached: the connection was refused. Check the port,")

    def test_a_name_that_is_not_found(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        without_resolver(monkeypatch)

        text = failed(ask, connection_to("https://api.sms.invalid/v1"), monkeypatch, caplog)

        assert text.startswith(
            "SMS Partner at api.sms.invalid:443 could not be reached: its name was not found. Check the host"
        )

    def test_a_server_that_takes_no_connection(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        with never_accepting() as port:
            url = f"http://127.0.0.1:{port}"
            text = failed(ask, connection_to(url, timeout=0.3), monkeypatch, caplog)

        assert "could not be reached: connecting took longer than 0.3 s. Check that no firewall" in text

    def test_the_time_for_all_tries_is_used_up(
        self,
        ask: Ask,
        double: SMSPartnerDouble,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        double.misbehave(Fault.drip())
        # The request is to be sent in that time.
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 2.0)

        text = failed(ask, double.connection_json(**{**QUICK, "timeout": 60}), monkeypatch, caplog)

        assert "was asked, but the whole of the answer did not come within the 2 s of a call." in text


@both_ways
class TestTls:
    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("cryptography", reason="makes the certificates")

    @pytest.mark.parametrize(
        ("host", "days", "is_trusted", "said_of_it"),
        [
            ("127.0.0.1", 1, False, "its TLS certificate is from an unknown authority. If a proxy"),
            ("127.0.0.1", -1, True, "its TLS certificate has expired, or is not valid yet. Check the clock"),
            ("192.0.2.1", 1, True, "its TLS certificate is for another host. Check the host"),
            ("other.example", 1, True, "its TLS certificate is for another host. Check the host"),
        ],
    )
    def test_a_certificate_that_does_not_do(  # noqa: PLR0917
        self,
        ask: Ask,
        host: str,
        days: int,
        is_trusted: bool,
        said_of_it: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        certificate = issue(tmp_path, host=host, ends=timedelta(days=days))
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        if is_trusted:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))

        with SMSPartnerDouble(api_key=KEY, ssl_context=certificate.server) as double:
            text = failed(ask, double.connection_json(**QUICK), monkeypatch, caplog)
            assert double.requests == []
            assert f"127.0.0.1:{double.port} was not trusted: {said_of_it}" in text

    def test_a_server_that_does_not_speak_tls(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as plain:

            def answer() -> None:
                client, _ = plain.accept()
                with client:
                    client.recv(100)
                    client.sendall(response(b"plain"))

            thread = threading.Thread(target=answer)
            thread.start()
            text = failed(
                ask, connection_to(f"https://127.0.0.1:{plain.getsockname()[1]}"), monkeypatch, caplog
            )
            thread.join(5)

        assert "was reached, but TLS could not be agreed on." in text
