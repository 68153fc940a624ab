"""What became of a send, in figures and in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sending.receipts import NUMBERS, receipt_for

from airflow_provider_smspartner._sending.summary import describe_receipts, summarised
from airflow_provider_smspartner.models import Receipt

REFUSED = Receipt(message_id=None, accepted=(), refused={NUMBERS[4]: 14})


def test_calls_add_up_exactly() -> None:
    receipts = [receipt_for(0, cost=Decimal("0.1")), receipt_for(1, cost=Decimal("0.2")), REFUSED]

    assert summarised(receipts, tag="spring") == {
        "tag": "spring",
        "recipients": 5,
        "accepted": 4,
        "refused": 1,
        "sms": 4,
        "cost": "0.3",
        "currency": "EUR",
        "calls": 3,
    }


@pytest.mark.parametrize(
    ("unknown", "totals"),
    [
        ({"sms": None}, (None, "38.0", "EUR")),
        ({"cost": None}, (4, None, "EUR")),
        ({"currency": None}, (4, "38.0", None)),
        ({"currency": "USD"}, (4, None, None)),
    ],
    ids=str,
)
@pytest.mark.parametrize("order", [1, -1], ids=["first", "last"])
def test_a_total_is_null_if_the_part_of_a_call_is_unknown(
    unknown: dict[str, Any], totals: tuple[object, ...], order: int
) -> None:
    receipts = [receipt_for(0, **unknown), receipt_for(1)][::order]

    summary = summarised(receipts, tag=None)

    assert (summary["sms"], summary["cost"], summary["currency"]) == totals


def test_a_send_that_took_nobody_has_no_cost() -> None:
    assert (summarised([REFUSED], tag=None)["cost"], summarised([REFUSED], tag=None)["sms"]) == (None, 0)


@pytest.mark.parametrize(
    ("receipts", "words"),
    [
        ([receipt_for(0)], "2 of 2 recipients accepted, message id 300, 2 SMS, 19.0 EUR"),
        ([receipt_for(0, currency=None)], "2 of 2 recipients accepted, message id 300, 2 SMS, 19.0"),
        (
            [receipt_for(0), receipt_for(1, sms=None, cost=None, currency=None)],
            "4 of 4 recipients accepted, message ids 300, 301",
        ),
        ([REFUSED, REFUSED], "0 of 2 recipients accepted, no message id, 0 SMS"),
    ],
    ids=["all", "no currency", "two calls", "nobody"],
)
def test_words_leave_out_what_the_vendor_does_not_say(receipts: list[Receipt], words: str) -> None:
    assert describe_receipts(receipts) == words


@pytest.mark.parametrize(("count", "end"), [(20, "18, 19, 0 SMS"), (23, "18, 19 and 3 more, 0 SMS")])
def test_of_many_message_ids_the_first_are_shown(count: int, end: str) -> None:
    receipts = [Receipt(message_id=str(n), accepted=(), sms=0) for n in range(count)]

    assert describe_receipts(receipts).endswith(end)
    assert "message ids 0, 1, " in describe_receipts(receipts)


def test_a_receipt_shows_no_number() -> None:
    assert "9980" not in repr(receipt_for(0, refused={NUMBERS[4]: 14}))
    assert receipt_for(1).messages[0] == {"phone_number": NUMBERS[2], "message_id": "301"}
