"""TLS on loopback: certificates are checked, by both clients against the same authorities, and nothing stops it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificate, issue
from combinations import in_turn
from loopback import BOTH, Ask, both_ways, connect

from airflow_provider_smspartner._http.trust import authorities
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import SMSPartnerDouble

pytest.importorskip("cryptography", reason="makes the certificates")

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield
    gc.collect()


@pytest.fixture
def server(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[SMSPartnerDouble]:
    with SMSPartnerDouble(ssl_context=certificate.server) as started:
        started.add_campaign("spring", size=1)
        connect(monkeypatch, started, max_attempts=2)
        yield started


class TestAuthorities:
    @in_turn(
        extra={"nothing": {}, "verify": {"verify": False}, "ssl": {"verify_ssl": "false", "ssl": False}},
        empty=["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"],
        ask=BOTH,
    )
    def test_nothing_stops_the_check(
        self,
        server: SMSPartnerDouble,
        ask: Ask,
        extra: dict[str, Any],
        empty: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        connect(monkeypatch, server, max_attempts=1, **extra)
        monkeypatch.setenv(empty, "")

        with pytest.raises(SMSPartnerUnavailableError, match="unknown authority"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert server.requests == []

    @both_ways
    def test_a_folder_of_authorities_may_be_named(
        self, server: SMSPartnerDouble, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))

        with pytest.raises(SMSPartnerUnavailableError, match="unknown authority"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")

    @in_turn(name=VARIABLES, ask=BOTH)
    def test_an_authority_of_the_environment_is_trusted_as_long_as_it_is_named(
        self,
        server: SMSPartnerDouble,
        certificate: Certificate,
        ask: Ask,
        name: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(name, str(certificate.authority))

        assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 1
        assert len(server.requests) == 1

        monkeypatch.delenv(name)
        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")

    @in_turn(
        content={"missing": None, "empty": b"", "cut": b"-----BEGIN CERTIFICATE-----\nAAAA\n"},
        name=VARIABLES,
        ask=BOTH,
    )
    def test_a_bundle_without_authorities(  # noqa: PLR0917
        self,
        server: SMSPartnerDouble,
        ask: Ask,
        name: str,
        content: bytes | None,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bundle = tmp_path / "bundle.pem"
        if content is not None:
            bundle.write_bytes(content)
        monkeypatch.setenv(name, str(bundle))

        with pytest.raises(ValueError, match=f"^{name} names a file (that can't be read, or|or)") as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert str(tmp_path) not in str(caught.value)
        assert server.requests == []

    @in_turn(names=[*pairwise(VARIABLES)], ask=BOTH)
    def test_which_variable_counts(
        self,
        server: SMSPartnerDouble,
        certificate: Certificate,
        ask: Ask,
        names: tuple[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(names[0], str(certificate.authority))
        monkeypatch.setenv(names[1], "nowhere.pem")
        assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 1

        monkeypatch.setenv(names[0], "")
        with pytest.raises(ValueError, match=f"^{names[1]} "):
            ask(SMSPartnerHook(), "status_by_tag", "spring")


def test_the_authorities_of_requests_by_default() -> None:
    import certifi

    assert str(authorities()) == certifi.where()
