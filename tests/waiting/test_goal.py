"""The one judgement of the three modes, and how its verdict goes from the trigger to the sensor."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from clocks import START

from airflow_provider_smspartner._waiting.event import Event
from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner.models import DeliveryStatus, StatusSummary

IN_TIME = START + timedelta(minutes=5)
AFTER_GRACE = START + timedelta(minutes=10)
TOO_LATE = START + timedelta(days=2, seconds=1)
DONE, NOT_YET, NOT_FOUND, TIMED_OUT = Verdict.DONE, Verdict.NOT_YET, Verdict.NOT_FOUND, Verdict.TIMED_OUT


def goal(settled_ratio: float = 1.0, expected_total: int | None = None) -> Goal:
    return Goal(
        settled_ratio=settled_ratio,
        expected_total=expected_total,
        started_at=START,
        deadline=START + timedelta(days=2),
        not_found_until=AFTER_GRACE,
    )


def counted(**counts: int) -> StatusSummary:
    return StatusSummary(
        counts={DeliveryStatus[name.upper()]: count for name, count in counts.items()}, checked_at=START
    )


@pytest.mark.parametrize(
    ("what", "summary", "verdict"),
    [
        (goal(0.75), counted(delivered=3, waiting=1), DONE),
        (goal(0.75), counted(delivered=3, not_found=1), DONE),
        (goal(0.76), counted(delivered=3, waiting=1), NOT_YET),
        (goal(0.07), counted(delivered=7, waiting=93), DONE),
        (goal(0.0001), counted(waiting=5), NOT_YET),
        (goal(expected_total=5), counted(delivered=5), DONE),
        (goal(expected_total=5), counted(delivered=4), NOT_YET),
        (goal(0.5, expected_total=5), counted(delivered=4, not_found=1), NOT_YET),
    ],
)
def test_enough_is_a_share_of_the_known_and_a_total(
    what: Goal, summary: StatusSummary, verdict: Verdict
) -> None:
    assert what.judge(summary, now=IN_TIME) is verdict


@pytest.mark.parametrize(
    ("summary", "verdicts"),
    [
        (counted(delivered=3, not_delivered=1, ko=1, unknown=1), [DONE] * 4),
        (counted(delivered=3, waiting=1), [NOT_YET, NOT_YET, NOT_YET, TIMED_OUT]),
        (counted(delivered=3, not_found=1), [NOT_YET, NOT_YET, NOT_FOUND, NOT_FOUND]),
        (counted(), [NOT_YET, NOT_YET, NOT_FOUND, NOT_FOUND]),
        (None, [NOT_YET, NOT_YET, NOT_YET, TIMED_OUT]),
    ],
    ids=["settled", "waiting", "one unknown", "all unknown", "a failed poll"],
)
def test_a_poll_means_something_else_once_the_grace_and_the_time_are_over(
    summary: StatusSummary | None, verdicts: list[Verdict]
) -> None:
    times = [IN_TIME, AFTER_GRACE - timedelta(seconds=1), AFTER_GRACE, TOO_LATE]

    assert [goal().judge(summary, now=now) for now in times] == verdicts
    assert goal().judge(summary, now=TOO_LATE - timedelta(seconds=1)) is verdicts[2]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (
            Event(verdict=DONE, counts={DeliveryStatus.DELIVERED: 7, DeliveryStatus.NOT_DELIVERED: 1}),
            {"verdict": "done", "counts": {"Delivered": 7, "Not delivered": 1}},
        ),
        (Event(verdict=NOT_FOUND, counts={}), {"verdict": "not_found", "counts": {}}),
        (Event(verdict=TIMED_OUT), {"verdict": "timed_out"}),
        (
            Event(verdict=Verdict.REFUSED, code=10, http_status=401),
            {"verdict": "refused", "code": 10, "http_status": 401},
        ),
    ],
    ids=lambda value: value["verdict"] if isinstance(value, dict) else "",
)
def test_an_event_goes_through_json_and_back(event: Event, payload: dict[str, Any]) -> None:
    assert event.payload() == payload
    assert Event.read(json.loads(json.dumps(event.payload()))) == event


@pytest.mark.parametrize("payload", [None, ["done"]])
def test_what_is_no_object_is_no_event(payload: object) -> None:
    with pytest.raises(ValueError, match="event is empty"):
        Event.read(payload)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"verdict": "not_yet"},
        {"verdict": "a verdict of tomorrow"},
        {"verdict": "done", "counts": {"a status of tomorrow": 1}},
        {"verdict": "done", "counts": {"Delivered": "many"}},
        {"verdict": "done", "counts": [1, 2]},
    ],
    ids=["empty", "not yet", "verdict", "status", "count", "list"],
)
def test_an_event_of_another_version_is_not_guessed_at(payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nothing that this version of the sensor knows"):
        Event.read(payload)
