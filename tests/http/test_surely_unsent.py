"""Whether a request surely was not sent is known exactly: what fails before its first byte is tried again."""

from __future__ import annotations

import socket
from collections.abc import Callable
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
    receive_and_reset,
    reset,
    response,
    said,
    say_nothing,
    speak_plainly,
)
from waits_for import LIMIT
from writing import CLIENTS, Send, both_clients, settings_for, write

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import SMSPartnerAmbiguousSendError, SMSPartnerUnavailableError

WRITE, LONG = write(may_repeat=False), write(may_repeat=False, text="x" * 900_000)
HOST = "api.sms.invalid"


def assert_surely_unsent(send: Send, url: str, *, timeout: float = LIMIT) -> None:
    with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 2 tries") as caught:
        send(settings_for(url, timeout=timeout, max_attempts=2), WRITE)
    assert caught.value.surely_unsent


@both_clients
@pytest.mark.parametrize(
    "answer", [close, receive_and_reset, speak_plainly, alert, say_nothing], ids=lambda each: each.__name__
)
def test_a_tls_handshake_that_fails(send: Send, answer: Callable[[socket.socket], None]) -> None:
    with accepting(answer) as port:
        url = f"https://127.0.0.1:{port}"
        assert_surely_unsent(send, url, timeout=0.3 if answer is say_nothing else LIMIT)


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


@both_clients
@pytest.mark.parametrize("answer", PROXIES.values(), ids=PROXIES)
def test_a_proxy_that_does_not_lead_there(
    send: Send, answer: Callable[[socket.socket, RawServer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(answer) as proxy:
        lead_through(proxy, monkeypatch)
        assert_surely_unsent(send, f"https://{HOST}")
        assert [head.partition(b" ")[0] for head in proxy.heads] == [b"CONNECT", b"CONNECT"]


@pairs(send=CLIENTS, silent=["server", "proxy"])
def test_the_time_of_a_call_ends_before_there_is_a_connection(
    send: Send, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
    with accepting(say_nothing) as port, RawServer(hang) as proxy:
        if silent == "proxy":
            lead_through(proxy, monkeypatch)
        url = f"https://127.0.0.1:{port}" if silent == "server" else f"https://{HOST}"
        with pytest.raises(SMSPartnerUnavailableError) as caught:
            send(settings_for(url, timeout=ENDLESS), WRITE)
    assert caught.value.surely_unsent
    assert "was not asked: there was no connection to it within the 0.5 s" in str(caught.value)


@both_clients
class TestItMayHaveGoneOut:
    @pytest.mark.parametrize("reads", [True, False])
    def test_it_is_read_in_part_or_not_at_all(self, send: Send, reads: bool) -> None:
        def read_a_little(client: socket.socket) -> None:
            client.recv(10)
            reset(client)

        with (
            accepting(read_a_little if reads else say_nothing) as port,
            pytest.raises(SMSPartnerAmbiguousSendError),
        ):
            send(settings_for(f"http://127.0.0.1:{port}", timeout=LIMIT if reads else SILENCE), LONG)

    @pytest.mark.parametrize("reads", [True, False])
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
