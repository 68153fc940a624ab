"""Readings that take longer than their waits have time for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

PAGES = 2_000


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SMSPartnerDouble]:
    """A double whose tag "endless" takes minutes to read, and "long" some seconds."""
    with SMSPartnerDouble(api_key="key", page_size=1, latency=0.03) as started:
        for name, value in started.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        for tag, pages in (("endless", PAGES), ("long", 150)):
            for number in range(pages):
                started.add_message(f"+336399{number:05}", f"{tag}{number}", "Delivered", tag=tag)
        yield started


def stops_within(seconds: float, double: SMSPartnerDouble) -> bool:
    """Return whether the double is soon asked no more; a request may still be on its way when a wait ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        asked = len(double.requests)
        time.sleep(0.5)
        if len(double.requests) == asked:
            return True
    return False


def test_a_reading_ends_with_the_time_of_its_wait(
    slow: SMSPartnerDouble, new_trigger: Any, fire_all: Any
) -> None:
    began = time.monotonic()

    (event,) = fire_all([new_trigger(tag="endless", timeout=0.5, poke_interval=60)])

    assert event == {"verdict": "timed_out"}
    assert time.monotonic() - began < 20
    assert len(slow.requests) < PAGES / 2
    assert stops_within(5, slow)


def test_a_shared_reading_goes_on_for_the_wait_that_has_time_left(
    slow: SMSPartnerDouble, new_trigger: Any, fire_all: Any
) -> None:
    short, long = fire_all(
        [
            new_trigger(tag="long", timeout=0.5, poke_interval=60),
            new_trigger(tag="long", timeout=60, poke_interval=60),
        ]
    )

    assert short == {"verdict": "timed_out"}
    assert long == {"verdict": "done", "counts": {"Delivered": 150}}
    assert len(slow.requests) == 150


def test_a_long_list_ends_with_the_time_of_its_wait(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in double.connection_env(requests_per_minute=0, max_connections=1).items():
        monkeypatch.setenv(name, value)
    double.misbehave(Fault.hang(6), times=None)
    messages = [[f"+336399{number:05}", str(number)] for number in range(2_000)]
    began = time.monotonic()

    (event,) = fire_all([new_trigger(messages=messages, timeout=0.3)])

    assert event == {"verdict": "timed_out"}
    assert time.monotonic() - began < 5.5


def test_a_wait_whose_turn_is_minutes_away_ends_in_time(
    slow: SMSPartnerDouble, new_trigger: Any, fire_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in slow.connection_env("throttled", requests_per_minute=1).items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()

    (event,) = fire_all([new_trigger(tag="long", timeout=0.5, conn_id="throttled")])

    assert event == {"verdict": "timed_out"}
    assert time.monotonic() - began < 20
    assert len(slow.requests) == 1
