"""What tests see of the double: its requests, its connection, its options."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from commands import environment_of_a_user, output_of, run_python
from testing.client import Client, Run

from airflow_provider_smspartner.testing import Fault, RecordedRequest, SMSPartnerDouble
from airflow_provider_smspartner.testing.exchange import Answer
from airflow_provider_smspartner.testing.faults import Proceed


def test_requests_are_recorded(client: Client) -> None:
    before = time.monotonic()
    client.get("/v1/me", apiKey="té &=", x="+33")
    client.post('{"a": [1]}')
    client.post("{")
    first, second, third = client.double.requests
    assert isinstance(first, RecordedRequest)
    assert (first.method, first.path) == ("GET", "/v1/me")
    assert first.query == {"apiKey": "té &=", "x": "+33"}
    assert first.body is None
    assert first.headers["user-agent"] == first.headers["User-Agent"]
    assert before < first.at < second.at < third.at < time.monotonic()
    assert (second.method, second.path, second.body) == ("POST", "/v1/multi-status", {"a": [1]})
    assert third.body is None


def test_a_snapshot_stays_as_it_was(client: Client) -> None:
    client.me()
    snapshot = client.double.requests
    client.me()
    snapshot.clear()
    assert len(client.double.requests) == 2
    client.double.clear_requests()
    assert client.double.requests == []


def test_peer_ports_tell_connections_apart(client: Client) -> None:
    client.me()
    client.me()
    with requests.Session() as other:
        other.get(f"{client.double.url}/v1/me", timeout=5)
    first, second, third = (request.peer_port for request in client.double.requests)
    assert first == second != third


def test_a_raw_plus_is_a_space(client: Client) -> None:
    client.session.get(f"{client.double.url}/v1/me?phone=+33", timeout=5)
    assert client.double.requests[0].query == {"phone": " 33"}


def test_latency(run: Run) -> None:
    client = run(latency=0.3)
    started = time.monotonic()
    client.me()
    assert 0.25 < time.monotonic() - started < 5


def test_max_in_flight(client: Client) -> None:
    together = asyncio.Barrier(5)

    async def meet(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
        # However late a client begins, the others are still there.
        await together.wait()
        return proceed(request)

    client.double.misbehave(Fault("meet", meet), times=5)
    with ThreadPoolExecutor(5) as pool:
        answers = pool.map(lambda _: requests.get(f"{client.double.url}/v1/me", timeout=60), range(5))
        assert all(answer.ok for answer in answers)
    assert client.double.max_in_flight == 5


def test_one_after_the_other_is_one_in_flight(client: Client) -> None:
    assert client.double.max_in_flight == 0
    for _ in range(3):
        client.me()
    assert client.double.max_in_flight == 1


def test_from_asynchronous_code() -> None:
    async def ask(double: SMSPartnerDouble) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{double.url}/v1/me", params={"apiKey": "test-key"}) as response,
        ):
            return await response.json()

    with SMSPartnerDouble() as double:
        assert asyncio.run(ask(double))["success"] is True


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"api_key": ""}, "api_key"),
        ({"page_size": 0}, "page_size"),
        ({"campaign_size": -1}, "campaign_size"),
        ({"unknown_tag": "error"}, "unknown_tag"),
    ],
)
def test_impossible_options(options: Any, text: Any) -> None:
    with pytest.raises(ValueError, match=text):
        SMSPartnerDouble(**options)


def test_connection_json(run: Run) -> None:
    double = run(api_key="s3cret'key").double
    assert json.loads(double.connection_json(timeout=2)) == {
        "conn_type": "smspartner",
        "host": double.url,
        "password": "s3cret'key",
        "extra": {"timeout": 2},
    }


def test_connection_env(client: Client) -> None:
    double = client.double
    assert double.connection_env() == {"AIRFLOW_CONN_SMSPARTNER_DEFAULT": double.connection_json()}
    assert double.connection_env("other", timeout=2) == {
        "AIRFLOW_CONN_OTHER": double.connection_json(timeout=2)
    }


LOOK_UP = """
import json, os

try:
    from airflow.sdk import BaseHook
except ImportError:
    from airflow.hooks.base import BaseHook

for conn_id in ("by_uri", "by_json"):
    found = BaseHook.get_connection(conn_id)
    fields = [found.conn_type, found.host, found.schema, found.port, found.password, found.extra_dejson]
    print("FOUND", json.dumps(fields))
"""


@pytest.mark.parametrize("extra", [{}, {"timeout": 2, "label": "été & co"}])
def test_airflow_reads_both_connections(run: Run, tmp_path: Path, extra: Any) -> None:
    double = run(api_key="k/é y@:?#&").double
    connections = {
        "AIRFLOW_CONN_BY_URI": double.connection_uri(**extra),
        **double.connection_env("by_json", **extra),
    }
    output = output_of(run_python("-c", LOOK_UP, env=environment_of_a_user(tmp_path, env=connections)))
    by_uri, by_json = (
        json.loads(line.removeprefix("FOUND ")) for line in output.splitlines() if line.startswith("FOUND ")
    )
    assert by_uri == ["smspartner", "127.0.0.1", "http", double.port, double.api_key, extra]
    assert by_json == ["smspartner", double.url, None, None, double.api_key, extra]


def test_the_log_holds_no_secret(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # The client's own log is not the double's.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    client.double.add_message("+33699999993", "424242", "Waiting", tag="springtime")
    client.me()
    client.by_tag("springtime")
    client.multi_status([{"phone_number": "+33699999993", "message_id": "424242"}])
    client.get("/v1/0699999993", apiKey="test-key")
    assert caplog.messages == [
        "GET /v1/me: HTTP 200",
        "GET /v1/bulk-status-by-tag: HTTP 200, 1 rows",
        "POST /v1/multi-status: HTTP 200, 1 rows",
        "GET (unknown path): HTTP 404",
    ]
