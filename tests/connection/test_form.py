"""The connection's form, in the metadata and for older Airflows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from connection.reading import DEFAULTS, NUMBERS, VENDOR, settings

from airflow_provider_smspartner._connection import fields
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.provider_info import get_provider_info


class TestForm:
    """One table makes both descriptions; this shows that both say the same."""

    @pytest.fixture
    def described(self) -> dict[str, Any]:
        described: dict[str, Any]
        (described,) = get_provider_info()["connection-types"]
        return described

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
        # Airflow 3.3's Test button refuses a connection without a port: this one is the way round.
        assert re.fullmatch(r"empty, or 443 with the Host .*Test button.*", placeholders["port"])
        for form in ({"host": placeholders["host"]}, {"host": "api.smspartner.fr", "schema": "https"}):
            assert settings(port=443, **form).base_url == VENDOR.replace(".fr", ".fr:443")
        assert set(placeholders) == {"password", "host", "schema", "port", *NUMBERS}

    def test_the_extra_fields_of_the_contract(self, described: dict[str, Any]) -> None:
        fields = described["conn-fields"]

        assert {name: field["schema"]["default"] for name, field in fields.items()} == DEFAULTS
        assert {name: fields[name]["schema"]["minimum"] for name in NUMBERS} == {
            "timeout": 0.001,
            "max_attempts": 1,
            "requests_per_minute": 0,
            "max_connections": 1,
        }
        assert fields["sandbox"]["schema"] == {"type": ["boolean", "null"], "default": False}
        types = {name: field["schema"]["type"] for name, field in fields.items()}
        assert types.pop("timeout") == ["number", "null"]
        assert types.pop("sandbox") == ["boolean", "null"]
        assert all(type_ == ["integer", "null"] for type_ in types.values())
        assert all(field["label"] and field["description"] for field in fields.values())

    def test_what_the_form_allows_is_what_is_read(self, described: dict[str, Any]) -> None:
        for name in NUMBERS:
            schema = described["conn-fields"][name]["schema"]
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

        class Form(wtforms.Form):  # type: ignore[misc, name-defined]  # only older Airflows have it
            pass

        for name, widget in widgets.items():
            setattr(Form, name, widget)
        bound = Form()

        assert list(widgets) == list(described["conn-fields"])
        # With a field of any class but these and PasswordField, Airflow drops the whole connection type.
        kinds = {
            "boolean": wtforms.BooleanField,
            "integer": wtforms.IntegerField,
            "number": wtforms.StringField,
        }
        for name, field in described["conn-fields"].items():
            schema, widget = field["schema"], bound[name]
            assert type(widget) is kinds[schema["type"][0]]
            assert str(widgets[name].args[0]) == field["label"]
            assert widget.description == field["description"]
            assert settings(extra={name: widget.data}) == settings()
        assert 'type="checkbox"' in bound["sandbox"]()

        wrong = {name: str(described["conn-fields"][name]["schema"]["minimum"] - 1) for name in NUMBERS}
        refused = Form(data={}, formdata=_Submitted(wrong))
        assert not refused.validate()
        assert set(refused.errors) == set(NUMBERS)
        right = Form(formdata=_Submitted({"timeout": "2.5", "sandbox": "y"}))
        assert right.validate()
        entered = settings(extra=right.data)
        assert (entered.timeout, entered.sandbox, entered.max_attempts) == (2.5, True, 5)
        assert settings(extra=Form(formdata=_Submitted({"timeout": ""})).data) == settings()


class _Submitted(dict[str, str]):
    """What a browser submits, as WTForms wants it."""

    def getlist(self, name: str) -> list[str]:
        return [self[name]] if name in self else []
