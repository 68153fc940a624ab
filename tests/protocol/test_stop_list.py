"""The stop list: its entries, and which answers are not believed."""

from __future__ import annotations

from typing import Any

import pytest
from protocol.samples import FAKE_SUCCESS, PHONE, STOP_LIST, answer_of, error_of, refused

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError


def entry(**members: object) -> dict[str, object]:
    return {"id": 19, "phoneNumber": PHONE, "createdAt": "2015-07-20 10:19:45", **members}


def body(*entries: object, **members: object) -> dict[str, object]:
    return {"success": True, "code": 200, "nbData": len(entries), "data": entries, **members}


def rows(answered: object) -> list[Any]:
    return [each.as_row() for each in protocol.stop_list().read(answer_of(answered))]


def test_the_vendors_example() -> None:
    (read,) = protocol.stop_list().read(answer_of(STOP_LIST))

    assert read.as_row() == {"phone_number": PHONE, "created_at": "2015-07-20T08:19:45+00:00"}
    assert "99999993" not in repr(read) + str(read.__rich_repr__())
    assert "2015" in repr(read)


@pytest.mark.parametrize("numbers", [[], ["+33699999993", "+33612345678", "+33699999993"]], ids=len)
def test_all_in_the_vendors_order(numbers: list[str]) -> None:
    listed = body(*(entry(phoneNumber=number) for number in numbers), nbData=str(len(numbers)))

    assert [row["phone_number"] for row in rows(listed)] == numbers


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0699999993", PHONE),
        (33699999993, PHONE),
        ("+33696123456", "+596696123456"),
        ("36111", "36111"),
        ("INFO", "INFO"),
    ],
)
def test_numbers_are_e164_where_they_are_phone_numbers(written: object, number: str) -> None:
    assert rows(body(entry(phoneNumber=written)))[0]["phone_number"] == number


@pytest.mark.parametrize(
    ("raw", "read"),
    [("2015-01-20 10:19:45", "2015-01-20T09:19:45+00:00"), ("0000-00-00 00:00:00", None), (None, None)],
)
def test_dates(raw: object, read: str | None) -> None:
    assert rows(body(entry(createdAt=raw)))[0]["created_at"] == read


@pytest.mark.parametrize(
    ("answered", "fault"),
    [
        (FAKE_SUCCESS, "without `data`"),
        (body(StatutResponse_List=[]), "another call"),
        (body(credits={}), "another call"),
        ({"success": True, "code": 200, "data": []}, "`nbData` is not a plausible number"),
        (body(entry(), nbData=PHONE), "`nbData` is not a plausible number"),
        (body(entry(), nbData=2), "announces 2 entries and has 1"),
        (body(entry(), nbData=0), "announces 0 entries and has 1"),
        (body(entry(phoneNumber="")), "no phoneNumber"),
        (body(entry(phoneNumber=[PHONE])), "phoneNumber"),
        (body(5), "data"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_not_believed(answered: object, fault: str) -> None:
    error = error_of(protocol.stop_list(), answered)

    assert type(error) is SMSPartnerUnavailableError
    assert fault in str(error)
    assert "99999993" not in str(error)


def test_a_code_that_the_page_does_not_name() -> None:
    error = error_of(protocol.stop_list(), refused(4))

    assert type(error) is SMSPartnerUnavailableError
    assert "neither a success nor an error that the vendor documents" in str(error)
