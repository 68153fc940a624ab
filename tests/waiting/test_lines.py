"""What a wait says in the task's log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.goal import Goal
from airflow_provider_smspartner._waiting.report import PollReport
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
DOWN = SMSPartnerUnavailableError("SMS Partner is down.")


def wait_for(
    campaign: Campaign,
    *,
    settled_ratio: float = 1.0,
    expected_total: int | None = None,
    exponential_backoff: bool = False,
) -> Wait:
    return Wait(
        campaign=campaign,
        goal=Goal(
            settled_ratio=settled_ratio,
            expected_total=expected_total,
            started_at=START,
            deadline=START + timedelta(days=2),
            not_found_until=START + timedelta(minutes=10),
        ),
        rhythm=Rhythm(
            poke_interval=90.0, exponential_backoff=exponential_backoff, max_wait=None, seed="dag#task"
        ),
        now=lambda: START,
    )


def poll(wait: Wait, *answers: DeliveryStatus | Exception) -> PollReport:
    with wait.tally() as tally:
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            tally.add(answer)
    return wait.conclude(tally)


@pytest.mark.parametrize(
    ("wait", "until", "polls"),
    [
        (wait_for(Campaign(tag="spring")), "100% of its messages have settled (`settled_ratio`)", ""),
        (
            wait_for(Campaign(tag="spring"), settled_ratio=0.25, expected_total=8),
            "25% of its messages have settled (`settled_ratio`) and 8 are known (`expected_total`)",
            "",
        ),
        (
            wait_for(Campaign(tag="spring"), exponential_backoff=True),
            "100% of its messages have settled (`settled_ratio`)",
            " at first, then less often (`exponential_backoff`)",
        ),
    ],
)
def test_the_opening_says_what_is_waited_for_how_often_and_for_how_long(
    wait: Wait, until: str, polls: str
) -> None:
    assert wait.opening() == (
        f"Waiting for campaign 'spring' until {until}. Polls every 90 s (`poke_interval`){polls}, since "
        "2026-11-21 10:00:00 UTC. Gives up at 2026-11-23 10:00:00 UTC (`timeout`); for messages that SMS Partner "
        "does not know, at 2026-11-21 10:10:00 UTC (`not_found_grace`)."
    )


def test_a_poll_says_when_the_next_one_is_and_what_was_met() -> None:
    report = poll(wait_for(Campaign(tag="spring")), DeliveryStatus.DELIVERED, DeliveryStatus.WAITING)

    assert str(report) == (
        "Campaign 'spring': next poll in 90 s, at 10:01:30 UTC; 1 of 2 settled (50.0%): Delivered 1, Waiting 1."
    )


def test_the_last_poll_says_how_the_wait_ends() -> None:
    refs = [MessageRef("+33639980001", 1), MessageRef("+33639980002", 2)]
    wait = wait_for(Campaign(tag=None, messages=PendingInMemory(refs)))

    with wait.tally() as tally:
        for ref, status in zip(refs, (DeliveryStatus.DELIVERED, DeliveryStatus.KO), strict=True):
            tally.add(status, ref)

    assert (
        str(wait.conclude(tally))
        == "Campaign of 2 messages: 2 of 2 settled (100.0%): Delivered 1, KO 1; done."
    )


def test_a_poll_of_messages_that_are_not_known_says_until_when_they_are_waited_for() -> None:
    assert poll(wait_for(Campaign(tag="spring"))).found == (
        "not known to SMS Partner (yet); waited for until 10:10:00 UTC (`not_found_grace`)"
    )


def test_a_poll_that_ended_at_the_first_waiting_message_names_the_page() -> None:
    wait = wait_for(Campaign(tag="spring"))

    with wait.tally() as tally:
        tally.stop_at_waiting(page=3)

    assert wait.conclude(tally).found == "still Waiting on page 3"


def test_failed_polls_are_numbered_in_english() -> None:
    wait = wait_for(Campaign(tag="spring"))

    found = [poll(wait, DOWN).found for _ in range(113)]

    assert found[0] == "poll failed: SMS Partner is down"
    ordinals = "2nd 3rd 4th 10th 11th 12th 13th 14th 20th 21st 22nd 23rd 24th 100th 101st 111th 112th 113th"
    for ordinal in ordinals.split():
        said = f"poll failed, the {ordinal} in a row since 10:00:00 UTC: SMS Partner is down"
        assert found[int(ordinal[:-2]) - 1] == said


def test_each_outage_is_counted_by_itself() -> None:
    wait = wait_for(Campaign(tag="spring"))

    for failures, said in ((1, "1 failed poll"), (2, "2 failed polls"), (1, "1 failed poll")):
        for _ in range(failures):
            poll(wait, DOWN)
        report = poll(wait, DeliveryStatus.WAITING)
        assert report.recovery == f"Campaign 'spring': polls are answered again, after {said} in 0:00:00."
