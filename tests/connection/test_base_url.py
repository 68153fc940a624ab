"""Where the API is, by host, scheme and port."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from connection.reading import VENDOR, settings

LOOPBACK = "127.0.0.1"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "  ", "schema": ""}, VENDOR),
        ({"host": " SMS.Example/ "}, "https://sms.example/v1"),
        ({"host": "sms.example:8443/api/v2"}, "https://sms.example:8443/api/v2"),
        ({"host": "HTTPS://sms.example/x/"}, "https://sms.example/x"),
        ({"host": "https://sms.example:8443", "port": 8443}, "https://sms.example:8443/v1"),
        ({"host": "sms.example", "schema": "HTTPS ", "port": 8443}, "https://sms.example:8443/v1"),
        ({"host": LOOPBACK, "schema": "http", "port": 8765}, "http://127.0.0.1:8765/v1"),
        ({"host": "sms.example", "port": "443"}, "https://sms.example:443/v1"),
        ({"host": "sms.example", "port": " 443.0 "}, "https://sms.example:443/v1"),
        ({"host": "sms.example:443", "port": "443"}, "https://sms.example:443/v1"),
        ({"host": "sms.example", "port": " "}, "https://sms.example/v1"),
        ({"host": "http://LocalHost:8765"}, "http://localhost:8765/v1"),
        ({"host": "http://[::1]:8765"}, "http://[::1]:8765/v1"),
        ({"host": "::1", "schema": "http", "port": 8765}, "http://[::1]:8765/v1"),
        ({"host": "2001:db8::1"}, "https://[2001:db8::1]/v1"),
    ],
    ids=itertools.count(),
)
def test_forms(fields: dict[str, Any], url: str) -> None:
    assert settings(**fields).base_url == url


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"schema": "https"}, "has a Scheme or a Port but no Host"),
        ({"port": 443}, "has a Scheme or a Port but no Host"),
        ({"host": "https://"}, "Host is not a valid URL"),
        ({"host": "https://[::5ecret]"}, "Host is not a valid URL"),
        ({"host": f"{'5ecret' * 11}.example"}, "Host is not a valid URL"),
        ({"host": f"{'5ecret.' * 40}example"}, "Host is not a valid URL"),
        ({"host": "5ecret\\sms.example"}, "Host is not a valid URL"),
        ({"host": "https://sms.example/v1?apiKey=5ecret"}, "Host must .* without user, query or fragment"),
        ({"host": "https://user:5ecret@sms.example"}, "Host must .* without user, query or fragment"),
        ({"host": "ftp://5ecret.example"}, "Host must be reached by https"),
        ({"host": "http://127.0.0.1.5ecret.example"}, "Host .*: the API key would travel in clear"),
        ({"host": "http://[2001:db8::1]"}, "Host .*: the API key would travel in clear"),
        ({"host": "5ecret.example", "schema": "http"}, "Host .*: the API key would travel in clear"),
        ({"host": "sms.example", "schema": "5ecret"}, "Scheme must be https or http"),
        ({"host": "http://127.0.0.1", "schema": "https"}, "Host and its Scheme name different schemes"),
        ({"host": "https://sms.example:8443", "port": 9443}, "Host and its Port name different ports"),
        ({"host": "sms.example", "port": 70000}, "Port must be from 1 to 65535"),
        *(
            ({"host": "sms.example", "port": odd}, "Port must be from 1")
            for odd in (True, "5ecret", "-1", "4٤3", 0.5)
        ),
        ({"host": ["5ecret"]}, "Host must be text"),
        ({"host": "sms.example", "schema": 5}, "Scheme must be text"),
        ({"host": "sms.example:0"}, "Port must be from 1 to 65535"),
    ],
    ids=itertools.count(),
)
def test_faults_name_the_field_and_never_show_the_value(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"The connection('s | ){says}") as caught:
        settings(**fields)
    assert "5ecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_extra_leads_nowhere() -> None:
    evil = {"base_url": "https://evil.example", "url": "https://evil.example", "schema": "http", "port": 1}
    extra = {**evil, "host": "https://evil.example", "proxy": "http://evil.example", "verify": False}

    assert settings(extra=extra) == settings()
    assert settings(host="sms.example", extra=extra) == settings(host="sms.example")


def test_loopback() -> None:
    hosts = ("", "https://127.0.0.1", "https://[::1]", "https://localhost.example")
    assert [settings(host=host).is_loopback for host in hosts] == [False, True, True, False]
