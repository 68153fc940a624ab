"""The one judgement of the three modes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner.models import DeliveryStatus, StatusSummary

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
IN_TIME = START + timedelta(minutes=5)
AFTER_GRACE = START + timedelta(minutes=10)
TOO_LATE = START + timedelta(days=2, seconds=1)


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
        (goal(), counted(delivered=3, not_delivered=1, ko=1), Verdict.DONE),
        (goal(), counted(delivered=3, waiting=1), Verdict.NOT_YET),
        (goal(), counted(delivered=3, unknown=1), Verdict.DONE),
        (goal(), counted(delivered=3, not_found=1), Verdict.NOT_YET),
        (goal(), counted(), Verdict.NOT_YET),
        (goal(), None, Verdict.NOT_YET),
        (goal(0.75), counted(delivered=3, waiting=1), Verdict.DONE),
        (goal(0.75), counted(delivered=3, not_found=1), Verdict.DONE),
        (goal(0.76), counted(delivered=3, waiting=1), Verdict.NOT_YET),
        (goal(0.07), counted(delivered=7, waiting=93), Verdict.DONE),
        (goal(0.0001), counted(waiting=5), Verdict.NOT_YET),
        (goal(expected_total=5), counted(delivered=5), Verdict.DONE),
        (goal(expected_total=5), counted(delivered=4), Verdict.NOT_YET),
        (goal(0.5, expected_total=5), counted(delivered=4, not_found=1), Verdict.NOT_YET),
    ],
)
def test_judges_within_its_time(what: Goal, summary: StatusSummary | None, verdict: Verdict) -> None:
    assert what.judge(summary, now=IN_TIME) is verdict


@pytest.mark.parametrize(
    ("summary", "verdict"),
    [
        (counted(), Verdict.NOT_FOUND),
        (counted(delivered=3, not_found=1), Verdict.NOT_FOUND),
        (counted(delivered=3, waiting=1), Verdict.NOT_YET),
        (counted(delivered=3), Verdict.DONE),
        (None, Verdict.NOT_YET),
    ],
)
def test_waits_for_the_unknown_during_the_grace_only(summary: StatusSummary | None, verdict: Verdict) -> None:
    assert goal().judge(summary, now=AFTER_GRACE - timedelta(seconds=1)) in (Verdict.NOT_YET, Verdict.DONE)
    assert goal().judge(summary, now=AFTER_GRACE) is verdict


@pytest.mark.parametrize(
    ("summary", "verdict"),
    [
        (counted(delivered=3, waiting=1), Verdict.TIMED_OUT),
        (None, Verdict.TIMED_OUT),
        (counted(delivered=3), Verdict.DONE),
        (counted(), Verdict.NOT_FOUND),
    ],
)
def test_judges_after_its_time(summary: StatusSummary | None, verdict: Verdict) -> None:
    assert goal().judge(summary, now=TOO_LATE) is verdict


def test_only_what_was_read_can_lack_messages() -> None:
    assert not goal().lacks_messages(None)
    assert goal().lacks_messages(counted())
    assert goal().lacks_messages(counted(delivered=3, not_found=1))
    assert not goal().lacks_messages(counted(delivered=3, waiting=1))
