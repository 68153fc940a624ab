"""Airflow connections that change, or cannot be found, while waits go on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import Connection as AirflowConnection

from airflow_provider_smspartner._shared_polls import connections
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

VARIABLE = "AIRFLOW_CONN_SMSPARTNER_DEFAULT"
WAITS = 120


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The look-ups of connections."""
    seen: list[str] = []

    async def look_up(conn_id: str) -> Any:
        seen.append(conn_id)
        return await get_async_connection(conn_id)

    monkeypatch.setattr(connections, "get_async_connection", look_up)
    return seen


def message(number: int) -> list[str]:
    return [f"+336399{number:05}", str(number)]


def waiting(new_trigger: Any, **arguments: Any) -> list[Any]:
    return [
        new_trigger(messages=[message(number)], poke_interval=0.3, **arguments) for number in range(WAITS)
    ]


def rotate(double: SMSPartnerDouble, key: str) -> None:
    """Make the double accept another key only."""
    double.api_key = key
    object.__setattr__(double._vendor, "api_key", key)


def test_a_rotated_key_ends_no_wait(
    *,
    double: SMSPartnerDouble,
    new_trigger: Any,
    fire_all: Any,
    monkeypatch: pytest.MonkeyPatch,
    look_ups: list[str],
    settle: Any,
) -> None:
    for number in range(WAITS):
        double.add_message(*message(number), "Waiting")

    async def change_the_key() -> None:
        await asyncio.sleep(0.7)
        rotate(double, "new-key")
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        await asyncio.sleep(1)
        double.clear_requests()
        await asyncio.sleep(1)
        # They share again.
        assert 1 <= len(double.requests) <= 15
        settle(double)

    events = fire_all(waiting(new_trigger), change_the_key)

    assert events == [{"verdict": "done", "counts": {"Delivered": 1}}] * WAITS
    assert len(look_ups) <= 10


def test_other_settings_are_seen_after_a_failed_poll(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.misbehave(Fault.status(503), times=None)
    with SMSPartnerDouble(api_key="elsewhere") as other:
        other.add_message("+33639980001", "1", "Delivered", tag="spring")

        async def change_the_host() -> None:
            await asyncio.sleep(0.5)
            for name, value in other.connection_env(requests_per_minute=0).items():
                monkeypatch.setenv(name, value)

        (event,) = fire_all([new_trigger(tag="spring")], change_the_host)

    assert event["verdict"] == "done"


def test_refused_credentials_of_an_unchanged_connection_end_the_waits_at_once(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any, look_ups: list[str]
) -> None:
    rotate(double, "new-key")
    began = time.monotonic()

    events = fire_all(waiting(new_trigger, first_in=0.2))

    assert events == [{"verdict": "refused", "code": 10, "http_status": 200}] * WAITS
    assert time.monotonic() - began < 10
    assert len(look_ups) <= 6


def test_refused_credentials_whose_connection_cannot_be_found_now_do_not_end_the_wait(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any, monkeypatch: pytest.MonkeyPatch, settle: Any
) -> None:
    double.add_message("+33639980001", "1", "Waiting", tag="spring")

    async def lose_the_connection() -> None:
        await asyncio.sleep(0.3)
        monkeypatch.delenv(VARIABLE)
        rotate(double, "new-key")
        await asyncio.sleep(0.7)
        settle(double)
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)

    (event,) = fire_all([new_trigger(tag="spring")], lose_the_connection)

    assert event["verdict"] == "done"


@pytest.mark.parametrize("found", [None, {"conn_type": "smspartner"}], ids=["missing", "without a key"])
def test_a_connection_that_cannot_be_used_yet_is_waited_for(
    *,
    double: SMSPartnerDouble,
    new_trigger: Any,
    fire_all: Any,
    monkeypatch: pytest.MonkeyPatch,
    look_ups: list[str],
    log_lines: Callable[[], list[tuple[str, str]]],
    found: Any,
) -> None:
    right = double.connection_env(requests_per_minute=0)[VARIABLE]
    monkeypatch.delenv(VARIABLE)
    if found is not None:
        monkeypatch.setenv(VARIABLE, json.dumps(found))
    for number in range(WAITS):
        double.add_message(*message(number), "Delivered")

    async def mend() -> None:
        await asyncio.sleep(1)
        monkeypatch.setenv(VARIABLE, right)

    events = fire_all(waiting(new_trigger), mend)

    assert events == [{"verdict": "done", "counts": {"Delivered": 1}}] * WAITS
    # Pauses from 0.05 to 0.2 s, however many wait.
    assert len(look_ups) <= 40
    warnings = [line for level, line in log_lines() if level == "warning"]
    assert any(
        "The Airflow connection 'smspartner_default' cannot be used for now" in line for line in warnings
    )


def test_a_connection_that_is_never_found_ends_the_wait_at_its_deadline(
    new_trigger: Any, fire_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    began = time.monotonic()
    trigger = new_trigger(tag="spring", timeout=0.5)
    trigger.rhythm["poke_interval"] = 60

    assert fire_all([trigger]) == [{"verdict": "timed_out"}]
    assert 0.5 <= time.monotonic() - began < 10


@pytest.mark.parametrize("reads", ["look-up", "extra"])
def test_a_connection_that_raises_is_looked_for_at_a_pace_and_not_quoted(
    *,
    reads: str,
    double: SMSPartnerDouble,
    new_trigger: Any,
    fire_all: Any,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: Callable[[], list[tuple[str, str]]],
) -> None:
    class Unreadable:
        # As on Airflow 2 after a lost Fernet key: it decrypts the extra only once that is read.
        def __getattr__(self, name: str) -> Any:
            if name == "extra":
                raise RuntimeError("vault token s3cr3t")
            return getattr(connection, name)

    connection = AirflowConnection(conn_id="smspartner_default", conn_type="smspartner", password="key")
    look_ups = []

    async def look_up(conn_id: str) -> Any:
        look_ups.append(conn_id)
        if reads == "look-up":
            raise RuntimeError("vault token s3cr3t")
        return Unreadable()

    monkeypatch.setattr(connections, "get_async_connection", look_up)
    monkeypatch.setattr(connections, "_FIRST_PAUSE_SECONDS", 60.0)
    monkeypatch.setattr(connections, "_MAX_PAUSE_SECONDS", 60.0)

    assert fire_all([new_trigger(tag="spring", timeout=0.4)]) == [{"verdict": "timed_out"}]
    assert len(look_ups) == 1
    text = "\n".join(line for _, line in log_lines())
    assert "it could not be looked up (RuntimeError)" in text
    assert "s3cr3t" not in text
