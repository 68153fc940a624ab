"""What the contract says of models: statuses, message references, rows and summaries."""

from __future__ import annotations

import json
import pickle
from collections import UserDict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from markupsafe import Markup

from airflow_provider_smspartner._messages.reading import read_messages
from airflow_provider_smspartner.models import (
    DeliveryStatus,
    MessageRef,
    MessageStatus,
    Outcome,
    StatusSummary,
)

PHONE = "+33612345678"
SENT = datetime(2018, 2, 6, 16, 26, 56, tzinfo=UTC)


def row_of(status: DeliveryStatus = DeliveryStatus.DELIVERED) -> MessageStatus:
    return MessageStatus(PHONE, "1", Outcome(status=status, date=SENT))


class TestDeliveryStatus:
    def test_statuses_are_text_and_some_are_final_or_have_settled(self) -> None:
        assert {
            status.name: (str(status), status.is_final, status.has_settled) for status in DeliveryStatus
        } == {
            "DELIVERED": ("Delivered", True, True),
            "NOT_DELIVERED": ("Not delivered", True, True),
            "WAITING": ("Waiting", False, False),
            "KO": ("KO", True, True),
            "NOT_FOUND": ("Not found", False, False),
            "UNKNOWN": ("Unknown", False, True),
        }
        assert DeliveryStatus.KO == "KO"

    @pytest.mark.parametrize(
        ("text", "status"),
        [
            ("Delivered", DeliveryStatus.DELIVERED),
            ("  DELIVERED\n", DeliveryStatus.DELIVERED),
            ("not \t\u00a0 delivered", DeliveryStatus.NOT_DELIVERED),
            ("waiting", DeliveryStatus.WAITING),
            ("Ko", DeliveryStatus.KO),
            *((word, DeliveryStatus.WAITING) for word in ("PENDING", "enroute", " AcceptD ")),
            *((word, DeliveryStatus.NOT_DELIVERED) for word in ("UNDELIV", "Expired", "rejectd\n")),
            ("DELIVRD", DeliveryStatus.DELIVERED),
            ("UNKNOWN", DeliveryStatus.UNKNOWN),
            ("Delivered!", DeliveryStatus.UNKNOWN),
            (None, DeliveryStatus.UNKNOWN),
        ],
    )
    def test_text_is_read_case_folded_with_spaces_collapsed(
        self, text: str | None, status: DeliveryStatus
    ) -> None:
        assert DeliveryStatus.parse(text) is status


class TestMessageRef:
    @pytest.mark.parametrize(
        "message",
        [
            (PHONE, "199897"),
            [PHONE, 199897],
            ("06 12 34 56 78", " 199897 "),
            (PHONE, 199897.0),
            (PHONE, "199897.0"),
            (PHONE, "199897,00"),
            (PHONE, Decimal(199897)),
            [np.str_(PHONE), np.int64(199897)],
            (Markup(PHONE), Markup("199897")),  # noqa: S704 - no page shows it
            {"phone_number": PHONE, "message_id": 199897},
            {"phone_number": PHONE, "messageId": 199897, "status": "Waiting"},
            UserDict(phoneNumber=PHONE, message_id="199897"),
        ],
        ids=repr,
    )
    def test_every_form_gives_the_same_reference(self, message: object) -> None:
        ref = MessageRef.of(message)

        assert ref == MessageRef(PHONE, "199897")
        assert (ref.phone_number, ref.message_id) == (PHONE, "199897")
        assert {type(fact) for fact in ref} == {str}
        assert MessageRef.of(ref) is ref
        assert pickle.loads(pickle.dumps(ref)) == ref  # noqa: S301 - our own bytes

    @pytest.mark.parametrize(("message_id", "text"), [(0, "0"), ("007", "007"), ("a-1_.:", "a-1_.:")])
    def test_message_ids_become_text(self, message_id: object, text: str) -> None:
        assert MessageRef(PHONE, message_id).message_id == text

    @pytest.mark.parametrize(
        "message_id",
        [
            "",
            "a b",
            -1,
            1.5,
            2.0**60,
            float("nan"),
            Decimal("sNaN"),
            True,
            np.True_,
            None,
            "é",
            "x" * 65,
            10**64,
        ],
        ids=lambda value: f"{type(value).__name__} {str(value)[:4]}" if not isinstance(value, int) else "int",
    )
    def test_no_other_message_id_is_taken(self, message_id: object) -> None:
        with pytest.raises(ValueError, match=r"^message_id must be"):
            MessageRef(PHONE, message_id)

    @pytest.mark.parametrize(
        ("message", "fault"),
        [
            (PHONE, "not of type str"),
            ((PHONE, 1, 2), "not of type tuple"),
            (None, "not None"),
            ((612345678, 1), "phone_number must be text, not of type int"),
            ({"message_id": 1}, "phone_number is missing"),
            ({"phone_number": PHONE}, "message_id is missing"),
            ({"phone_number": PHONE, "message_id": None}, "an integer or its text, not None"),
        ],
    )
    def test_other_forms_are_refused(self, message: object, fault: str) -> None:
        with pytest.raises(ValueError, match=fault) as caught:
            MessageRef.of(message)

        assert "612345678" not in str(caught.value)

    def test_no_text_shows_the_number(self) -> None:
        ref = MessageRef(PHONE, "7")

        for text in (repr(ref), str(ref), f"{ref}", f"{[ref]}"):
            assert "612345678" not in text
            assert "message_id='7'" in text


class TestReadMessages:
    def test_lists_that_mapped_sends_push_are_flattened(self) -> None:
        pushed = [[{"phone_number": PHONE, "message_id": "1"}, (PHONE, 2)], [], (), ((PHONE, 3),), [PHONE, 4]]

        assert list(read_messages(iter(pushed))) == [(PHONE, str(n)) for n in (1, 2, 3, 4)]

    @pytest.mark.parametrize(
        "bad", [("0112345699", 3), [(PHONE, 1)], None, PHONE], ids=lambda bad: type(bad).__name__
    )
    def test_a_fault_in_a_list_within_is_named(self, bad: object) -> None:
        with pytest.raises(ValueError, match=r"^messages\[2\]\[1\]: ") as caught:
            list(read_messages([(PHONE, 1), [], [(PHONE, 2), bad]]))

        assert "12345" not in str(caught.value).replace("+33612345678", "")

    def test_an_error_names_position_and_fault_but_not_the_number(self) -> None:
        with pytest.raises(ValueError, match=r"^messages\[2\]: phone_number is neither E\.164") as caught:
            list(read_messages([(PHONE, 1), (PHONE, 2), ("0112345699", 3)]))

        assert "0112345699" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize(
        ("messages", "fault"),
        [
            (None, "not None"),
            (b"x", "not of type bytes"),
            ({"phone_number": PHONE, "message_id": 1}, "not of type dict"),
            (f"[('{PHONE}', 1)]", "render_template_as_native_obj"),
        ],
        ids=["none", "bytes", "one message", "rendered template"],
    )
    def test_what_is_no_iterable_of_messages_is_refused_at_once(self, messages: object, fault: str) -> None:
        with pytest.raises(
            ValueError, match=f"^messages must be an iterable of messages, .*{fault}"
        ) as caught:
            read_messages(messages)

        assert PHONE not in str(caught.value)


class TestMessageStatus:
    """A row as hook dictionaries and XCom hold it."""

    def test_a_row_is_as_the_contract_shows_it(self) -> None:
        outcome = Outcome(
            status=DeliveryStatus.DELIVERED,
            raw_status="Delivered",
            date=SENT,
            stop_sms=False,
            is_spam=False,
            code=200,
        )
        row = MessageStatus("+33699999993", "111111", outcome).as_row()

        assert json.dumps(row) == (
            '{"phone_number": "+33699999993", "message_id": "111111", "status": "Delivered", '
            '"raw_status": "Delivered", "date": "2018-02-06T16:26:56+00:00", "stop_sms": false, '
            '"is_spam": false, "code": 200}'
        )
        assert {type(value) for value in row.values()} == {str, bool, int}

    def test_what_is_not_said_is_null(self) -> None:
        row = MessageStatus(PHONE, None, Outcome(status=DeliveryStatus.NOT_FOUND)).as_row()

        assert {name for name, value in row.items() if value is not None} == {"phone_number", "status"}

    def test_a_date_keeps_its_time_zone(self) -> None:
        date = SENT.astimezone(timezone(timedelta(hours=1)))
        row = MessageStatus(PHONE, None, Outcome(status=DeliveryStatus.WAITING, date=date)).as_row()

        assert row["date"] == "2018-02-06T17:26:56+01:00"

    def test_it_is_frozen_and_hashable_and_no_text_shows_the_number(self) -> None:
        status = row_of()

        with pytest.raises(AttributeError):
            status.phone_number = "other"  # type: ignore[misc]
        assert len({status, row_of()}) == 1
        assert repr(status) == "MessageStatus(message_id='1', status='Delivered')"
        assert "612345678" not in str(status.__rich_repr__())


class TestStatusSummary:
    """The counts of a campaign."""

    def test_a_summary_is_as_the_contract_shows_it(self) -> None:
        counts = {DeliveryStatus.KO: 2, DeliveryStatus.DELIVERED: 950, DeliveryStatus.NOT_DELIVERED: 48}
        summary = StatusSummary(counts=counts, checked_at=datetime(2026, 11, 21, 10, tzinfo=UTC))

        assert json.dumps(summary.as_dict()) == (
            '{"total": 1000, "delivered": 950, "not_delivered": 48, "waiting": 0, "ko": 2, "not_found": 0, '
            '"unknown": 0, "settled": true, "delivery_rate": 0.95, '
            '"checked_at": "2026-11-21T10:00:00+00:00"}'
        )

    def test_rows_are_counted(self) -> None:
        statuses = [DeliveryStatus.WAITING, DeliveryStatus.UNKNOWN, DeliveryStatus.WAITING]
        summary = StatusSummary.of((row_of(status).as_row() for status in statuses), checked_at=SENT)

        assert summary.counts == {DeliveryStatus.WAITING: 2, DeliveryStatus.UNKNOWN: 1}
        assert (summary.total, summary.settled_count) == (3, 1)

    @pytest.mark.parametrize(
        ("counts", "settled", "delivery_rate"),
        [
            ({}, False, None),
            ({DeliveryStatus.DELIVERED: 0}, False, None),
            ({DeliveryStatus.DELIVERED: 1, DeliveryStatus.UNKNOWN: 1, DeliveryStatus.KO: 2}, True, 0.25),
            ({DeliveryStatus.DELIVERED: 9, DeliveryStatus.WAITING: 1}, False, 0.9),
            ({DeliveryStatus.DELIVERED: 1, DeliveryStatus.NOT_FOUND: 1}, False, 0.5),
        ],
        ids=str,
    )
    def test_settled_means_rows_and_none_waiting_or_not_found(
        self, counts: dict[DeliveryStatus, int], settled: bool, delivery_rate: float | None
    ) -> None:
        summary = StatusSummary(counts=counts, checked_at=SENT).as_dict()

        assert (summary["settled"], summary["delivery_rate"]) == (settled, delivery_rate)
