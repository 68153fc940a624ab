"""Lists of messages: how they are batched, and which row is whose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

import pytest
from protocol.samples import (
    PHONE,
    REF,
    answer_of,
    error_of,
    multi_call,
    multi_row,
    pairs_of,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, MessageStatus


class TestBatching:
    """Calls of up to 500 messages, each message asked for once."""

    @pytest.mark.parametrize(
        ("messages", "sizes"),
        [
            (0, []),
            (1, [1]),
            (499, [499]),
            (500, [500]),
            (501, [500, 1]),
            (1500, [500, 500, 500]),
        ],
    )
    @pytest.mark.parametrize("form", [list, iter])
    def test_sizes(self, messages: int, sizes: list[int], form: Callable[[Any], Iterable[Any]]) -> None:
        calls = list(protocol.multi_status(form([(PHONE, n) for n in range(messages)])))

        assert [len(pairs_of(call)) for call in calls] == sizes
        assert [pair for call in calls for pair in pairs_of(call)] == [(PHONE, n) for n in range(messages)]

    def test_repeats_are_asked_once_also_far_apart(self) -> None:
        messages = [(PHONE, n % 700) for n in range(2000)] + [("06 99 99 99 93", "5"), MessageRef(PHONE, 6)]
        calls = list(protocol.multi_status(messages))

        assert [len(pairs_of(call)) for call in calls] == [500, 200]
        assert [pair for call in calls for pair in pairs_of(call)] == [(PHONE, n) for n in range(700)]

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
        assert [len(pairs_of(call)) for call in protocol.multi_status(messages[:501], distinct=True)] == [
            500,
            1,
        ]

    @pytest.mark.parametrize("form", [list, tuple, dict.fromkeys])
    def test_a_bad_message_in_a_collection_is_reported_before_any_call(
        self, form: Callable[[Any], Iterable[Any]]
    ) -> None:
        messages = form([*((PHONE, n) for n in range(600)), ("0112345678", 1)])

        with pytest.raises(
            ValueError, match=r"^messages(\[600\]: phone_number is neither| must be)"
        ) as caught:
            protocol.multi_status(messages)

        assert "0112345678" not in str(caught.value)

    def test_a_bad_message_in_an_iterator_is_reported_when_it_is_reached(self) -> None:
        def messages() -> Iterator[object]:
            yield from ((PHONE, n) for n in range(600))
            yield None

        calls = protocol.multi_status(messages())

        assert len(pairs_of(next(calls))) == 500
        with pytest.raises(ValueError, match=r"^messages\[600\]"):
            next(calls)

    def test_a_collection_may_change_afterwards(self) -> None:
        messages = [(PHONE, 1)]
        calls = protocol.multi_status(messages)
        messages.clear()

        assert len(list(calls)) == 1


class TestMatching:
    """By phone number and id, never by position."""

    @staticmethod
    def _read(rows: list[dict[str, object]], *messages: object) -> list[MessageStatus]:
        return multi_call(*messages).read(
            answer_of({"success": True, "code": 200, "StatutResponse_List": rows})
        )

    def test_rows_stand_in_the_order_of_the_messages(self) -> None:
        rows = [multi_row(messageId=n, status="Delivered" if n % 2 else "Waiting") for n in (3, 1, 4, 2, 0)]
        statuses = self._read(rows, *((PHONE, n) for n in range(5)))

        assert [(status.message_id, status.status.value) for status in statuses] == [
            (str(n), "Delivered" if n % 2 else "Waiting") for n in range(5)
        ]

    def test_an_unanswered_pair_shows_as_such(self) -> None:
        statuses = self._read([multi_row(messageId=2)], (PHONE, 1), (PHONE, 2))

        assert statuses[1].status is DeliveryStatus.DELIVERED
        assert statuses[0].as_row() == {
            "phone_number": PHONE,
            "message_id": "1",
            "status": "Not found",
            "raw_status": None,
            "date": None,
            "stop_sms": None,
            "is_spam": None,
            "code": None,
        }

    def test_an_empty_list_leaves_every_pair_unanswered(self) -> None:
        assert [row.outcome.raw_status for row in self._read([], (PHONE, 1), (PHONE, 2))] == [None, None]

    def test_rows_never_asked_for_are_left_out(self) -> None:
        others = [multi_row(messageId=9), multi_row(phoneNumber="+33600000000"), multi_row(messageId="x")]

        assert [status.message_id for status in self._read([*others, multi_row()])] == ["111111"]

    def test_both_facts_must_match(self) -> None:
        crossed = [multi_row(messageId=2), multi_row(phoneNumber="+33600000000", messageId=1)]
        statuses = self._read([*crossed, multi_row()], (PHONE, 1), ("+33600000000", 2), REF)

        assert [status.status.value for status in statuses] == ["Not found", "Not found", "Delivered"]

    @pytest.mark.parametrize("order", [1, -1])
    @pytest.mark.parametrize(
        ("better", "worse"),
        [
            ({"status": "Delivered"}, {"status": "Waiting"}),
            ({"status": "Not delivered"}, {"status": "Waiting"}),
            ({"status": "ko"}, {"status": "Queued"}),
            ({"status": "Waiting"}, {"success": False, "code": 4, "status": "Numéro introuvable"}),
            ({"status": "Queued"}, {"success": False, "code": 4, "status": "Numéro introuvable"}),
            ({"status": "Delivered"}, {"success": False, "code": 4, "status": "Numéro introuvable"}),
        ],
        ids=str,
    )
    def test_of_duplicates_the_more_certain_wins(
        self, better: dict[str, object], worse: dict[str, object], order: int
    ) -> None:
        (status,) = self._read([multi_row(**better), multi_row(**worse)][::order])

        assert status.outcome.raw_status == better["status"]

    @pytest.mark.parametrize(
        "phone_number", ["0699999993", "06 99 99 99 93", "+33 6 99 99 99 93", "33699999993", 33699999993]
    )
    @pytest.mark.parametrize("message_id", [111111, "111111"])
    def test_a_phone_number_may_be_answered_in_another_form(
        self, phone_number: object, message_id: object
    ) -> None:
        (status,) = self._read([multi_row(phoneNumber=phone_number, messageId=message_id)])

        assert status.status is DeliveryStatus.DELIVERED
        assert (status.phone_number, status.message_id) == (PHONE, "111111")

    @pytest.mark.parametrize(
        "row",
        [
            {"phoneNumber": None},
            {"phoneNumber": ""},
            {"phoneNumber": 0},
            {"phoneNumber": 1.5},
            {"phoneNumber": ["+33699999993"]},
            {"messageId": None},
            {"messageId": 1.0},
            {"messageId": True},
            {"messageId": {}},
            {"status": 5},
            {"status": ["Delivered"]},
        ],
        ids=str,
    )
    def test_a_row_that_cannot_be_relied_on_is_no_answer(self, row: dict[str, object]) -> None:
        with pytest.raises(SMSPartnerUnavailableError) as caught:
            self._read([multi_row(), multi_row(**row)])

        assert "699999993" not in str(caught.value)


@pytest.mark.parametrize("row", [multi_row(messageId=None), multi_row(phoneNumber=None)])
def test_a_row_must_say_which_message_it_is_about(row: dict[str, object]) -> None:
    error = error_of(multi_call(), {"success": True, "StatutResponse_List": [row]})

    assert "a row does not say which message it is about" in str(error)


def test_of_duplicates_that_are_equally_certain_the_first_counts() -> None:
    rows = [multi_row(status=status) for status in ("Delivered", "KO")]

    (status,) = multi_call().read(answer_of({"success": True, "StatutResponse_List": rows}))

    assert status.outcome.raw_status == "Delivered"
