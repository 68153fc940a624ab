"""Lists of messages: how they are batched, and which row is whose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from combinations import in_turn, pairs
from protocol.samples import MULTI_STATUS, PHONE, REF, answer_of, error_of, multi_call, multi_row, pairs_of

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, MessageStatus, Outcome


def test_the_vendors_example() -> None:
    call = multi_call(("+33699999991", 1222), (PHONE, 111111), ("+33699999992", 1000))

    unknown = Outcome(status=DeliveryStatus.NOT_FOUND, raw_status="Numéro introuvable", code=4)
    delivered = Outcome(
        status=DeliveryStatus.DELIVERED,
        raw_status="Delivered",
        date=datetime(2018, 2, 6, 16, 26, 56, tzinfo=UTC),
        stop_sms=False,
        is_spam=False,
        code=200,
    )
    assert call.read(answer_of(MULTI_STATUS)) == [
        MessageStatus("+33699999991", "1222", unknown),
        MessageStatus(PHONE, "111111", delivered),
        MessageStatus("+33699999992", "1000", unknown),
    ]


class TestBatching:
    """Calls of up to 500 messages, each message asked for once."""

    def test_an_endless_iterable_is_read_only_as_needed(self) -> None:
        numbers = count()
        calls = protocol.multi_status((PHONE, n // 2) for n in numbers)

        assert next(numbers) == 0
        assert len(pairs_of(next(calls))) == 500
        assert 999 <= next(numbers) <= 1001
        assert len(pairs_of(next(calls))) == 500

    def test_messages_that_are_known_to_differ_are_neither_remembered_nor_read_ahead(self) -> None:
        messages = [*[(PHONE, n) for n in range(500)], (PHONE, 0), None]
        calls = protocol.multi_status(messages, distinct=True)

        assert pairs_of(next(calls)) == [(PHONE, n) for n in range(500)]
        with pytest.raises(ValueError, match=r"messages\[501\]"):
            next(calls)
        (_, later) = protocol.multi_status(messages[:501], distinct=True)
        assert pairs_of(later) == [(PHONE, 0)]

    @pytest.mark.parametrize("form", [list, dict.fromkeys], ids=["list", "dict"])
    def test_a_bad_message_in_a_collection_is_reported_before_any_call(
        self, form: Callable[[Any], Iterable[Any]]
    ) -> None:
        messages = form([*((PHONE, n) for n in range(600)), ("0112345678", 1)])

        fault = r"\[600\]: phone_number is neither| must be"
        with pytest.raises(ValueError, match=f"^messages({fault})") as caught:
            protocol.multi_status(messages)

        assert "0112345678" not in str(caught.value)


def read(rows: list[dict[str, object]], *messages: object) -> list[MessageStatus]:
    return multi_call(*messages).read(answer_of({"success": True, "StatutResponse_List": rows}))


class TestMatching:
    """By phone number and id, never by position."""

    @pytest.mark.parametrize("others", [[], [multi_row(messageId=2)]], ids=len)
    def test_an_unanswered_pair_shows_as_such(self, others: list[dict[str, object]]) -> None:
        statuses = read(others, (PHONE, 1), (PHONE, 2))

        assert statuses[0] == MessageStatus(PHONE, "1", Outcome(status=DeliveryStatus.NOT_FOUND))
        assert statuses[1].status == ("Delivered" if others else "Not found")

    def test_both_facts_must_match(self) -> None:
        crossed = [multi_row(messageId=2), multi_row(phoneNumber="+33600000000", messageId=1)]
        statuses = read([*crossed, multi_row()], (PHONE, 1), ("+33600000000", 2), REF)

        assert [status.status.value for status in statuses] == ["Not found", "Not found", "Delivered"]

    @pairs(
        duplicates={
            "final": ({"status": "ko"}, {"status": "Waiting"}),
            "known": ({"status": "Waiting"}, {"success": False, "code": 4, "status": "Delivered"}),
            "unknown text": ({"status": "Queued"}, {"success": False, "code": 4}),
        },
        order={"better first": 1, "worse first": -1},
    )
    def test_of_duplicates_the_more_certain_wins(
        self, duplicates: tuple[dict[str, object], dict[str, object]], order: int
    ) -> None:
        better, worse = duplicates

        (status,) = read([multi_row(**better), multi_row(**worse)][::order])

        assert status.outcome.raw_status == better["status"]
        assert status.status != "Not found"

    def test_of_duplicates_that_are_equally_certain_the_first_counts(self) -> None:
        (status,) = read([multi_row(status=status) for status in ("Delivered", "KO")])

        assert status.status is DeliveryStatus.DELIVERED

    @in_turn(phone_number=["06 99 99 99 93", "33699999993", 33699999993], message_id=[111111, "111111"])
    def test_a_phone_number_may_be_answered_in_another_form(
        self, phone_number: object, message_id: object
    ) -> None:
        (status,) = read([multi_row(phoneNumber=phone_number, messageId=message_id)])

        assert status.status is DeliveryStatus.DELIVERED
        assert (status.phone_number, status.message_id) == (PHONE, "111111")

    @pytest.mark.parametrize(
        "answered", ["+33696123456", "0033696123456", 696123456, "+596696123456"], ids=str
    )
    @pytest.mark.parametrize("asked", ["+33696123456", "0696123456", "+596696123456"])
    def test_a_number_overseas_is_the_same_with_either_country_code(
        self, asked: str, answered: object
    ) -> None:
        (status,) = read([multi_row(phoneNumber=answered)], (asked, 111111))

        assert (status.phone_number, status.status) == ("+596696123456", "Delivered")
        # Asked as an earlier release has stored it.
        (call,) = protocol.batches([(asked, "111111")])
        answer = answer_of({"success": True, "StatutResponse_List": [multi_row(phoneNumber=answered)]})
        assert [status.status for status in call.read(answer)] == ["Delivered"]

    @pytest.mark.parametrize(
        ("member", "fault"),
        [
            ({"phoneNumber": 0}, "a row does not say which message it is about"),
            ({"phoneNumber": ["+33699999993"]}, "phoneNumber"),
            ({"messageId": None}, "a row does not say which message it is about"),
            ({"messageId": True}, "messageId"),
            ({"status": ["Delivered"]}, "status"),
        ],
        ids=str,
    )
    def test_a_row_that_cannot_be_relied_on_is_no_answer(self, member: dict[str, object], fault: str) -> None:
        body = {"success": True, "StatutResponse_List": [multi_row(), multi_row(**member)]}

        error = error_of(multi_call(), body)

        assert type(error) is SMSPartnerUnavailableError
        assert fault in str(error)
        assert "699999993" not in str(error)
