"""The vendor's own examples, byte for byte."""

from __future__ import annotations

import pytest
from protocol.samples import (
    BY_TAG,
    KEY,
    MULTI_STATUS,
    PHONE,
    answer_of,
    failed_row,
    multi_call,
    page_of,
    read_row,
    tag_call,
    tag_rows,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.models import DeliveryStatus
from airflow_provider_smspartner.protocol import Account


class TestRecordedAnswers:
    """The examples of the vendor's pages."""

    def test_multi_status(self) -> None:
        call = multi_call(("+33699999991", 1222), (PHONE, 111111), ("+33699999992", 1000))

        assert [status.as_row() for status in call.read(answer_of(MULTI_STATUS))] == [
            failed_row("+33699999991", "1222"),
            {
                "phone_number": PHONE,
                "message_id": "111111",
                "status": "Delivered",
                "raw_status": "Delivered",
                "date": "2018-02-06T16:26:56+00:00",
                "stop_sms": False,
                "is_spam": False,
                "code": 200,
            },
            failed_row("+33699999992", "1000"),
        ]

    def test_by_tag(self) -> None:
        page = tag_call().read(answer_of(BY_TAG))

        assert (page.number, page.total) == (1, 2)
        assert [status.as_row() for status in page.rows] == [
            {
                "phone_number": phone_number,
                "message_id": None,
                "status": "Delivered",
                "raw_status": "Delivered",
                "date": date,
                "stop_sms": False,
                "is_spam": None,
                "code": None,
            }
            for phone_number, date in (
                ("+33699999991", "2018-02-07T07:38:31+00:00"),
                ("+33699999992", "2018-02-07T07:38:21+00:00"),
            )
        ]

    def test_by_tag_has_no_message_id_even_where_the_vendor_sends_one(self) -> None:
        row = {**tag_rows(0, 1)[0], "messageId": PHONE}

        assert tag_call().read(page_of([row], total=1)).rows[0].message_id is None

    @pytest.mark.parametrize(
        ("credits", "expected"),
        [
            ({"creditSms": 1234, "balance": "12.50", "currency": "EUR"}, Account("12.50", "EUR", 1234)),
            ({"creditSms": "1234", "balance": 12.5, "currency": "EUR"}, Account("12.5", "EUR", 1234)),
            ({"creditSms": 0, "balance": -3, "currency": "eur"}, Account("-3", None, 0)),
            (
                {"creditSms": 99_999_999, "balance": -99_999_999, "currency": "USD"},
                Account("-99999999", "USD", 99_999_999),
            ),
            ({"creditSms": 100_000_000, "balance": 100_000_000}, Account(None, None, None)),
            ({"creditSms": None, "balance": KEY, "currency": KEY}, Account(None, None, None)),
            ({"creditSms": -1, "balance": True, "currency": 5}, Account(None, None, None)),
            ({"creditSms": 1.5, "balance": 10**4200, "currency": []}, Account(None, None, None)),
            ({"creditSms": 10**13, "balance": [[]], "currency": "EURO"}, Account(None, None, None)),
            ({}, Account(None, None, None)),
        ],
    )
    def test_account(self, credits: object, expected: Account) -> None:  # noqa: A002 - the vendor's name
        assert (
            protocol.account().read(answer_of({"success": True, "code": 200, "credits": credits})) == expected
        )

    def test_a_byte_order_mark_is_skipped(self) -> None:
        assert tag_call().read(answer_of(b"\xef\xbb\xbf" + BY_TAG)).total == 2

    def test_members_that_no_page_names_are_ignored(self) -> None:
        assert read_row(operator="SFR", cost={"value": 0.04}).status is DeliveryStatus.DELIVERED
