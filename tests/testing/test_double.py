"""What tests see of the double: its connection, its options and its log."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from testing.client import Client, Run

from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import SMSPartnerDouble


@pytest.mark.parametrize(("option", "value"), [("api_key", ""), ("page_size", 0), ("unknown_tag", "error")])
def test_impossible_options(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=option):
        SMSPartnerDouble(**{option: value})


def test_airflow_reads_both_connections(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    extra: dict[str, Any] = {"timeout": 2, "label": "été & co"}
    double = run(api_key="k/é y@:?#&'").double
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", double.connection_uri(**extra))
    by_env = double.connection_env("by_json", **extra)
    assert by_env == {"AIRFLOW_CONN_BY_JSON": double.connection_json(**extra)}
    monkeypatch.setenv(*by_env.popitem())

    by_uri, by_json = (
        [each.conn_type, each.host, each.schema, each.port, each.password, each.extra_dejson]
        for each in map(SMSPartnerHook.get_connection, ("by_uri", "by_json"))
    )

    assert by_uri == ["smspartner", "127.0.0.1", "http", double.port, double.api_key, extra]
    assert by_json == ["smspartner", double.url, None, None, double.api_key, extra]
    assert json.loads(double.connection_env()["AIRFLOW_CONN_SMSPARTNER_DEFAULT"])["extra"] == {}


def test_the_log_counts_and_holds_no_secret(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.double.add_message("+33699999993", "424242", "Waiting", tag="springtime")
    client.me()
    client.by_tag("springtime")
    client.multi_status([{"phone_number": "+33699999993", "message_id": "424242"}])
    client.get("/v1/0699999993", apiKey="test-key")
    two = client.send_to("+33639980001", "+33639980002", message="Code 4711" * 20, tag="springtime").json()
    client.bulk_send({"+33639980001": "Code 4711"})
    client.double.add_stop("+33639980001")
    client.send_to("+33639980001")
    client.cancel(two["message_id"])
    client.stop_list()
    # The client's own log is not the double's.
    logged = [each.getMessage() for each in caplog.records if not each.name.startswith("urllib3")]
    assert logged == [
        "GET /v1/me: HTTP 200",
        "GET /v1/bulk-status-by-tag: HTTP 200, 1 rows",
        "POST /v1/multi-status: HTTP 200, 1 rows",
        "GET (unknown path): HTTP 404",
        "POST /v1/bulk-send: HTTP 200, 4 SMS",
        "POST /v1/bulk-send: HTTP 200, 1 SMS",
        "POST /v1/bulk-send: HTTP 200",
        "GET /v1/message-cancel: HTTP 200",
        "GET /v1/stop-sms/list: HTTP 200",
    ]
