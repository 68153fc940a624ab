"""A wait from poll to poll, on a clock of the test's own: days pass at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._metrics import POLLS
from airflow_provider_smspartner._waiting import wait as wait_module
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner._waiting.report import PollReport
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, StatusSummary

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
REF = MessageRef("+33639980001", 1)


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


def wait_for(campaign: Campaign, clock: Clock, *, exponential_backoff: bool = False) -> Wait:
    return Wait(
        campaign=campaign,
        goal=Goal(
            settled_ratio=1.0,
            expected_total=None,
            started_at=START,
            deadline=START + timedelta(days=2),
            not_found_until=START + timedelta(minutes=10),
        ),
        rhythm=Rhythm(poke_interval=3600.0, exponential_backoff=exponential_backoff, max_wait=None, seed=""),
        now=clock,
    )


def poll(wait: Wait, answer: DeliveryStatus | Exception) -> PollReport:
    with wait.tally() as tally:
        if isinstance(answer, Exception):
            raise answer
        tally.add(answer, REF)
    return wait.conclude(tally)


def test_two_days_of_waiting_end_at_the_deadline() -> None:
    clock = Clock()
    wait = wait_for(Campaign(tag=None, messages=PendingInMemory([REF])), clock)
    verdicts: list[Verdict] = []

    while not verdicts or verdicts[-1] is Verdict.NOT_YET:
        report = poll(wait, DeliveryStatus.WAITING)
        verdicts.append(report.verdict)
        clock.time = report.next_at

    # At once, and each hour until the first poll after two days.
    assert len(verdicts) == 50
    assert verdicts[-1] is Verdict.TIMED_OUT


def test_an_unknown_message_is_waited_for_until_its_grace_ends() -> None:
    clock = Clock()
    wait = wait_for(Campaign(tag=None, messages=PendingInMemory([REF])), clock)
    unknown = SMSPartnerNotFoundError("x", code=4, http_status=200)

    assert poll(wait, unknown).verdict is Verdict.NOT_YET
    clock.time = START + timedelta(minutes=10)
    assert poll(wait, unknown).verdict is Verdict.NOT_FOUND


def test_an_outage_is_counted_and_its_end_is_told() -> None:
    clock = Clock()
    wait = wait_for(Campaign(tag=None, messages=PendingInMemory([REF])), clock)
    down = SMSPartnerUnavailableError("SMS Partner is down.")

    lines = []
    for answer in (down, down, down, DeliveryStatus.WAITING, DeliveryStatus.WAITING):
        report = poll(wait, answer)
        lines.append((report.is_failed, report.found, report.recovery))
        clock.time += timedelta(hours=1)

    assert lines[:3] == [
        (True, "poll failed: SMS Partner is down", None),
        (True, "poll failed, the 2nd in a row since 10:00:00 UTC: SMS Partner is down", None),
        (True, "poll failed, the 3rd in a row since 10:00:00 UTC: SMS Partner is down", None),
    ]
    assert lines[3][2] == "Campaign of 1 message: polls are answered again, after 3 failed polls in 3:00:00."
    assert lines[4][2] is None


def test_each_poll_is_counted_by_what_it_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    monkeypatch.setattr(wait_module, "count", lambda *told: counted.append(told))
    wait = wait_for(Campaign(tag=None, messages=PendingInMemory([REF])), Clock())

    for answer in (SMSPartnerUnavailableError("down"), DeliveryStatus.WAITING, DeliveryStatus.DELIVERED):
        poll(wait, answer)

    assert counted == [(POLLS, "failed"), (POLLS, "not_yet"), (POLLS, "done")]


def test_a_failed_poll_is_made_again_at_the_deadline_and_not_long_after_it() -> None:
    clock = Clock()
    wait = wait_for(Campaign(tag="spring"), clock)
    clock.time = START + timedelta(days=2, minutes=-10)

    report = poll(wait, SMSPartnerUnavailableError("x"))

    assert report.next_at == START + timedelta(days=2)


def test_a_failed_poll_after_the_deadline_is_made_again_at_once() -> None:
    clock = Clock()
    wait = wait_for(Campaign(tag="spring"), clock)
    clock.time = START + timedelta(days=2)

    report = poll(wait, SMSPartnerUnavailableError("x"))

    assert (report.verdict, report.delay, report.next_at) == (Verdict.NOT_YET, 0.0, clock.time)


@pytest.mark.parametrize(("left", "seconds"), [(100.0, 102.0), (0.5, 2.5), (0.0, 2.0), (-1.0, 60.0)])
def test_time_to_read_ends_soon_after_the_deadline(left: float, seconds: float) -> None:
    assert wait_for(Campaign(tag="spring"), Clock()).time_to_read(left=left) == seconds


def test_a_poll_brings_its_counts_and_when_they_were_read() -> None:
    clock = Clock()
    wait = wait_for(Campaign(tag=None, messages=PendingInMemory([REF])), clock)
    clock.time = START + timedelta(hours=5)

    report = poll(wait, DeliveryStatus.WAITING)

    assert report.summary == StatusSummary(counts={DeliveryStatus.WAITING: 1}, checked_at=clock.time)
    assert (report.delay, report.next_at) == (3600.0, START + timedelta(hours=6))


def test_pauses_grow_with_the_time_since_the_first_poll_and_end_at_the_deadline() -> None:
    clock = Clock()
    wait = wait_for(Campaign(tag="spring"), clock, exponential_backoff=True)

    delays = []
    while clock.time < wait.goal.deadline:
        report = poll(wait, DeliveryStatus.WAITING)
        delays.append(report.delay)
        clock.time = report.next_at

    assert delays == sorted(delays[:-1]) + delays[-1:]
    assert len(delays) < 10
    assert clock.time == wait.goal.deadline
