"""The judgement and the rhythm that the sensor's three modes share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, StatusSummary

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


def rhythm(poke_interval: float = 60.0, *, progressive: bool = True, max_wait: float | None = None) -> Rhythm:
    return Rhythm(poke_interval=poke_interval, exponential_backoff=progressive, max_wait=max_wait, seed="d#t")


def test_keeps_the_interval_without_backoff() -> None:
    assert {rhythm(progressive=False).delay(elapsed, remaining=9.0) for elapsed in (0, 1e3, 1e6)} == {60.0}


def waits(kept: Rhythm, count: int) -> list[float]:
    elapsed, delays = 0.0, []
    for _ in range(count):
        delays.append(kept.delay(elapsed, remaining=float("inf")))
        # What a poll itself takes must not make a wait count twice, nor be skipped.
        elapsed += delays[-1] + 0.01
    return delays


def test_waits_progressively_as_airflow_does() -> None:
    for number, wait in enumerate(waits(rhythm(), 8), start=1):
        assert 60 * 2 ** (number - 2) <= wait <= 60 * 2 ** (number - 1)


def test_caps_progressive_waits() -> None:
    assert waits(rhythm(max_wait=100.0), 6)[-3:] == [100.0] * 3
    assert max(waits(rhythm(max_wait=100.0), 6)) == 100.0


def test_does_not_wait_progressively_past_the_deadline() -> None:
    assert rhythm().delay(1e6, remaining=12.0) == 12.0
    assert rhythm().delay(1e6, remaining=-3.0) == 0.0


def test_waits_of_two_tasks_differ() -> None:
    other = Rhythm(poke_interval=60.0, exponential_backoff=True, max_wait=None, seed="d#u")

    assert waits(other, 5) != waits(rhythm(), 5)


@given(
    poke_interval=st.floats(0, 1e6),
    elapsed=st.floats(0, 1e9),
    max_wait=st.none() | st.floats(0, 1e6),
    remaining=st.floats(-1e6, 1e9),
)
def test_always_gives_a_sane_delay(
    poke_interval: float, elapsed: float, max_wait: float | None, remaining: float
) -> None:
    delay = rhythm(poke_interval, max_wait=max_wait).delay(elapsed, remaining=remaining)

    assert 0 <= delay <= max(remaining, 0)
    assert not max_wait or delay <= max_wait


REFS = [MessageRef(f"+3363998000{n}", n) for n in range(3)]


def test_a_whole_reading_leaves_only_what_is_not_final_to_ask_for() -> None:
    watch = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(watch) as tally:
        for ref, status in zip(REFS, ("DELIVERED", "WAITING", "UNKNOWN"), strict=True):
            tally.add(DeliveryStatus[status], ref)

    assert watch.messages == REFS[1:]
    assert watch.settled == {DeliveryStatus.DELIVERED: 1}
    assert tally.summary is not None
    assert tally.summary.total == 3


@pytest.mark.parametrize("trouble", [SMSPartnerUnavailableError("x"), SMSPartnerIncompleteError("x")])
def test_passing_trouble_breaks_a_reading_off_and_leaves_the_watch_as_it_was(trouble: Exception) -> None:
    watch = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(watch) as tally:
        tally.add(DeliveryStatus.DELIVERED, REFS[0])
        raise trouble

    assert tally.summary is None
    assert tally.trouble is trouble
    assert (watch.messages, watch.settled) == (REFS, {})


def test_answers_of_a_reading_that_was_broken_off_do_not_count_for_the_next() -> None:
    watch = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(watch) as broken_off:
        broken_off.add(DeliveryStatus.DELIVERED, REFS[0])
        raise SMSPartnerUnavailableError("x")
    with Tally(watch) as tally:
        broken_off.add(DeliveryStatus.DELIVERED, REFS[1])
        for ref in REFS:
            tally.add(DeliveryStatus.WAITING, ref)

    assert watch.messages == REFS


def test_an_unknown_tag_reads_as_no_rows() -> None:
    with Tally(Campaign(tag="spring")) as tally:
        raise SMSPartnerNotFoundError("x")

    assert tally.summary is not None
    assert tally.summary.total == 0


def test_a_list_that_the_vendor_does_not_know_reads_as_not_found() -> None:
    watch = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(watch) as tally:
        raise SMSPartnerNotFoundError("x")

    assert tally.summary is not None
    assert tally.summary.counts == {DeliveryStatus.NOT_FOUND: 3}
    assert watch.messages == REFS


def test_other_errors_are_not_kept() -> None:
    with pytest.raises(SMSPartnerCredentialsError), Tally(Campaign(tag="spring")):
        raise SMSPartnerCredentialsError("x")
