"""TLS on loopback: certificates are checked, by both clients against the same authorities, and nothing stops it."""

from __future__ import annotations

import gc
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loopback import ONE_ROW, Ask, RawServer, both_ways, response, said

from airflow_provider_smspartner._http.trust import authorities
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

pytest.importorskip("cryptography", reason="makes the certificates")


@dataclass(frozen=True)
class Certificate:
    """A certificate authority of the tests' own, and what it signed for 127.0.0.1."""

    authority: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.now(UTC)

    def signed(name: str, key: Any, issuer: str, issuer_key: Any, *extensions: Any) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer_key, hashes.SHA256())

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = signed(
        "Tests",
        ca_key,
        "Tests",
        ca_key,
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (usage, True),
        (identifier, False),
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    leaf = signed("127.0.0.1", key, "Tests", ca_key, (address, False), (issued_by, False))

    pem = serialization.Encoding.PEM
    authority, chain = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(ca.public_bytes(pem))
    chain.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Certificate(authority, context)


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    yield
    gc.collect()


@pytest.fixture
def server(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    with RawServer(said(response(ONE_ROW)), tls=certificate.server) as started:
        connection = started.connection("test-key", max_attempts=2)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        yield started


@both_ways
class TestAuthorities:
    def test_a_stranger_is_refused(self, server: RawServer, ask: Ask) -> None:
        with pytest.raises(SMSPartnerUnavailableError, match=r"SSL|Certificate"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert server.heads == []

    @pytest.mark.parametrize(
        "extra",
        [
            {"verify": False},
            {"verify": "false", "verify_ssl": False, "ssl": False, "check_response": False},
            {"session": {"verify": False}, "trust_env": True, "tls": {"verify": False}},
        ],
    )
    def test_nothing_in_extra_stops_the_check(
        self, server: RawServer, ask: Ask, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = server.connection("test-key", max_attempts=1, **extra)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)

        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert server.heads == []

    def test_an_empty_name_stops_nothing(
        self, server: RawServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
        monkeypatch.setenv("CURL_CA_BUNDLE", "")

        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert server.heads == []

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_an_authority_of_the_environment_is_trusted(
        self,
        server: RawServer,
        certificate: Certificate,
        ask: Ask,
        name: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(name, str(certificate.authority))

        assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 1
        assert len(server.heads) == 1

    def test_another_authority_afterwards(
        self, server: RawServer, certificate: Certificate, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
        ask(SMSPartnerHook(), "status_by_tag", "spring")
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")

        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")

    def test_a_folder_of_authorities(
        self, server: RawServer, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))

        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert server.heads == []

    def test_an_authority_that_is_not_there(
        self, server: RawServer, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))

        with pytest.raises(ValueError, match="REQUESTS_CA_BUNDLE") as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert str(tmp_path) not in str(caught.value)


def test_the_connection_test_says_that_authorities_are_missing(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "nowhere.pem")

    ok, message = SMSPartnerHook().test_connection()

    assert not ok
    assert "REQUESTS_CA_BUNDLE" in message


def test_the_authorities_of_requests_by_default() -> None:
    import requests

    assert str(authorities()) == requests.certs.where()
