"""Whether a request surely was not sent is known exactly: what fails before its first byte is tried again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from certificates import issue
from loopback import (
    SILENCE,
    RawServer,
    accepting,
    alert,
    close,
    never_accepting,
    receive_and_reset,
    reset,
    response,
    said,
    say_nothing,
    speak_plainly,
    without_resolver,
)
from writing import Send, both_clients, settings_for, write

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._http.asynchronous import AsyncClient
from airflow_provider_smspartner._http.blocking import BlockingClient
from airflow_provider_smspartner.exceptions import SMSPartnerAmbiguousSendError, SMSPartnerUnavailableError
from local_airflow import held_port

WRITE = write(may_repeat=False)
HOST = "api.sms.invalid"


def assert_surely_unsent(send: Send, url: str, *, timeout: float = 2) -> str:
    with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 2 tries") as caught:
        send(settings_for(url, timeout=timeout, max_attempts=2), WRITE)
    assert caught.value.surely_unsent
    return str(caught.value)


@both_clients
class TestNotConnected:
    def test_refused(self, send: Send) -> None:
        with held_port() as bound:
            assert "refused" in assert_surely_unsent(send, f"http://127.0.0.1:{bound.getsockname()[1]}")

    def test_a_name_that_is_not_found(self, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
        without_resolver(monkeypatch)
        assert "its name was not found" in assert_surely_unsent(send, f"https://{HOST}")

    def test_connecting_takes_too_long(self, send: Send) -> None:
        with never_accepting() as port:
            url = f"http://127.0.0.1:{port}"
            assert "connecting took longer" in assert_surely_unsent(send, url, timeout=0.3)


@both_clients
class TestTls:
    @pytest.mark.parametrize(
        ("host", "days", "is_trusted", "told"),
        [
            ("127.0.0.1", 1, False, "from an unknown authority"),
            ("127.0.0.1", -1, True, "has expired"),
            ("192.0.2.1", 1, True, "for another host"),
        ],
        ids=["unknown authority", "expired", "wrong host"],
    )
    def test_a_certificate_that_does_not_do(  # noqa: PLR0917
        self,
        send: Send,
        host: str,
        days: int,
        is_trusted: bool,
        told: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        pytest.importorskip("cryptography", reason="makes the certificates")
        certificate = issue(tmp_path, host=host, ends=timedelta(days=days))
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        if is_trusted:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))

        with RawServer(said(response(b"{}")), ssl_context=certificate.server) as server:
            assert told in assert_surely_unsent(send, server.url)
            assert not any(server.heads)

    @pytest.mark.parametrize(
        "answer", [close, receive_and_reset, speak_plainly, alert], ids=lambda each: each.__name__
    )
    def test_a_handshake_that_fails(self, send: Send, answer: Callable[[socket.socket], None]) -> None:
        with accepting(answer) as port:
            assert_surely_unsent(send, f"https://127.0.0.1:{port}")

    def test_a_handshake_that_hangs(self, send: Send) -> None:
        with accepting(say_nothing) as port:
            assert_surely_unsent(send, f"https://127.0.0.1:{port}", timeout=0.3)

    def test_the_time_of_a_call_ends_within_a_handshake(
        self, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        with accepting(say_nothing) as port, pytest.raises(SMSPartnerUnavailableError) as caught:
            send(settings_for(f"https://127.0.0.1:{port}", timeout=60), WRITE)
        assert caught.value.surely_unsent
        assert "was not asked: there was no connection to it within the 0.5 s" in str(caught.value)


def hang(_: socket.socket, server: RawServer) -> None:
    server.stopping.wait(10)


PROXIES = {
    "407": said(response(b"who are you?", status="407 Proxy Authentication Required")),
    "429": said(response(b"", status="429 Too Many Requests")),
    "502": said(response(b"", status="502 Bad Gateway")),
    "hangs up": said(b""),
    "never answers": hang,
    "no HTTP": said(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a tunnel to nowhere": said(b"HTTP/1.1 200 Connection established\r\n\r\n"),
}


@both_clients
class TestProxies:
    @pytest.fixture(autouse=True)
    def _no_exceptions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("NO_PROXY", "no_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)

    @pytest.mark.parametrize("answer", PROXIES.values(), ids=PROXIES)
    def test_one_that_does_not_lead_there(
        self,
        send: Send,
        answer: Callable[[socket.socket, RawServer], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with RawServer(answer) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert_surely_unsent(send, f"https://{HOST}", timeout=SILENCE)
            assert [head.partition(b" ")[0] for head in proxy.heads] == [b"CONNECT", b"CONNECT"]

    def test_one_that_is_not_there(self, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
        with held_port() as bound:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{bound.getsockname()[1]}")
            assert "The proxy at" in assert_surely_unsent(send, f"https://{HOST}")

    def test_a_certificate_behind_it(
        self, send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("cryptography", reason="makes the certificates")
        certificate = issue(tmp_path, host=HOST)

        def tunnel(client: socket.socket, server: RawServer) -> None:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with certificate.server.wrap_socket(client, server_side=True) as inner:
                server.heads.append(inner.recv(4096))

        with RawServer(tunnel) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert "unknown authority" in assert_surely_unsent(send, f"https://{HOST}")
            assert [head.partition(b" ")[0] for head in proxy.heads] == [b"CONNECT", b"CONNECT"]


class TestWaitingForAConnection:
    """The only connection is in use until the time of a call is over."""

    def test_in_a_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with RawServer(hang) as server, ThreadPoolExecutor(1) as pool:
            client = BlockingClient(settings_for(server.url, timeout=60), "c")
            first = pool.submit(client.send, WRITE)
            server.wait_until_asked()
            monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.3)
            with pytest.raises(SMSPartnerUnavailableError, match="was not asked") as caught:
                client.send(WRITE)
            client.close()
            assert isinstance(first.exception(5), SMSPartnerAmbiguousSendError)
            assert len(server.heads) == 1
        assert caught.value.surely_unsent

    def test_in_a_task(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main(server: RawServer) -> None:
            client = await AsyncClient.open(settings_for(server.url, timeout=60), "c")
            first = asyncio.create_task(client.send(WRITE))
            await asyncio.to_thread(server.wait_until_asked)
            monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.3)
            with pytest.raises(SMSPartnerUnavailableError, match="was not asked") as caught:
                await client.send(WRITE)
            assert caught.value.surely_unsent
            await client.close()
            with pytest.raises(SMSPartnerAmbiguousSendError):
                await first

        with RawServer(hang) as server:
            asyncio.run(main(server))
            assert len(server.heads) == 1


@both_clients
class TestItMayHaveGoneOut:
    def test_it_is_read_in_part(self, send: Send) -> None:
        def read_a_little(client: socket.socket) -> None:
            client.recv(10)
            reset(client)

        with accepting(read_a_little) as port, pytest.raises(SMSPartnerAmbiguousSendError):
            send(settings_for(f"http://127.0.0.1:{port}"), write(may_repeat=False, text="x" * 900_000))

    def test_it_is_never_read(self, send: Send) -> None:

        with accepting(say_nothing) as port, pytest.raises(SMSPartnerAmbiguousSendError):
            send(
                settings_for(f"http://127.0.0.1:{port}", timeout=0.5),
                write(may_repeat=False, text="x" * 900_000),
            )

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
