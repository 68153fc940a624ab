"""A wait from poll to poll, on a clock of the test's own, and what it says in the task's log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from clocks import START, FakeClock

from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._metrics import POLLS
from airflow_provider_smspartner._waiting import wait as wait_module
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.event import Event
from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner._waiting.report import PollReport
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, StatusSummary

REF = MessageRef("+33639980001", 1)
DOWN = SMSPartnerUnavailableError("SMS Partner is down.")
WAITING, DELIVERED, KO = DeliveryStatus.WAITING, DeliveryStatus.DELIVERED, DeliveryStatus.KO
HOUR = 3600.0
DAY = 24 * HOUR


def wait_for(
    *refs: MessageRef,
    clock: FakeClock,
    settled_ratio: float = 1.0,
    expected_total: int | None = None,
    exponential_backoff: bool = False,
) -> Wait:
    """Wait two days for messages, or without them for a tag."""
    return Wait(
        campaign=Campaign(tag=None if refs else "spring", messages=PendingInMemory(refs)),
        goal=Goal(
            settled_ratio=settled_ratio,
            expected_total=expected_total,
            started_at=START,
            deadline=START + timedelta(days=2),
            not_found_until=START + timedelta(minutes=10),
        ),
        rhythm=Rhythm(poke_interval=HOUR, exponential_backoff=exponential_backoff, max_wait=None, seed=""),
        now=clock.now,
    )


def poll(wait: Wait, *answers: DeliveryStatus | Exception) -> PollReport:
    with wait.tally() as tally:
        for number, answer in enumerate(answers, start=1):
            if isinstance(answer, Exception):
                raise answer
            tally.add(answer, None if wait.campaign.tag else MessageRef("+33639980001", number))
    return wait.conclude(tally)


def test_two_days_of_waiting_end_at_the_deadline(clock: FakeClock) -> None:
    wait = wait_for(REF, clock=clock)
    verdicts: list[Verdict] = []

    while not verdicts or verdicts[-1] is Verdict.NOT_YET:
        report = poll(wait, WAITING)
        assert report.summary == StatusSummary(counts={WAITING: 1}, checked_at=clock.now())
        assert (report.delay, report.next_at) == (HOUR, clock.now() + timedelta(hours=1))
        verdicts.append(report.verdict)
        clock.advance(report.delay)

    # At once, and each hour until the first poll after two days.
    assert len(verdicts) == 50
    assert verdicts[-1] is Verdict.TIMED_OUT


def test_pauses_grow_with_the_time_since_the_first_poll_and_end_at_the_deadline(clock: FakeClock) -> None:
    wait = wait_for(clock=clock, exponential_backoff=True)

    delays = []
    while clock.now() < wait.goal.deadline:
        delays.append(poll(wait, WAITING).delay)
        clock.advance(delays[-1])

    assert delays == sorted(delays[:-1]) + delays[-1:]
    assert len(delays) < 10
    assert clock.now() == wait.goal.deadline


@pytest.mark.parametrize(
    ("passed", "delay"), [(2 * DAY - 600, 600), (2 * DAY, 0)], ids=["just before", "at the deadline"]
)
def test_a_failed_poll_is_made_again_at_the_deadline_and_not_long_after_it(
    clock: FakeClock, passed: float, delay: float
) -> None:
    wait = wait_for(clock=clock)
    clock.advance(passed)

    report = poll(wait, DOWN)

    assert (report.verdict, report.delay) == (Verdict.NOT_YET, delay)
    assert report.next_at == wait.goal.deadline


@pytest.mark.parametrize(("left", "seconds"), [(100.0, 102.0), (0.0, 2.0), (-1.0, 60.0)])
def test_time_to_read_ends_soon_after_the_deadline(clock: FakeClock, left: float, seconds: float) -> None:
    assert wait_for(clock=clock).time_to_read(left=left) == seconds


def test_each_poll_is_counted_by_what_it_meant(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    monkeypatch.setattr(wait_module, "count", lambda *metric: counted.append(metric))
    wait = wait_for(REF, clock=clock)

    for answer in (DOWN, WAITING, DELIVERED):
        poll(wait, answer)

    assert counted == [(POLLS, "failed"), (POLLS, "not_yet"), (POLLS, "done")]


@pytest.mark.parametrize(
    ("options", "until", "polls"),
    [
        ({}, "100% of its messages have settled (`settled_ratio`)", ""),
        (
            {"settled_ratio": 0.25, "expected_total": 8},
            "25% of its messages have settled (`settled_ratio`) and 8 are known (`expected_total`)",
            "",
        ),
        (
            {"exponential_backoff": True},
            "100% of its messages have settled (`settled_ratio`)",
            " at first, then less often (`exponential_backoff`)",
        ),
    ],
    ids=["plain", "share and total", "progressive"],
)
def test_the_opening_says_what_is_waited_for_how_often_and_for_how_long(
    clock: FakeClock, options: dict[str, float], until: str, polls: str
) -> None:
    assert wait_for(clock=clock, **options).opening() == (  # type: ignore[arg-type]
        f"Waiting for campaign 'spring' until {until}. Polls every 3600 s (`poke_interval`){polls}, since "
        "2026-03-02 09:00:00 UTC. Gives up at 2026-03-04 09:00:00 UTC (`timeout`); for messages that SMS Partner "
        "does not know, at 2026-03-02 09:10:00 UTC (`not_found_grace`)."
    )


def test_the_triggerer_says_when_it_polls_next_and_gives_up(clock: FakeClock) -> None:
    assert wait_for(clock=clock).going_on(START + timedelta(hours=1)) == (
        "The triggerer goes on waiting for campaign 'spring': it polls next at 2026-03-02 10:00:00 UTC, and gives up "
        "at 2026-03-04 09:00:00 UTC."
    )


def test_what_a_trigger_has_failed_with_reaches_the_sensor() -> None:
    event = Event(verdict=Verdict.FAILED, error="The file is gone.", is_bad_input=True)

    assert event.payload() == {"verdict": "failed", "error": "The file is gone.", "is_bad_input": True}
    assert Event.read(event.payload()) == event


@pytest.mark.parametrize(
    ("refs", "answers", "line"),
    [
        ([], [DELIVERED, WAITING], "{soon}; 1 of 2 settled (50.0%): Delivered 1, Waiting 1."),
        (
            [],
            [],
            "{soon}; not known to SMS Partner (yet); waited for until 09:10:00 UTC (`not_found_grace`).",
        ),
        ([], [DOWN], "{soon}; poll failed: SMS Partner is down."),
        (
            [REF, MessageRef("+33639980001", 2)],
            [DELIVERED, KO],
            "Campaign of 2 messages: 2 of 2 settled (100.0%): Delivered 1, KO 1; done.",
        ),
        ([REF], [KO], "Campaign of 1 message: 1 of 1 settled (100.0%): KO 1; done."),
    ],
    ids=["not yet", "unknown", "failed", "done", "one message"],
)
def test_a_poll_says_what_was_met_and_what_follows(
    clock: FakeClock, refs: list[MessageRef], answers: list[DeliveryStatus | Exception], line: str
) -> None:
    soon = "Campaign 'spring': next poll in 3600 s, at 10:00:00 UTC"

    assert str(poll(wait_for(*refs, clock=clock), *answers)) == line.format(soon=soon)


def test_a_poll_that_ended_at_the_first_waiting_message_names_the_page(clock: FakeClock) -> None:
    wait = wait_for(clock=clock)

    with wait.tally() as tally:
        tally.add_counts({DELIVERED: 1_400, WAITING: 100})
        tally.stop_at_waiting(page=3, total=4_000)

    assert wait.conclude(tally).found == (
        "still Waiting on page 3, 1500 of 4000 rows read: 1400 of 1500 settled (93.3%): Delivered 1400, Waiting 100"
    )
    # All rows of the tag are known from then on.
    assert (wait.seen.known, wait.seen.at) == (4_000, clock.now())
    assert poll(wait, UNANSWERED).found.endswith(
        "knew 4000 messages of the campaign before, and now tells of 0 only"
    )


UNANSWERED = SMSPartnerNotFoundError("an empty list")
UNKNOWN = SMSPartnerNotFoundError("x", code=4, http_status=200)
REFS = [MessageRef("+33639980001", number) for number in (1, 2)]


@pytest.mark.parametrize("refs", [REFS, []], ids=["list", "tag"])
@pytest.mark.parametrize(
    ("answers", "verdicts"),
    [
        ([[WAITING] * 2, [UNANSWERED], [UNANSWERED], [DELIVERED] * 2], "not_yet not_yet not_yet done"),
        ([[WAITING] * 2, [UNKNOWN]], "not_yet not_found"),
        ([[UNANSWERED], [UNANSWERED]], "not_yet not_found"),
    ],
    ids=["silence", "no longer known", "never known"],
)
def test_what_was_known_is_not_lost_by_an_odd_answer(
    clock: FakeClock, refs: list[MessageRef], answers: list[list[DeliveryStatus | Exception]], verdicts: str
) -> None:
    wait = wait_for(*refs, clock=clock)
    for answer, verdict in zip(answers, verdicts.split(), strict=True):
        report = poll(wait, *answer)
        assert (report.verdict, report.is_failed) == (
            verdict,
            answer == [UNANSWERED] and verdicts.endswith("done"),
        )
        clock.advance(HOUR)  # longer than the grace


@pytest.mark.parametrize(
    ("refs", "answer", "last"),
    [(REFS, UNKNOWN, Verdict.NOT_FOUND), ([], DELIVERED, Verdict.DONE)],
    ids=["a message is not known any more", "a tag has lost rows"],
)
def test_the_grace_of_what_was_known_begins_when_it_was_last_seen(
    clock: FakeClock, refs: list[MessageRef], answer: DeliveryStatus | Exception, last: Verdict
) -> None:
    wait = wait_for(*refs, clock=clock)
    clock.advance(HOUR)
    poll(wait, WAITING, WAITING)

    for seconds, verdict in ((599, Verdict.NOT_YET), (1, last)):
        clock.advance(seconds)
        assert poll(wait, answer).verdict is verdict
    if last is Verdict.DONE:
        assert (wait.seen.known, wait.seen.at) == (1, clock.now())


def test_a_share_that_is_enough_is_enough_though_a_message_is_left_unanswered(clock: FakeClock) -> None:
    wait = wait_for(*REFS, clock=clock, settled_ratio=0.5)
    wait.seen.note(2, clock.now())
    with wait.tally() as tally:
        tally.add(DELIVERED, REFS[0])
        tally.add(DeliveryStatus.NOT_FOUND, REFS[1], is_silence=True)

    assert wait.conclude(tally).verdict is Verdict.DONE


def test_failed_polls_are_numbered_in_english(clock: FakeClock) -> None:
    wait = wait_for(clock=clock)

    found = [poll(wait, DOWN).found for _ in range(113)]

    assert found[0] == "poll failed: SMS Partner is down"
    ordinals = "2nd 3rd 4th 10th 11th 12th 13th 14th 20th 21st 22nd 23rd 24th 100th 101st 111th 112th 113th"
    for ordinal in ordinals.split():
        said = f"poll failed, the {ordinal} in a row since 09:00:00 UTC: SMS Partner is down"
        assert found[int(ordinal[:-2]) - 1] == said


def test_each_outage_is_counted_by_itself_and_its_end_is_reported_once(clock: FakeClock) -> None:
    wait = wait_for(clock=clock)

    for failures, said in ((1, "1 failed poll in 1:00:00"), (3, "3 failed polls in 3:00:00")):
        for _ in range(failures):
            report = poll(wait, DOWN)
            assert (report.is_failed, report.recovery) == (True, None)
            clock.advance(HOUR)
        report = poll(wait, WAITING)
        assert report.recovery == f"Campaign 'spring': polls are answered again, after {said}."
        report = poll(wait, WAITING)
        assert (report.is_failed, report.recovery) == (False, None)
