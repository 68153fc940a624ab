"""Bad messages and tags: refused as bad input, with what would be right, and without a value in the text."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from combinations import in_turn
from loopback import WAYS, Ask, connect

from airflow_provider_smspartner._messages.reading import read_messages
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import SMSPartnerDouble

PHONE = "+33639980000"
ACCEPTED = "the keys of a message are phone_number (or phoneNumber) and message_id (or messageId)"


@in_turn(
    case={
        "keys": (
            "multi_status",
            [(PHONE, 1), {"phone": PHONE, "id": 2}],
            f"messages[1]: phone_number is missing: {ACCEPTED}, not phone, id",
        ),
        "id": ("multi_status", [(PHONE, 1), (PHONE, "a b")], "messages[1]: message_id must be"),
        "late": (
            "multi_status",
            [(PHONE, n) for n in range(699)] + [(PHONE, None)],
            "messages[699]: message_id must",
        ),
        "number": ("multi_status", [("0112345678", 1)], "messages[0]: phone_number is neither"),
        "text": ("multi_status", PHONE, "messages must be an iterable of messages"),
        "mapping": ("multi_status", {"phone_number": PHONE, "message_id": 1}, "messages must be an iterable"),
        "tag that is no text": ("status_by_tag", 5, "tag must be"),
        "tag with a space": ("status_by_tag", "a b", "tag must not contain white space"),
        "long tag": ("status_by_tag", "x" * 21, "tag must be 1 to 20 characters"),
    },
    ask=WAYS,
)
def test_bad_input_is_reported_before_anything_is_sent(
    case: tuple[str, Any, str], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    what, argument, text = case
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
        ({"Téléphone": 1, "Numéro": 2}, "not Téléphone, Numéro"),
        ({PHONE: 1, "0639980000": 2, "phone": 3}, "not phone, 2 others"),
        ({PHONE[1:]: 1, "id639980000": 2}, "not 2 others"),
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


def test_too_many_rows_for_a_hooks_caller_are_bad_input_in_its_own_words(double: SMSPartnerDouble) -> None:
    double.add_campaign("spring", size=11, settle_seconds=0)

    with (
        SMSPartnerHook() as hook,
        pytest.raises(ValueError, match=r"^11 rows are more than `max_rows`, 10\.$"),
    ):
        list(hook.iter_status_by_tag("spring", max_rows=10))
