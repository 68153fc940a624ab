"""Bad messages and tags: refused as bad input, with what would be right, and without a value in the text."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from loopback import Ask, connect, four_ways

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._messages.reading import read_messages
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.operators.smspartner import SMSPartnerStatusByTagOperator
from airflow_provider_smspartner.testing import SMSPartnerDouble

PHONE = "+33639980000"
ACCEPTED = "the keys of a message are phone_number (or phoneNumber) and message_id (or messageId)"


@four_ways
@pytest.mark.parametrize(
    ("what", "argument", "text"),
    [
        (
            "multi_status",
            [(PHONE, 1), {"phone": PHONE, "id": 2}],
            f"messages[1]: phone_number is missing: {ACCEPTED}, not phone, id",
        ),
        ("multi_status", [(PHONE, 1), (PHONE, "a b")], "messages[1]: message_id must be"),
        ("multi_status", [("0112345678", 1)], "messages[0]: phone_number is neither"),
        ("multi_status", PHONE, "messages must be an iterable of messages"),
        ("status_by_tag", "a b", "tag must not contain white space"),
        ("status_by_tag", "x" * 21, "tag must be 1 to 20 characters"),
    ],
)
def test_bad_input_is_told_before_anything_is_sent(
    ask: Ask, what: str, argument: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SMSPartnerDouble() as double:
        connect(monkeypatch, double)
        with pytest.raises(SMSPartnerInputError) as caught:
            ask(SMSPartnerHook(), what, argument)

        assert double.requests == []
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, AirflowFailException)
    assert str(caught.value).startswith(text)
    assert "63998" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({}, "not none"),
        ({"phone": 1, "message_id": 2}, "not phone, message_id"),
        ({"Téléphone": 1, "Numéro": 2}, "not Téléphone, Numéro"),
        ({PHONE: 1, "0639980000": 2, "phone": 3}, "not phone, 2 others"),
        ({PHONE[1:]: 1, "id639980000": 2}, "not 2 others"),
        ({639980000: 1}, "not 1 other"),
        ({"x" * 5000: 1, "a b": 2, "k=v": 3}, "not 3 others"),
        ({f"column_{letter}": 0 for letter in "abcdefghij"}, "column_h, 2 others"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_only_what_looks_like_a_name_is_shown_of_the_keys(message: object, shown: str) -> None:
    with pytest.raises(SMSPartnerInputError) as caught:
        list(read_messages([message]))

    text = str(caught.value)
    assert text.endswith(shown)
    assert "63998" not in text
    assert len(text) < 400


def test_too_many_rows_for_xcom_are_bad_input() -> None:
    with pytest.raises(SMSPartnerInputError, match="output_path"):
        SMSPartnerStatusByTagOperator(task_id="fetch", tag="spring", max_xcom_rows=10)._check_rows(11)


def test_too_many_rows_for_a_hooks_caller_are_told_in_the_hooks_words(double: SMSPartnerDouble) -> None:
    double.add_campaign("spring", size=11, settle_seconds=0)

    with (
        SMSPartnerHook() as hook,
        pytest.raises(ValueError, match=r"^11 rows are more than `max_rows`, 10\.$"),
    ):
        list(hook.iter_status_by_tag("spring", max_rows=10))


def test_the_tag_page_checks_its_tag_too() -> None:
    with pytest.raises(SMSPartnerInputError, match=r"^tag must"):
        protocol.tag_page("", 1)
