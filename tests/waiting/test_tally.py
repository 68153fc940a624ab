"""What one poll has read."""

from __future__ import annotations

import pytest

from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef

REFS = [MessageRef(f"+3363998000{n}", n) for n in range(3)]


def counts_of(tally: Tally) -> dict[DeliveryStatus, int]:
    assert tally.summary is not None
    return dict(tally.summary.counts)


def test_a_whole_reading_leaves_only_what_is_not_final_to_ask_for() -> None:
    campaign = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(campaign) as tally:
        for ref, status in zip(REFS, ("DELIVERED", "WAITING", "UNKNOWN"), strict=True):
            tally.add(DeliveryStatus[status], ref)

    assert list(campaign.messages) == REFS[1:]
    assert campaign.settled == {DeliveryStatus.DELIVERED: 1}
    assert sum(counts_of(tally).values()) == 3


def test_messages_of_the_same_status_add_up_from_poll_to_poll() -> None:
    more = [*REFS, MessageRef("+33639980009", 9)]
    campaign = Campaign(tag=None, messages=PendingInMemory(more))

    with Tally(campaign) as first:
        for ref, status in zip(more, ("DELIVERED", "DELIVERED", "WAITING", "WAITING"), strict=True):
            first.add(DeliveryStatus[status], ref)
    with Tally(campaign) as second:
        second.add(DeliveryStatus.DELIVERED, more[2])
        second.add(DeliveryStatus.KO, more[3])

    assert counts_of(first) == {DeliveryStatus.DELIVERED: 2, DeliveryStatus.WAITING: 2}
    assert counts_of(second) == {DeliveryStatus.DELIVERED: 3, DeliveryStatus.KO: 1} == campaign.settled
    assert not campaign.messages


def test_a_poll_is_silent_if_any_message_was_left_unanswered() -> None:
    with Tally(Campaign(tag=None, messages=PendingInMemory(REFS))) as tally:
        tally.add(DeliveryStatus.WAITING, REFS[0])
        assert not tally.is_silent
        tally.add(DeliveryStatus.NOT_FOUND, REFS[1], is_silence=True)
        tally.add(DeliveryStatus.WAITING, REFS[2])

    assert tally.is_silent


def test_rows_that_were_counted_for_several_waits_are_added() -> None:
    with Tally(Campaign(tag="spring")) as tally:
        tally.add_counts({DeliveryStatus.DELIVERED: 3, DeliveryStatus.WAITING: 1})
        tally.add_counts({DeliveryStatus.WAITING: 2})

    assert counts_of(tally) == {DeliveryStatus.DELIVERED: 3, DeliveryStatus.WAITING: 3}


def test_a_tag_that_is_not_read_to_its_end_has_no_counts() -> None:
    with Tally(Campaign(tag="spring")) as tally:
        tally.add_counts({DeliveryStatus.DELIVERED: 3})
        tally.stop_at_waiting(page=2, total=9)

    assert tally.waiting_on_page == 2
    assert (tally.summary, tally.trouble) == (None, None)


@pytest.mark.parametrize("trouble", [SMSPartnerUnavailableError("x"), SMSPartnerIncompleteError("x")])
def test_passing_trouble_breaks_a_reading_off_and_leaves_the_campaign_as_it_was(trouble: Exception) -> None:
    campaign = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(campaign) as tally:
        tally.add(DeliveryStatus.DELIVERED, REFS[0])
        raise trouble

    assert tally.summary is None
    assert tally.trouble is trouble
    assert (list(campaign.messages), dict(campaign.settled)) == (REFS, {})


def test_answers_of_a_reading_that_was_broken_off_do_not_count_for_the_next() -> None:
    campaign = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(campaign) as broken_off:
        broken_off.add(DeliveryStatus.DELIVERED, REFS[0])
        raise SMSPartnerUnavailableError("x")
    with Tally(campaign) as tally:
        broken_off.add(DeliveryStatus.DELIVERED, REFS[1])
        for ref in REFS:
            tally.add(DeliveryStatus.WAITING, ref)

    assert list(campaign.messages) == REFS


@pytest.mark.parametrize("tag", ["spring", None], ids=["tag", "list"])
def test_what_the_vendor_does_not_know_reads_as_not_found(tag: str | None) -> None:
    campaign = Campaign(tag=tag, messages=PendingInMemory([] if tag else REFS))

    with Tally(campaign) as tally:
        raise SMSPartnerNotFoundError("x")

    assert counts_of(tally) == ({} if tag else {DeliveryStatus.NOT_FOUND: 3})
    assert list(campaign.messages) == ([] if tag else REFS)


def test_other_errors_are_not_kept() -> None:
    with pytest.raises(SMSPartnerCredentialsError), Tally(Campaign(tag="spring")):
        raise SMSPartnerCredentialsError("x")
