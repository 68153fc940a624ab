"""What a row or an account says, in every form in which its facts have been seen, and what is kept of it."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable
from datetime import UTC

import pytest
from fuzz.oracles import KEY
from protocol.samples import answer_of, multi_row, page_of, read_row, tag_call
from told import forms_of

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.protocol import Account
from airflow_provider_smspartner.protocol.rows import MAX_DIGITS, MAX_WORDS, to_int


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"status": "Not delivered"}, "Not delivered"),
        ({"status": "WAITING"}, "Waiting"),
        ({"status": "DELIVRD"}, "Delivered"),
        ({"status": "Teleported", "operator": "SFR", "cost": {"value": 0.04}}, "Unknown"),
        ({"status": None}, "Unknown"),
        ({"success": False, "code": "4", "status": "Delivered"}, "Not found"),
        ({"success": True, "code": 4, "status": "Numéro introuvable"}, "Not found"),
        ({"success": False, "code": 10, "status": "Delivered"}, "Unknown"),
        ({"success": "0", "status": "Delivered"}, "Unknown"),
        ({"success": "1", "status": "Delivered"}, "Delivered"),
        ({"success": [], "status": "Delivered"}, "Delivered"),
    ],
    ids=str,
)
def test_statuses(members: dict[str, object], status: str) -> None:
    row = read_row(**members).as_row()

    assert (row["status"], row["raw_status"]) == (status, members["status"])


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        *(("0", False), (0, False), (False, False), ("false", False), ("1", True), ("true", True)),
        *((None, None), (2, None), (0.0, None), ([], None)),
    ],
)
def test_flags(raw: object, flag: bool | None) -> None:
    assert read_row(stopSms=raw).outcome.stop_sms is flag
    assert read_row(stopSMS=raw).outcome.stop_sms is flag
    assert read_row(isSpam=raw).outcome.is_spam is flag


@pytest.mark.parametrize("member", ["stopSms", "isSpam", "date", "code", "success"])
def test_a_fact_may_be_nested_deeply(member: str) -> None:
    nested: list[object] = []
    for _ in range(400):
        nested = [nested]
    outcome = read_row(**{member: nested}).outcome

    assert (outcome.stop_sms, outcome.is_spam, outcome.date, outcome.code) == (None,) * 4


@pytest.mark.parametrize(
    ("raw", "date"),
    [
        ("1517934416", "2018-02-06T16:26:56+00:00"),
        (1517934416, "2018-02-06T16:26:56+00:00"),
        ("2018-02-06 17:26:56", "2018-02-06T16:26:56+00:00"),  # winter
        ("2018-07-06 17:26:56", "2018-07-06T15:26:56+00:00"),  # summer
        ("2018-02-06T17:26:56+02:00", "2018-02-06T15:26:56+00:00"),
        ("1000000000", "2001-09-09T01:46:40+00:00"),
        ("999999999", None),
        (0, None),
        (True, None),
        ("0000-00-00 00:00:00", None),
        *((raw, None) for raw in ("0", "1970-01-01 01:00:00", "1970-01-01T00:00:00Z", "19700101", -3600)),
        ("1517934416000", None),
        (10**400, None),
        ("9" * 5000, None),
        ("nan", None),
        ("yesterday", None),
        ({"date": 1}, None),
    ],
    ids=lambda value: str(value)[:30] if not isinstance(value, int) else "int",
)
def test_dates(raw: object, date: str | None) -> None:
    read = read_row(date=raw)

    assert read.as_row()["date"] == date
    assert read.outcome.date is None or read.outcome.date.tzinfo is UTC


@pytest.mark.parametrize(
    ("raw", "code"),
    [("200", 200), (9_999, 9_999), (10_000, None), ("x", None), (33612345678, None), ([], None)],
)
def test_codes(raw: object, code: int | None) -> None:
    assert read_row(code=raw).outcome.code == code


@pytest.mark.parametrize(
    ("raw", "figure"), [("9" * MAX_DIGITS, 10**MAX_DIGITS - 1), ("9" * (MAX_DIGITS + 1), None), ("0", 0)]
)
def test_a_figure_may_be_text_of_so_many_digits(raw: str, figure: int | None) -> None:
    assert to_int(raw, at_most=10 ** (MAX_DIGITS + 1)) == figure


@pytest.mark.parametrize(
    ("credits", "expected"),
    [
        ({"creditSms": "1234", "balance": "12.50", "currency": "EUR"}, Account("12.50", "EUR", 1234)),
        ({"creditSms": 0, "balance": -3, "currency": "eur"}, Account("-3", None, 0)),
        (
            {"creditSms": 99_999_999, "balance": -99_999_999, "currency": "USD"},
            Account("-99999999", "USD", 99_999_999),
        ),
        ({"creditSms": 100_000_000, "balance": 100_000_000}, Account(None, None, None)),
        ({"creditSms": None, "balance": KEY, "currency": KEY}, Account(None, None, None)),
        ({"creditSms": -1, "balance": True, "currency": 5}, Account(None, None, None)),
        ({"creditSms": 1.5, "balance": 10**4200, "currency": []}, Account(None, None, None)),
    ],
)
def test_account(credits: object, expected: Account) -> None:  # noqa: A002 - the vendor's name
    assert protocol.account().read(answer_of({"success": True, "code": 200, "credits": credits})) == expected


def long_text(number: int) -> object:
    return f"{number:04}" + "x" * 20_000


def long_integer(number: int) -> object:
    return 10**4000 + number


@pytest.mark.parametrize(
    ("member", "made", "count", "most_bytes"),
    [
        ("status", long_text, 300, 1_000_000),  # of 6 million characters
        ("code", long_text, 300, 1_000_000),
        ("date", long_integer, 400, 300_000),  # of 700 kB
    ],
)
def test_long_facts_of_answers_are_not_kept(
    member: str, made: Callable[[int], object], count: int, most_bytes: int
) -> None:
    read_row()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            read_row(**{member: made(number)})
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert kept < most_bytes


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("Numéro\x00 porté\r\n\u2028", "Numéro  porté "),
        ("Teleported " * 1000, ("Teleported " * 1000)[: MAX_WORDS - 1] + "…"),
        ("\x00" * 9_999, " "),
    ],
    ids=["controls", "long", "nothing else"],
)
def test_the_words_of_the_vendor_stand_in_one_line_that_every_table_takes(words: str, kept: str) -> None:
    assert read_row(status=words).outcome.raw_status == kept
    page = page_of([{"phoneNumber": words, "status": words}], total=1)
    (row,) = tag_call().read(page).rows
    assert (row.phone_number, row.outcome.raw_status) == (kept, kept)


@pytest.mark.parametrize("form", sorted(forms_of(KEY)))
def test_the_key_is_cut_out_of_the_words_of_the_vendor(form: str) -> None:
    rows = [multi_row(phoneNumber=f"key {form}", status=f"bad key {form}!"), multi_row(status="Delivered")]
    page = dataclasses.replace(page_of(rows, total=2), key=KEY)
    quoting, usual = tag_call().read(page).rows

    assert (quoting.phone_number, quoting.outcome.raw_status) == ("key ***", "bad key ***!")
    assert usual.outcome.raw_status == "Delivered"
    stops = {"success": True, "code": 200, "nbData": 1, "data": [{"phoneNumber": form}]}
    (stop,) = protocol.stop_list().read(dataclasses.replace(answer_of(stops), key=KEY))
    assert stop.phone_number == "***"


@pytest.mark.parametrize(
    ("quoted", "kept"), [("a+b", "***"), ("a%20b", "***"), ("a b", "***"), ("a-b", "a-b"), ("a+c", "a+c")]
)
def test_a_key_with_a_space_is_cut_out_as_urls_write_it(quoted: str, kept: str) -> None:
    page = dataclasses.replace(page_of([multi_row(status=quoted)], total=1), key="a b")

    assert [row.outcome.raw_status for row in tag_call().read(page).rows] == [kept]
