"""Where the API is, by host, scheme and port."""

from __future__ import annotations

from typing import Any

import pytest
from connection.reading import VENDOR, settings
from hypothesis import given
from hypothesis import strategies as st


class TestBaseURL:
    @pytest.mark.parametrize(
        ("fields", "url"),
        [
            ({}, VENDOR),
            ({"host": ""}, VENDOR),
            ({"host": "  "}, VENDOR),
            ({"host": "", "schema": ""}, VENDOR),
            ({"host": "sms.example"}, "https://sms.example/v1"),
            ({"host": "SMS.Example"}, "https://sms.example/v1"),
            ({"host": " sms.example "}, "https://sms.example/v1"),
            ({"host": "sms.example/"}, "https://sms.example/v1"),
            ({"host": "sms.example:8443"}, "https://sms.example:8443/v1"),
            ({"host": "sms.example/api/v2"}, "https://sms.example/api/v2"),
            ({"host": VENDOR}, VENDOR),
            ({"host": f"{VENDOR}/"}, VENDOR),
            ({"host": "https://sms.example"}, "https://sms.example/v1"),
            ({"host": "https://sms.example/"}, "https://sms.example/v1"),
            ({"host": "HTTPS://sms.example/x/"}, "https://sms.example/x"),
            ({"host": "https://sms.example:8443/x"}, "https://sms.example:8443/x"),
            ({"host": "https://sms.example", "port": 8443}, "https://sms.example:8443/v1"),
            ({"host": "https://sms.example:8443", "port": 8443}, "https://sms.example:8443/v1"),
            ({"host": "https://sms.example", "schema": "https"}, "https://sms.example/v1"),
            ({"host": "sms.example", "schema": "https", "port": 8443}, "https://sms.example:8443/v1"),
            ({"host": "sms.example", "schema": "HTTPS "}, "https://sms.example/v1"),
            ({"host": "sms.example", "port": 8443}, "https://sms.example:8443/v1"),
            ({"host": "127.0.0.1", "schema": "http", "port": 8765}, "http://127.0.0.1:8765/v1"),
            ({"host": "http://127.0.0.1:8765/v1"}, "http://127.0.0.1:8765/v1"),
            ({"host": "http://127.9.9.9"}, "http://127.9.9.9/v1"),
            ({"host": "http://localhost:8765"}, "http://localhost:8765/v1"),
            ({"host": "LocalHost", "schema": "http"}, "http://localhost/v1"),
            ({"host": "http://[::1]:8765"}, "http://[::1]:8765/v1"),
            ({"host": "[::1]:8765", "schema": "http"}, "http://[::1]:8765/v1"),
            ({"host": "::1", "schema": "http", "port": 8765}, "http://[::1]:8765/v1"),
            ({"host": "2001:db8::1"}, "https://[2001:db8::1]/v1"),
            ({"host": "192.0.2.1"}, "https://192.0.2.1/v1"),
        ],
    )
    def test_forms(self, fields: dict[str, Any], url: str) -> None:
        assert settings(**fields).base_url == url

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"schema": "https"}, "Host"),
            ({"port": 443}, "Host"),
            ({"host": "https://"}, "Host"),
            ({"host": "://x"}, "Host"),
            ({"host": "https:"}, "Host"),
            ({"host": "https://:8443"}, "Host"),
            ({"host": "two words"}, "Host"),
            ({"host": "sms.example?apiKey=5ecret"}, "Host"),
            ({"host": "https://sms.example/v1?apiKey=5ecret"}, "Host"),
            ({"host": "https://sms.example/v1#5ecret"}, "Host"),
            ({"host": "https://user:5ecret@sms.example"}, "Host"),
            ({"host": "5ecret@sms.example"}, "Host"),
            ({"host": "https://[5ecret"}, "Host"),
            ({"host": "https://[::5ecret]"}, "Host"),
            ({"host": "https://sms.example:5ecret"}, "Host"),
            ({"host": "5ecret\\sms.example"}, "Host"),
            ({"host": "5ecret%00"}, "Host"),
            ({"host": "1::2::5"}, "Host"),
            ({"host": "ftp://5ecret.example"}, "Host"),
            ({"host": "http://5ecret.example"}, "Host"),
            ({"host": "http://127.0.0.1.5ecret.example"}, "Host"),
            ({"host": "http://0.0.0.0"}, "Host"),
            ({"host": "http://[2001:db8::1]"}, "Host"),
            ({"host": "5ecret.example", "schema": "http"}, "Host"),
            ({"host": "sms.example", "schema": "5ecret"}, "Scheme"),
            ({"host": "https://sms.example", "schema": "http"}, "Scheme"),
            ({"host": "http://127.0.0.1", "schema": "https"}, "Scheme"),
            ({"host": "https://sms.example:8443", "port": 9443}, "Port"),
            ({"host": "sms.example", "port": 70000}, "Port"),
            ({"host": "sms.example", "port": -1}, "Port"),
            ({"host": "sms.example:0"}, "Port"),
        ],
    )
    def test_faults_name_the_field_and_never_show_the_value(self, fields: dict[str, Any], field: str) -> None:
        with pytest.raises(ValueError, match=f"connection.* {field}") as caught:
            settings(**fields)
        assert "5ecret" not in str(caught.value)
        assert caught.value.__cause__ is None

    def test_plain_http_elsewhere_says_why(self) -> None:
        with pytest.raises(ValueError, match="the API key would travel in clear"):
            settings(host="http://sms.example")

    @pytest.mark.parametrize(
        "extra",
        [
            {"host": "https://evil.example"},
            {"base_url": "https://evil.example", "url": "https://evil.example", "schema": "http", "port": 1},
            {"proxy": "http://evil.example", "verify": False, "hook_class": "evil.Class"},
        ],
    )
    def test_extra_leads_nowhere(self, extra: dict[str, Any]) -> None:
        assert settings(extra=extra) == settings()
        assert settings(host="sms.example", extra=extra) == settings(host="sms.example")

    @pytest.mark.parametrize(
        ("host", "is_loopback"),
        [
            ("", False),
            ("https://127.0.0.1", True),
            ("https://[::1]", True),
            ("https://localhost.example", False),
        ],
    )
    def test_loopback(self, host: str, is_loopback: bool) -> None:
        assert settings(host=host).is_loopback is is_loopback

    @given(
        host=st.text(max_size=30) | st.from_regex(r"https?://[a-z0-9.:@\[\]/%?#\\-]{0,20}"),
        schema=st.sampled_from([None, "", "http", "https"]),
        port=st.sampled_from([None, 1, 65535]),
    )
    def test_whatever_is_entered(self, host: str, schema: str | None, port: int | None) -> None:
        try:
            read = settings(host=host, schema=schema, port=port)
        except ValueError:
            return
        assert read.is_https or read.is_loopback
        assert not read.base_url.endswith("/")
