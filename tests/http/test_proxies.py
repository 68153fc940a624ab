"""Proxies and credentials of the environment: one rule for both clients."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from certificates import Certificate, issue
from combinations import in_turn
from loopback import BOTH, ONE_ROW, Ask, RawServer, both_ways, response, said, without_resolver
from waits_for import LIMIT

from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from local_airflow import held_port

HOST = "api.sms.invalid"
KEY = "a-key-nobody-may-see"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxy_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection(f"https://{HOST}/v1"))


def connection(url: str) -> str:
    extra = {"max_attempts": 1, "requests_per_minute": 0, "timeout": LIMIT}
    return json.dumps({"conn_type": "smspartner", "host": url, "password": KEY, "extra": extra})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    pytest.importorskip("cryptography", reason="makes the certificates")
    return issue(tmp_path_factory.mktemp("certificates"), host=HOST)


@pytest.fixture
def proxy(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """Start a proxy that plays the API behind its tunnels."""

    def tunnel(client: socket.socket, server: RawServer) -> None:
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with certificate.server.wrap_socket(client, server_side=True) as inner:
            server.heads.append(inner.recv(4096))
            inner.sendall(response(ONE_ROW))

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
    with RawServer(tunnel) as started:
        yield started


def address(server: RawServer) -> str:
    return server.url.removeprefix("http://")


class TestWhichProxy:
    @in_turn(name=["HTTPS_PROXY", "https_proxy", "ALL_PROXY"], ask=BOTH, prefix=["http://", "http://", ""])
    def test_what_the_environment_names(
        self, proxy: RawServer, ask: Ask, name: str, prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, prefix + address(proxy))

        assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 1
        connect, request = proxy.heads
        assert connect.startswith(f"CONNECT {HOST}:443 HTTP/1.".encode())
        assert KEY.encode() not in connect
        assert request.startswith(b"GET /v1/bulk-status-by-tag?")

    @both_ways
    def test_its_own_user_and_password_go_to_the_proxy_alone(
        self, proxy: RawServer, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@{address(proxy)}")

        ask(SMSPartnerHook(), "status_by_tag", "spring")

        connect, request = proxy.heads
        assert b"Basic " + base64.b64encode(b"user:p@ss") in connect
        assert b"authorization" not in request.lower()
        assert "p%40ss" not in caplog.text
        assert "p@ss" not in caplog.text

    @in_turn(
        named={
            "HTTPS before ALL": ({"HTTPS_PROXY": "PROXY", "ALL_PROXY": "http://127.0.0.1:1"}, True),
            "ALL where HTTPS is empty": ({"HTTPS_PROXY": "", "ALL_PROXY": "PROXY"}, True),
            "not HTTP": ({"HTTP_PROXY": "PROXY"}, False),
            "not for this host": ({"HTTPS_PROXY": "PROXY", "NO_PROXY": HOST}, False),
            "not for this domain": ({"HTTPS_PROXY": "PROXY", "no_proxy": ".sms.invalid"}, False),
            "for no host": ({"HTTPS_PROXY": "PROXY", "NO_PROXY": "*"}, False),
            "for this host": ({"HTTPS_PROXY": "PROXY", "NO_PROXY": "other.example"}, True),
        },
        ask=BOTH,
    )
    def test_precedence_and_exceptions(
        self,
        proxy: RawServer,
        ask: Ask,
        named: tuple[dict[str, str], bool],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        variables, is_used = named
        for name, value in variables.items():
            monkeypatch.setenv(name, proxy.url if value == "PROXY" else value)
        # Through a proxy it is the proxy that looks the name up.
        without_resolver(monkeypatch)

        not_found = pytest.raises(SMSPartnerUnavailableError, match=f"SMS Partner at {HOST}:443 could not")
        with nullcontext() if is_used else not_found:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert bool(proxy.heads) is is_used

    @both_ways
    def test_this_machine_is_never_asked_through_a_proxy(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in NAMES[:3]:
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        with RawServer(said(response(ONE_ROW))) as server:
            monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection(KEY))

            assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 1


class TestProxiesInTrouble:
    @in_turn(
        value=[
            "http://",
            "http://[::1",
            "http://bad host:3128",
            "ftp://proxy.example:3128",
            "socks5h://user:secret@127.0.0.1:1080",
        ],
        name=["HTTPS_PROXY", "all_proxy", "https_proxy"],
        ask=BOTH,
    )
    def test_one_that_cannot_be_used(
        self, ask: Ask, name: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)

        with pytest.raises(
            ValueError, match=f"^{name} names a proxy that can't be used: it must be"
        ) as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert not any(part in str(caught.value) for part in ("127.0.0.1", "secret", "bad host"))

    @both_ways
    def test_one_that_refuses_or_is_not_there(self, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        refusal = response(b"who are you?", status="407 Proxy Authentication Required")
        with RawServer(said(refusal)) as server, held_port() as bound:
            port = bound.getsockname()[1]
            for at, said_of_it in {
                address(server): f"{HOST}:443 could not be reached: the proxy refused to connect to it.",
                f"127.0.0.1:{port}": f"The proxy at 127.0.0.1:{port} could not be reached: the connection was refused.",
            }.items():
                monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@{at}")
                with pytest.raises(SMSPartnerUnavailableError) as caught:
                    ask(SMSPartnerHook(), "status_by_tag", "spring")
                assert said_of_it in str(caught.value)
                assert "secret" not in str(caught.value)
                assert caught.value.surely_unsent

    @both_ways
    def test_a_certificate_behind_it_is_checked(
        self, proxy: RawServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

        with pytest.raises(SMSPartnerUnavailableError) as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert re.search(f"{HOST}:443 was not trusted: .* unknown authority", str(caught.value))
        assert caught.value.surely_unsent
        assert len(proxy.heads) == 1


@in_turn(ask=BOTH, entry=["machine api.sms.invalid", "default"], where=["NETRC", "home"])
def test_no_password_of_a_netrc_leaves(  # noqa: PLR0917
    proxy: RawServer, ask: Ask, entry: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"{entry} login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    if where == "NETRC":
        monkeypatch.setenv("NETRC", str(netrc))

    ask(SMSPartnerHook(), "status_by_tag", "spring")

    assert len(proxy.heads) == 2
    assert not any(b"authorization" in head.lower() for head in proxy.heads)
