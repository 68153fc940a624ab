"""What `make up` offers to somebody who looks around in the UI."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import connection_to, environment


def test_the_connections_test_button_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")  # the caller's own configuration

    env = environment(tmp_path, dags=tmp_path, url="http://127.0.0.1:8080")

    assert env["AIRFLOW__CORE__TEST_CONNECTION"] == "Enabled"


def test_the_connection_leads_to_the_double_and_names_its_port() -> None:
    with SMSPartnerDouble(api_key="key") as double:
        fields = connection_to(double)
        settings = Settings.of(Connection(conn_id="double", **fields))

        assert settings.base_url == f"{double.url}/v1"
        assert settings.api_key == "key"
        assert fields["port"]
