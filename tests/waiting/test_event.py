"""What the trigger tells the sensor, through Airflow's database: JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_smspartner._waiting.event import Event
from airflow_provider_smspartner._waiting.goal import Verdict
from airflow_provider_smspartner.models import DeliveryStatus

EVENTS = [
    (
        Event(verdict=Verdict.DONE, counts={DeliveryStatus.DELIVERED: 7, DeliveryStatus.NOT_DELIVERED: 1}),
        {"verdict": "done", "counts": {"Delivered": 7, "Not delivered": 1}},
    ),
    (Event(verdict=Verdict.NOT_FOUND, counts={}), {"verdict": "not_found", "counts": {}}),
    (Event(verdict=Verdict.TIMED_OUT), {"verdict": "timed_out"}),
    (
        Event(verdict=Verdict.REFUSED, code=10, http_status=401),
        {"verdict": "refused", "code": 10, "http_status": 401},
    ),
    (
        Event(verdict=Verdict.REFUSED, http_status=403),
        {"verdict": "refused", "code": None, "http_status": 403},
    ),
]


@pytest.mark.parametrize(("event", "payload"), EVENTS)
def test_goes_through_json_and_back(event: Event, payload: dict[str, Any]) -> None:
    assert event.payload() == payload
    assert Event.read(json.loads(json.dumps(event.payload()))) == event


@pytest.mark.parametrize("payload", [None, "done", ["done"], 0])
def test_what_is_no_object_is_no_event(payload: object) -> None:
    with pytest.raises(ValueError, match="event is empty"):
        Event.read(payload)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"verdict": None},
        {"verdict": "not_yet"},
        {"verdict": "a verdict of tomorrow"},
        {"verdict": "done", "counts": {"a status of tomorrow": 1}},
        {"verdict": "done", "counts": {"Delivered": "many"}},
        {"verdict": "done", "counts": [1, 2]},
        {"verdict": "done", "counts": 5},
    ],
)
def test_an_event_of_another_version_is_not_guessed_at(payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nothing that this version of the sensor knows"):
        Event.read(payload)
