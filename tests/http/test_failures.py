"""What an error says of a request without an answer: which host and port, what happened, and nothing of the request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from certificates import issue
from combinations import pairs
from loopback import (
    BOTH,
    Ask,
    accepting,
    both_ways,
    never_accepting,
    speak_plainly,
    timeout_for,
    without_resolver,
)
from waits_for import LIMIT

from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from local_airflow import held_port

KEY = "a-key-nobody-may-see"
TAG = "tag-in-the-query"
QUICK: dict[str, object] = {"max_attempts": 1, "requests_per_minute": 0, "timeout": LIMIT}


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


Fail = Callable[[Ask, str], SMSPartnerUnavailableError]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Fail:
    """Ask over a connection, and return the error, which says nothing of the request."""

    def failed(ask: Ask, connection: str) -> SMSPartnerUnavailableError:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        with pytest.raises(SMSPartnerUnavailableError) as caught:
            ask(SMSPartnerHook(), "status_by_tag", TAG)
        for text in (str(caught.value), repr(caught.value), caplog.text):
            assert not any(part in text for part in (KEY, "apiKey", TAG))
        assert caught.value.__cause__ is None
        return caught.value

    return failed


@pairs(ask=BOTH, trouble=FAULTS)
def test_a_server_in_trouble(
    ask: Ask, double: SMSPartnerDouble, trouble: tuple[Fault, str], fail: Fail
) -> None:
    fault, said_of_it = trouble
    double.misbehave(fault)

    error = fail(ask, double.connection_json(**{**QUICK, "timeout": timeout_for(fault)}))

    assert re.match(rf"SMS Partner at 127\.0\.0\.1:{double.port} {said_of_it}", str(error)), str(error)
    assert not error.surely_unsent


def connection_to(url: str, **extra: object) -> str:
    return json.dumps({"conn_type": "smspartner", "host": url, "password": KEY, "extra": {**QUICK, **extra}})


@both_ways
class TestNotReached:
    def test_a_closed_port(self, ask: Ask, fail: Fail) -> None:
        with held_port() as bound:
            port = bound.getsockname()[1]
            error = fail(ask, connection_to(f"http://127.0.0.1:{port}"))

        text = f"SMS Partner at 127.0.0.1:{port} could not be reached: the connection was refused. Check the port,"
        assert str(error).startswith(text)
        assert error.surely_unsent

    def test_a_name_that_is_not_found(self, ask: Ask, fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
        without_resolver(monkeypatch)

        error = fail(ask, connection_to("https://api.sms.invalid/v1"))

        assert str(error).startswith(
            "SMS Partner at api.sms.invalid:443 could not be reached: its name was not found. Check the host"
        )
        assert error.surely_unsent

    def test_a_server_that_takes_no_connection(self, ask: Ask, fail: Fail) -> None:
        with never_accepting() as port:
            error = fail(ask, connection_to(f"http://127.0.0.1:{port}", timeout=0.3))

        text = "could not be reached: connecting took longer than 0.3 s. Check that no firewall"
        assert text in str(error)
        assert error.surely_unsent


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
        ids=["unknown", "expired", "other address", "other name"],
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
        fail: Fail,
    ) -> None:
        certificate = issue(tmp_path, host=host, ends=timedelta(days=days))
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        if is_trusted:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))

        with SMSPartnerDouble(api_key=KEY, ssl_context=certificate.server) as double:
            error = fail(ask, double.connection_json(**QUICK))
            assert double.requests == []
            assert f"127.0.0.1:{double.port} was not trusted: {said_of_it}" in str(error)
        assert error.surely_unsent

    def test_a_server_that_does_not_speak_tls(self, ask: Ask, fail: Fail) -> None:
        with accepting(speak_plainly) as port:
            error = fail(ask, connection_to(f"https://127.0.0.1:{port}"))

        assert "was reached, but TLS could not be agreed on." in str(error)
