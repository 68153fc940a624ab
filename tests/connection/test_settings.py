"""What a connection says: extras, key, and where it comes from."""

from __future__ import annotations

import asyncio
import itertools
import json
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Connection
from combinations import in_turn
from connection.reading import DEFAULTS, NUMBERS, VENDOR, looked_up, settings

from airflow_provider_smspartner._connection import settings as settings_module
from airflow_provider_smspartner._connection.fields import MAXIMUM
from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerInputError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import SMSPartnerDouble


class TestExtra:
    @pytest.mark.parametrize(
        "extra",
        [None, {"other": 1, "sand": 1, "inbox": 1}, dict.fromkeys(DEFAULTS), dict.fromkeys(DEFAULTS, "")],
        ids=["none", "others", "null", "empty"],
    )
    def test_defaults(self, extra: Any) -> None:
        read = settings(extra=extra)

        assert {name: getattr(read, name) for name in DEFAULTS} == DEFAULTS

    @pytest.mark.parametrize(
        ("name", "raw", "value"),
        [
            ("timeout", 2, 2.0),
            ("timeout", "2.5", 2.5),
            ("max_attempts", 7.0, 7),
            ("requests_per_minute", "0", 0),
            ("max_connections", "16", 16),
            ("sandbox", 1, True),
            ("sandbox", "0", False),
            ("sandbox", " True ", True),
            ("sandbox", "FALSE", False),
        ],
    )
    def test_values_and_their_text(self, name: str, raw: object, value: float) -> None:
        read = getattr(settings(extra={name: raw}), name)

        assert read == value
        assert type(read) is type(value)

    @in_turn(
        raw={
            "text": "5ecret",
            "nan": "nan",
            "infinite": "-inf",
            "negative": -1,
            "boolean": True,
            "list": [5],
            "large": 10**400,
            "above": MAXIMUM + 1,
        },
        name=list(NUMBERS),
    )
    def test_bad_numbers_name_the_field_and_never_show_the_value(self, name: str, raw: object) -> None:
        says = f"extra field '{name}' must be a (whole )?number from "
        with pytest.raises(ValueError, match=says) as caught:
            settings(extra={name: raw})
        assert "5ecret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "raw"),
        [("timeout", 0), ("max_attempts", 0), ("max_attempts", 1.5), ("max_connections", "2.5")],
    )
    def test_bounds(self, name: str, raw: object) -> None:
        with pytest.raises(ValueError, match=name):
            settings(extra={name: raw})

    @pytest.mark.parametrize("raw", ["5ecret", "yes", 2, 1.0, [True]], ids=repr)
    def test_what_is_no_boolean_names_the_field_and_never_shows_the_value(self, raw: object) -> None:
        with pytest.raises(ValueError, match="extra field 'sandbox' must be true or false") as caught:
            settings(extra={"sandbox": raw})
        assert "5ecret" not in str(caught.value)

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
        assert "there are timeout, max_attempts, requests_per_minute, max_connections, sandbox" in lines[1]
        assert "5ecret" not in caplog.text
        assert all(len(line) < 300 for line in lines)
        # Another connection is warned about as well, and one without such a field is not.
        caplog.clear()
        for conn_id, given in (("two", {"other": 1}), ("three", DEFAULTS)):
            Settings.of(
                Connection(conn_id=conn_id, conn_type="smspartner", password="k", extra=json.dumps(given))
            )
        assert "'two'" in caplog.text
        assert "'three'" not in caplog.text

    @pytest.mark.parametrize(
        "name",
        [
            *("Sandbox", "SANDBOX", "sandBox", "sand_box", "sand-box", "sandbox ", " sandbox"),
            *("is_sandbox", "isSandBox", "sandbox_mode", "extra__smspartner__sandbox", "use_sanbox"),
            *("sanbox", "sandbx", "snadbox", "sandobx", "sandboxx", "sendbox", "sandbox\n"),
        ],
    )
    def test_a_misspelt_sandbox_is_an_error_and_sends_nothing(
        self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        for given in ({name: True}, {"sandbox": True, name: "5ecret"}):
            connection = json.loads(double.connection_json()) | {"extra": given}
            monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(connection))
            hook = SMSPartnerHook()
            with pytest.raises(SMSPartnerInputError, match="Write it 'sandbox', or remove it") as caught:
                hook.send(["+33639980001"], "Hello")
            assert repr(name) in str(caught.value)
            assert "5ecret" not in str(caught.value)
            with pytest.raises(SMSPartnerInputError):
                asyncio.run(hook.asend(["+33639980001"], "Hello"))
            assert hook.test_connection() == (False, str(caught.value))
        assert double.requests == []

    @pytest.mark.parametrize("extra", ["5ecret", "[]", "null", "[" * 100_000], ids=itertools.count())
    def test_extra_is_an_object(self, extra: str) -> None:
        # Airflow refuses some of these by itself, if not on every way into its database.
        connection = SimpleNamespace(conn_id="sms", password="the-key", extra=extra)
        with pytest.raises(ValueError, match="extra must be a JSON object") as caught:
            Settings.of(cast(Connection, connection))
        assert "5ecret" not in str(caught.value)


class TestKey:
    @pytest.mark.parametrize("password", [None, ""])
    def test_required_and_never_taken_from_elsewhere(self, password: str | None) -> None:
        with pytest.raises(
            SMSPartnerCredentialsError, match=r"'sms' has no API key.*\"API key\".*password"
        ) as caught:
            settings(password=password, login="the-key", extra={"password": "the-key", "api_key": "the-key"})
        # Airflow does not try again what cannot change by itself.
        assert isinstance(caught.value, AirflowFailException)
        assert caught.value.code is None

    def test_required_before_anything_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", '{"conn_type": "smspartner"}')

        with pytest.raises(SMSPartnerCredentialsError):
            SMSPartnerHook().get_status_by_tag("spring")
        with pytest.raises(SMSPartnerCredentialsError):
            asyncio.run(SMSPartnerHook().aget_status_by_tag("spring"))
        for deferrable in (True, False):
            sensor = SMSPartnerCampaignSensor(task_id="wait", tag="spring", deferrable=deferrable)
            with pytest.raises(SMSPartnerCredentialsError):
                sensor.execute({})
        assert SMSPartnerHook().test_connection()[0] is False

    def test_taken_as_it_is_and_never_shown(self) -> None:
        read = settings(password=' k+/=&é"secret%20 ')
        assert read.api_key == ' k+/=&é"secret%20 '
        assert "secret" not in f"{read!r} {read}"


class TestFromTheEnvironment:
    KEY = 'k+/=&é"secret%20'

    @pytest.mark.parametrize(
        ("address", "url"),
        [
            ("/", VENDOR),
            ("sms.example:8443/https", "https://sms.example:8443/v1"),
            ("[::1]:8765/http", "http://[::1]:8765/v1"),
            (quote("https://sms.example:8443/v2", safe="") + "/", "https://sms.example:8443/v2"),
        ],
    )
    def test_uri(self, address: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        read = looked_up(
            f"smspartner://:{quote(self.KEY, safe='')}@{address}?timeout=2.5&max_connections=8&sandbox=True",
            monkeypatch,
        )

        assert read == Settings(
            base_url=url,
            api_key=self.KEY,
            timeout=2.5,
            max_attempts=5,
            requests_per_minute=300,
            max_connections=8,
            sandbox=True,
        )
