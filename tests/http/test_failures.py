"""What an error says of a request without an answer: what happened, and whether it surely was not sent."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from certificates import issue
from combinations import pairs
from loopback import (
    ENDLESS,
    SILENCE,
    RawServer,
    accepting,
    alert,
    close,
    hang,
    never_accepting,
    receive_and_reset,
    reset,
    response,
    said,
    say_nothing,
    speak_plainly,
    timeout_for,
    without_resolver,
)
from waits_for import LIMIT
from writing import CLIENTS, Send, both_clients, settings_for, write

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from local_airflow import held_port

WRITE, LONG = write(may_repeat=False), write(may_repeat=False, text="x" * 900_000)
HOST = "api.sms.invalid"

Fail = Callable[..., str]


@pytest.fixture
def fail(send: Send, caplog: pytest.LogCaptureFixture) -> Fail:
    """Send a request that is lost, and return the error's text, which says nothing of the request."""

    def failed(kind: type[SMSPartnerError], url: str, *, timeout: float = LIMIT) -> str:
        with pytest.raises(kind) as caught:
            send(settings_for(url, timeout=timeout, max_attempts=2), WRITE)
        assert not any(text in caplog.text + repr(caught.value) for text in ("test-key", "apiKey", "hello"))
        assert caught.value.__cause__ is None
        if isinstance(caught.value, SMSPartnerUnavailableError):
            assert caught.value.surely_unsent
        return str(caught.value)

    return failed


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SENT = {
    "closed before": (Fault.hang(0), "closed the connection without an answer"),
    "closed within": (Fault.truncated(), "its answer broke off"),
    "reset before": (Fault.reset(), "the connection was reset before the whole"),
    "reset within": (Fault.reset_in_body(), "(the connection was reset|its answer broke off)"),
    "hangs before": (Fault.hang(60), "sent nothing for 1 s"),
    "hangs within": (Fault.hang_in_body(60), "sent nothing for 1 s"),
    "not HTTP": (Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "its answer was not valid HTTP"),
    "bad chunk size": (Fault.raw(CHUNKED + b"-1\r\nabc\r\n"), "its answer"),
}


@pairs(send=CLIENTS, trouble=SENT)
def test_a_server_in_trouble(trouble: tuple[Fault, str], fail: Fail) -> None:
    fault, said_of_it = trouble
    with SMSPartnerDouble() as double:
        double.misbehave(fault)

        text = fail(SMSPartnerAmbiguousSendError, double.url, timeout=timeout_for(fault))

        assert len(double.requests) == 1
        assert re.match(rf"SMS Partner at 127\.0\.0\.1:{double.port} was reached, but {said_of_it}", text), (
            text
        )


Away = AbstractContextManager[str]


@contextmanager
def refusing() -> Iterator[str]:
    with held_port() as bound:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def to(scheme: str, port: AbstractContextManager[int]) -> Iterator[str]:
    with port as number:
        yield f"{scheme}://127.0.0.1:{number}"


UNSENT: dict[str, tuple[Callable[[], Away], str]] = {
    "refused": (refusing, "could not be reached: the connection was refused. Check the port,"),
    "not connected": (
        lambda: to("http", never_accepting()),
        "could not be reached: connecting took longer than 0.3 s. Check that no firewall",
    ),
    "name": (
        lambda: nullcontext(f"https://{HOST}/v1"),
        f"SMS Partner at {HOST}:443 could not be reached: its name was not found. Check the host",
    ),
    "TLS, closed": (lambda: to("https", accepting(close)), "SMS Partner at 127.0.0.1:"),
    "TLS, reset": (lambda: to("https", accepting(receive_and_reset)), "SMS Partner at 127.0.0.1:"),
    "TLS, plain": (
        lambda: to("https", accepting(speak_plainly)),
        "was reached, but TLS could not be agreed on.",
    ),
    "TLS, alert": (lambda: to("https", accepting(alert)), "was reached, but TLS could not be agreed on."),
    "TLS, silent": (lambda: to("https", accepting(say_nothing)), "SMS Partner at 127.0.0.1:"),
}


@pairs(send=CLIENTS, where=UNSENT)
def test_a_server_that_is_not_reached(
    where: tuple[Callable[[], Away], str], fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_resolver(monkeypatch)
    away, said_of_it = where
    never_answers = where in (UNSENT["not connected"], UNSENT["TLS, silent"])
    with away() as url:
        text = fail(SMSPartnerUnavailableError, url, timeout=0.3 if never_answers else LIMIT)

    assert said_of_it in text
    assert "Gave up after 2 tries" in text


@pairs(
    send=CLIENTS,
    trouble={
        "open files": (OSError(errno.EMFILE, "Too many open files"), " (EMFILE). Check the host"),
        "permission": (PermissionError(errno.EACCES, "Permission denied"), " (EACCES). Check the host"),
        "no number": (OSError("nothing to connect to"), ". Check the host"),
    },
)
def test_a_connection_that_cannot_be_made(
    trouble: tuple[OSError, str], fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise trouble[0]

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", refuse)

    text = fail(SMSPartnerUnavailableError, "http://127.0.0.1:1")

    assert f"at 127.0.0.1:1 could not be reached: no connection could be made{trouble[1]}" in text


@pairs(
    send=CLIENTS,
    certificate={
        "unknown": ("127.0.0.1", 1, "from an unknown authority. If a proxy"),
        "expired": ("127.0.0.1", -1, "expired, or is not valid yet. Check the clock"),
        "other": ("192.0.2.1", 1, "for another host. Check the host"),
    },
)
def test_a_certificate_that_does_not_do(
    certificate: tuple[str, int, str], fail: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography", reason="makes the certificates")
    host, days, said_of_it = certificate
    issued = issue(tmp_path, host=host, ends=timedelta(days=days))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if "unknown" not in said_of_it:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(issued.authority))

    with RawServer(said(response(b"{}")), ssl_context=issued.server) as server:
        text = fail(SMSPartnerUnavailableError, server.url)
        assert not any(server.heads)
    assert re.search(rf"was not trusted: its TLS certificate (is|has) {said_of_it}", text), text


PROXIES = {
    "407": said(response(b"who are you?", status="407 Proxy Authentication Required")),
    "429": said(response(b"", status="429 Too Many Requests")),
    "hangs up": said(b""),
    "no HTTP": said(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a tunnel to nowhere": said(b"HTTP/1.1 200 Connection established\r\n\r\n"),
}


def lead_through(proxy: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)


@pairs(send=CLIENTS, answer=PROXIES)
def test_a_proxy_that_does_not_lead_there(
    answer: Callable[[socket.socket, RawServer], None], fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(answer) as proxy:
        lead_through(proxy, monkeypatch)
        assert "Gave up after 2 tries" in fail(SMSPartnerUnavailableError, f"https://{HOST}")
        assert [head.partition(b" ")[0] for head in proxy.heads] == [b"CONNECT", b"CONNECT"]


@pairs(send=CLIENTS, silent=["server", "proxy"])
def test_the_time_of_a_call_ends_before_there_is_a_connection(
    silent: str, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
    with accepting(say_nothing) as port, RawServer(hang) as proxy:
        if silent == "proxy":
            lead_through(proxy, monkeypatch)
        url = f"https://127.0.0.1:{port}" if silent == "server" else f"https://{HOST}"
        text = fail(SMSPartnerUnavailableError, url, timeout=ENDLESS)
    assert "was not asked: there was no connection to it within the 0.5 s" in text


@both_clients
@pytest.mark.parametrize("reads", [True, False])
class TestItMayHaveGoneOut:
    def test_it_is_read_in_part_or_not_at_all(self, send: Send, reads: bool) -> None:
        def read_a_little(client: socket.socket) -> None:
            client.recv(10)
            reset(client)

        answer, timeout = (read_a_little, LIMIT) if reads else (say_nothing, SILENCE)
        with accepting(answer) as port, pytest.raises(SMSPartnerAmbiguousSendError):
            send(settings_for(f"http://127.0.0.1:{port}", timeout=timeout), LONG)

    def test_it_is_lost_after_the_handshake(
        self, send: Send, reads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("cryptography", reason="makes the certificates")
        certificate = issue(tmp_path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))

        def lose(client: socket.socket) -> None:
            inner = certificate.server.wrap_socket(client, server_side=True)
            if reads:
                inner.recv(65536)
            reset(inner)

        with accepting(lose) as port, pytest.raises(SMSPartnerAmbiguousSendError):
            send(settings_for(f"https://127.0.0.1:{port}"), WRITE)
