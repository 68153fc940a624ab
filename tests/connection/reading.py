"""Connections as Airflow reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

NUMBERS = {"timeout": 10.0, "max_attempts": 5, "requests_per_minute": 300, "max_connections": 4}
DEFAULTS = {**NUMBERS, "sandbox": False}
VENDOR = "https://api.smspartner.fr/v1"


def settings(*, password: str | None = "the-key", extra: Any = None, **fields: Any) -> Settings:
    text = extra if extra is None or isinstance(extra, str) else json.dumps(extra)
    return Settings.of(
        Connection(conn_id="sms", conn_type="smspartner", password=password, extra=text, **fields)
    )


def looked_up(text: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", text)
    return Settings.of(SMSPartnerHook.get_connection("smspartner_default"))
