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


def test_a_whole_reading_leaves_only_what_is_not_final_to_ask_for() -> None:
    campaign = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(campaign) as tally:
        for ref, status in zip(REFS, ("DELIVERED", "WAITING", "UNKNOWN"), strict=True):
            tally.add(DeliveryStatus[status], ref)

    assert list(campaign.messages) == REFS[1:]
    assert campaign.settled == {DeliveryStatus.DELIVERED: 1}
    assert tally.summary is not None
    assert tally.summary.total == 3


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


def test_an_unknown_tag_reads_as_no_rows() -> None:
    with Tally(Campaign(tag="spring")) as tally:
        raise SMSPartnerNotFoundError("x")

    assert tally.summary is not None
    assert tally.summary.total == 0


def test_a_list_that_the_vendor_does_not_know_reads_as_not_found() -> None:
    campaign = Campaign(tag=None, messages=PendingInMemory(REFS))

    with Tally(campaign) as tally:
        raise SMSPartnerNotFoundError("x")

    assert tally.summary is not None
    assert tally.summary.counts == {DeliveryStatus.NOT_FOUND: 3}
    assert list(campaign.messages) == REFS


def test_other_errors_are_not_kept() -> None:
    with pytest.raises(SMSPartnerCredentialsError), Tally(Campaign(tag="spring")):
        raise SMSPartnerCredentialsError("x")
