"""What one row says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from protocol.samples import (
    answer_of,
    multi_call,
    read_row,
)

from airflow_provider_smspartner.exceptions import (
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol.rows import MAX_DIGITS, to_int


class TestRows:
    """One row's members, in every form in which they have been seen."""

    @pytest.mark.parametrize(
        ("members", "status"),
        [
            ({"status": "Not delivered"}, "Not delivered"),
            ({"status": "WAITING"}, "Waiting"),
            ({"status": "Ko"}, "KO"),
            ({"status": "Expired"}, "Unknown"),
            ({"status": None}, "Unknown"),
            ({"success": False, "code": 4, "status": "Delivered"}, "Not found"),
            ({"success": False, "code": "4", "status": "Message not found"}, "Not found"),
            ({"success": True, "code": 4, "status": "Numéro introuvable"}, "Not found"),
            ({"success": False, "code": 10, "status": "Delivered"}, "Unknown"),
            ({"success": "0", "status": "Delivered"}, "Unknown"),
            ({"success": "1", "status": "Delivered"}, "Delivered"),
            ({"success": [], "status": "Delivered"}, "Delivered"),
        ],
        ids=str,
    )
    def test_statuses(self, members: dict[str, object], status: str) -> None:
        row = read_row(**members).as_row()

        assert (row["status"], row["raw_status"]) == (status, members["status"])

    @pytest.mark.parametrize(
        ("raw", "flag"),
        [
            *(("0", False), (0, False), (False, False), ("false", False)),
            *(("1", True), (1, True), (True, True), ("true", True)),
            *((None, None), ("", None), ("2", None), (2, None), (0.0, None), ([], None), ({}, None)),
        ],
    )
    def test_flags(self, raw: object, flag: bool | None) -> None:
        assert read_row(stopSms=raw).outcome.stop_sms is flag
        assert read_row(stopSMS=raw).outcome.stop_sms is flag
        assert read_row(isSpam=raw).outcome.is_spam is flag

    def test_a_flag_may_be_nested_deeply(self) -> None:
        for depth in (50, 500, 900):
            body = b'{"success":true,"StatutResponse_List":[{"phoneNumber":"+33699999993","messageId":111111,%s}]}'
            nested = b",".join(
                b'"%s":' % member + b"[" * depth + b"]" * depth
                for member in (b"stopSms", b"isSpam", b"date", b"code", b"success")
            )
            try:
                (status,) = multi_call().read(answer_of(body % nested))
            except SMSPartnerUnavailableError as error:
                assert "nested too deeply" in str(error)  # noqa: PT017 - either end is right
            else:
                outcome = status.outcome
                assert (outcome.stop_sms, outcome.is_spam, outcome.date, outcome.code) == (None,) * 4

    @pytest.mark.parametrize(
        ("raw", "date"),
        [
            ("1517934416", "2018-02-06T16:26:56+00:00"),
            (1517934416, "2018-02-06T16:26:56+00:00"),
            (1517934416.0, "2018-02-06T16:26:56+00:00"),
            ("2018-02-06 17:26:56", "2018-02-06T16:26:56+00:00"),  # winter
            ("2018-07-06 17:26:56", "2018-07-06T15:26:56+00:00"),  # summer
            ("2018-02-06T17:26:56", "2018-02-06T16:26:56+00:00"),
            ("2018-02-06T17:26:56+02:00", "2018-02-06T15:26:56+00:00"),
            ("2018-02-06T17:26:56Z", "2018-02-06T17:26:56+00:00"),
            ("2018-02-06", "2018-02-05T23:00:00+00:00"),
            ("20180206", "2018-02-05T23:00:00+00:00"),
            (None, None),
            ("", None),
            ("0", None),
            (0, None),
            (-1517934416, None),
            (True, None),
            ("0000-00-00 00:00:00", None),
            ("0001-01-01 00:00:00", None),
            ("2018-02-30 00:00:00", None),
            ("1517934416000", None),
            (10**400, None),
            ("9" * 5000, None),
            (1e308, None),
            ("nan", None),
            ("yesterday", None),
            (["1517934416"], None),
            ({"date": 1}, None),
            ("1000000000", "2001-09-09T01:46:40+00:00"),
            ("999999999", None),
        ],
        ids=lambda value: str(value)[:30] if not isinstance(value, int) else "int",
    )
    def test_dates(self, raw: object, date: str | None) -> None:
        assert read_row(date=raw).as_row()["date"] == date

    def test_a_date_is_aware_and_in_utc(self) -> None:
        date = read_row(date="2018-07-06 17:26:56").outcome.date

        assert date == datetime(2018, 7, 6, 15, 26, 56, tzinfo=UTC)
        assert date is not None
        assert date.tzinfo is UTC

    @pytest.mark.parametrize(
        ("raw", "code"),
        [(200, 200), ("200", 200), (None, None), ("x", None), (33612345678, None), ([], None)],
    )
    def test_codes(self, raw: object, code: int | None) -> None:
        assert read_row(code=raw).outcome.code == code


@pytest.mark.parametrize(
    ("raw", "figure"), [("9" * MAX_DIGITS, 10**MAX_DIGITS - 1), ("9" * (MAX_DIGITS + 1), None), ("0", 0)]
)
def test_a_figure_may_be_text_of_so_many_digits(raw: str, figure: int | None) -> None:
    assert to_int(raw, at_most=10 ** (MAX_DIGITS + 1)) == figure
