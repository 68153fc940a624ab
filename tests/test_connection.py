"""An Airflow connection read into settings, and its form in the UI, of which there are two descriptions."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Connection
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner._connection import fields
from airflow_provider_smspartner._connection import settings as settings_module
from airflow_provider_smspartner._connection.fields import EXTRA_FIELDS, MAXIMUM
from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.provider_info import get_provider_info
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

VENDOR = "https://api.smspartner.fr/v1"


def settings(*, password: str | None = "the-key", extra: Any = None, **fields: Any) -> Settings:
    text = extra if extra is None or isinstance(extra, str) else json.dumps(extra)
    return Settings.of(
        Connection(conn_id="sms", conn_type="smspartner", password=password, extra=text, **fields)
    )


def looked_up(text: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", text)
    return Settings.of(SMSPartnerHook.get_connection("smspartner_default"))


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


class TestExtra:
    DEFAULTS = {"timeout": 10.0, "max_attempts": 5, "requests_per_minute": 300, "max_connections": 4}  # noqa: RUF012

    @pytest.mark.parametrize(
        "extra", [None, "", "{}", {"other": 1}, dict.fromkeys(DEFAULTS), dict.fromkeys(DEFAULTS, "")]
    )
    def test_defaults(self, extra: Any) -> None:
        read = settings(extra=extra)

        assert {name: getattr(read, name) for name in self.DEFAULTS} == self.DEFAULTS

    @pytest.mark.parametrize(
        ("name", "raw", "value"),
        [
            ("timeout", 2, 2.0),
            ("timeout", 2.5, 2.5),
            ("timeout", "2.5", 2.5),
            ("timeout", " 2 ", 2.0),
            ("timeout", 0.001, 0.001),
            ("timeout", MAXIMUM, float(MAXIMUM)),
            ("max_attempts", 1, 1),
            ("max_attempts", "7", 7),
            ("max_attempts", 7.0, 7),
            ("max_attempts", "7.0", 7),
            ("requests_per_minute", 0, 0),
            ("requests_per_minute", "0", 0),
            ("requests_per_minute", "600", 600),
            ("max_connections", 1, 1),
            ("max_connections", "16", 16),
        ],
    )
    def test_numbers_and_their_text(self, name: str, raw: object, value: float) -> None:
        read = getattr(settings(extra={name: raw}), name)

        assert read == value
        assert type(read) is type(value)

    @pytest.mark.parametrize("name", DEFAULTS)
    @pytest.mark.parametrize(
        "raw",
        [
            "5ecret",
            "5,0",
            "nan",
            "inf",
            "-inf",
            -1,
            "-5",
            True,
            False,
            [5],
            {"a": 5},
            10**400,
            "9" * 400,
            MAXIMUM + 1,
        ],
        ids=str,
    )
    def test_bad_ones_name_the_field_and_never_show_the_value(self, name: str, raw: object) -> None:
        with pytest.raises(
            ValueError, match=f"extra field '{name}' must be a (whole )?number from "
        ) as caught:
            settings(extra={name: raw})
        assert "5ecret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "raw"),
        [
            ("timeout", 0),
            ("max_attempts", 0),
            ("max_attempts", 1.5),
            ("max_connections", 0),
            ("max_connections", "2.5"),
        ],
    )
    def test_bounds(self, name: str, raw: object) -> None:
        with pytest.raises(ValueError, match=name):
            settings(extra={name: raw})

    def test_unknown_ones_are_warned_about_once_by_name(self, caplog: pytest.LogCaptureFixture) -> None:
        settings_module._warn_of_unknown.cache_clear()
        extra = {"max_attemps": "5ecret", "verify": {"5ecret": 1}, "x" * 5_000: 1, "timeout": 5}
        for _ in range(3):
            assert settings(extra=extra).max_attempts == 5

        lines = [record.getMessage() for record in caplog.records if record.name == settings_module.__name__]
        assert len(lines) == 3
        assert "'sms' has an extra field 'max_attemps'" in lines[0]
        assert "did you mean 'max_attempts'" in lines[0]
        assert "'verify'" in lines[1]
        assert "there are timeout, max_attempts, requests_per_minute, max_connections" in lines[1]
        assert "5ecret" not in caplog.text
        assert all(len(line) < 300 for line in lines)

    def test_another_connection_is_warned_about_as_well(self, caplog: pytest.LogCaptureFixture) -> None:
        settings_module._warn_of_unknown.cache_clear()
        for conn_id in ("one", "two"):
            Settings.of(
                Connection(conn_id=conn_id, conn_type="smspartner", password="k", extra='{"other": 1}')
            )

        assert [line for line in ("'one'", "'two'") if line in caplog.text] == ["'one'", "'two'"]

    def test_known_ones_are_not_warned_about(self, caplog: pytest.LogCaptureFixture) -> None:
        settings_module._warn_of_unknown.cache_clear()
        settings(extra=self.DEFAULTS)

        assert caplog.text == ""

    @pytest.mark.parametrize("extra", ["5ecret", "[]", "5", '"5ecret"', "null", "{'a': 1}", "[" * 100_000])
    def test_extra_is_an_object(self, extra: str) -> None:
        # Airflow refuses some of these by itself, if not on every way into its database.
        connection = SimpleNamespace(conn_id="sms", password="the-key", extra=extra)
        with pytest.raises(ValueError, match="extra must be a JSON object") as caught:
            Settings.of(cast(Connection, connection))
        assert "5ecret" not in str(caught.value)


class TestKey:
    @pytest.mark.parametrize("password", [None, ""])
    def test_required(self, password: str | None) -> None:
        with pytest.raises(
            SMSPartnerCredentialsError, match=r"'sms' has no API key.*\"API key\".*password"
        ) as caught:
            settings(password=password)
        # Airflow does not try again what cannot change by itself.
        assert isinstance(caught.value, AirflowFailException)
        assert caught.value.code is None

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_required_before_anything_is_sent(
        self, deferrable: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", '{"conn_type": "smspartner"}')
        sensor = SMSPartnerCampaignSensor(task_id="wait", tag="spring", deferrable=deferrable)

        with pytest.raises(SMSPartnerCredentialsError):
            SMSPartnerHook().get_status_by_tag("spring")
        with pytest.raises(SMSPartnerCredentialsError):
            asyncio.run(SMSPartnerHook().aget_status_by_tag("spring"))
        with pytest.raises(SMSPartnerCredentialsError):
            sensor.execute({})
        assert SMSPartnerHook().test_connection()[0] is False

    @pytest.mark.parametrize("password", ["k", 'k+/=&é"secret%20', " k "])
    def test_taken_as_it_is(self, password: str) -> None:
        assert settings(password=password).api_key == password

    def test_never_shown(self) -> None:
        assert "the-key" not in repr(settings())
        assert "the-key" not in str(settings())

    def test_never_taken_from_elsewhere(self) -> None:
        with pytest.raises(SMSPartnerCredentialsError, match="no API key"):
            settings(password=None, login="the-key", extra={"password": "the-key", "api_key": "the-key"})


class TestFromTheEnvironment:
    KEY = 'k+/=&é"secret%20'

    def test_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read = looked_up(
            json.dumps(
                {
                    "conn_type": "smspartner",
                    "host": "sms.example",
                    "schema": "https",
                    "port": 8443,
                    "password": self.KEY,
                    "extra": {"timeout": 2, "max_attempts": "3"},
                }
            ),
            monkeypatch,
        )

        assert read == Settings(
            base_url="https://sms.example:8443/v1",
            api_key=self.KEY,
            timeout=2.0,
            max_attempts=3,
            requests_per_minute=300,
            max_connections=4,
        )

    @pytest.mark.parametrize(
        ("address", "url"),
        [
            ("", VENDOR),
            ("sms.example", "https://sms.example/v1"),
            ("sms.example:8443/https", "https://sms.example:8443/v1"),
            ("127.0.0.1:8765/http", "http://127.0.0.1:8765/v1"),
            ("[::1]:8765/http", "http://[::1]:8765/v1"),
        ],
    )
    def test_uri(self, address: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        slash = "" if "/" in address else "/"
        key = quote(self.KEY, safe="")
        read = looked_up(f"smspartner://:{key}@{address}{slash}?timeout=2.5&max_connections=8", monkeypatch)

        assert read == Settings(
            base_url=url,
            api_key=self.KEY,
            timeout=2.5,
            max_attempts=5,
            requests_per_minute=300,
            max_connections=8,
        )

    def test_uri_with_the_whole_base_url_as_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        host = quote("https://sms.example:8443/v2", safe="")

        assert looked_up(f"smspartner://:key@{host}", monkeypatch).base_url == "https://sms.example:8443/v2"


class TestForm:
    """One table makes both descriptions; this shows that both say the same."""

    @pytest.fixture
    def described(self) -> dict[str, Any]:
        (described,) = get_provider_info()["connection-types"]
        return described

    def test_the_hooks_attributes(self, described: dict[str, Any]) -> None:
        assert described["connection-type"] == SMSPartnerHook.conn_type == "smspartner"
        assert described["hook-name"] == SMSPartnerHook.hook_name == "SMS Partner"
        assert described["hook-class-name"] == f"{SMSPartnerHook.__module__}.{SMSPartnerHook.__qualname__}"
        assert SMSPartnerHook.conn_name_attr == "smspartner_conn_id"
        assert SMSPartnerHook.default_conn_name == "smspartner_default"

    def test_standard_fields(self, described: dict[str, Any]) -> None:
        behaviour = SMSPartnerHook.get_ui_field_behaviour()

        assert {name.replace("_", "-"): value for name, value in behaviour.items()} == described[
            "ui-field-behaviour"
        ]
        assert behaviour["relabeling"]["password"] == "API key"
        assert set(behaviour["hidden_fields"]) == {"login", "extra"}
        assert behaviour["placeholders"]["password"].startswith("required")

    def test_no_placeholder_of_the_address_fails_as_it_stands(self) -> None:
        placeholders = fields.PLACEHOLDERS

        assert settings(host=placeholders["host"]).base_url == VENDOR
        assert placeholders["schema"] == "leave empty"
        assert "port" not in placeholders

    def test_the_extra_fields_of_the_contract(self, described: dict[str, Any]) -> None:
        fields = described["conn-fields"]

        assert {name: field["schema"]["default"] for name, field in fields.items()} == TestExtra.DEFAULTS
        assert {name: field["schema"]["minimum"] for name, field in fields.items()} == {
            "timeout": 0.001,
            "max_attempts": 1,
            "requests_per_minute": 0,
            "max_connections": 1,
        }
        types = {name: field["schema"]["type"] for name, field in fields.items()}
        assert types.pop("timeout") == ["number", "null"]
        assert all(type_ == ["integer", "null"] for type_ in types.values())
        assert all(field["label"] and field["description"] for field in fields.values())

    def test_what_the_form_allows_is_what_is_read(self, described: dict[str, Any]) -> None:
        for name, field in described["conn-fields"].items():
            schema = field["schema"]
            for value in (schema["default"], schema["minimum"], schema["maximum"]):
                assert getattr(settings(extra={name: value}), name) == value
            for value in (schema["minimum"] - 1, schema["maximum"] + 1):
                with pytest.raises(ValueError, match=name):
                    settings(extra={name: value})

    def test_the_widgets_of_airflow_up_to_3_1(self, described: dict[str, Any]) -> None:
        why = "Airflow's web server up to 3.1 has these; Airflow since 3.2 takes the form from the metadata"
        wtforms = pytest.importorskip("wtforms", reason=why)
        pytest.importorskip("flask_appbuilder", reason=why)
        pytest.importorskip("flask_babel", reason=why)
        widgets = SMSPartnerHook.get_connection_form_widgets()

        class Form(wtforms.Form):
            pass

        for name, widget in widgets.items():
            setattr(Form, name, widget)
        bound = Form()

        assert list(widgets) == list(described["conn-fields"])
        kinds = {"integer": wtforms.IntegerField, "number": wtforms.FloatField}
        for name, field in described["conn-fields"].items():
            schema, widget = field["schema"], bound[name]
            assert type(widget) is kinds[schema["type"][0]]
            assert str(widgets[name].args[0]) == field["label"]
            assert widget.description == field["description"]
            assert widget.data == widget.default == schema["default"]
            optional, bounds = widget.validators
            assert isinstance(optional, wtforms.validators.Optional)
            assert (bounds.min, bounds.max) == (schema["minimum"], schema["maximum"])

    def test_the_form_has_no_field_beyond_the_table(self) -> None:
        assert {field.name for field in EXTRA_FIELDS} == set(TestExtra.DEFAULTS)
        assert set(fields.PLACEHOLDERS) == {"password", "host", "schema", *TestExtra.DEFAULTS}
