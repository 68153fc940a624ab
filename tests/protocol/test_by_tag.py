"""The pages of a tag: either all of its rows, or an error that names both figures."""

from __future__ import annotations

import codecs

import pytest
from combinations import in_turn
from protocol.samples import (
    BY_TAG,
    WRONG_KEY,
    answer_of,
    error_of,
    page_of,
    refused,
    serving,
    tag_call,
    tag_numbers,
    tag_rows,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import Answer


def test_the_vendors_example() -> None:
    page = tag_call().read(answer_of(codecs.BOM_UTF8 + BY_TAG))

    assert (page.number, page.total) == (1, 2)
    assert [status.as_row() for status in page.rows] == [
        {
            **dict.fromkeys(("message_id", "is_spam", "code")),
            "phone_number": phone_number,
            "status": "Delivered",
            "raw_status": "Delivered",
            "date": date,
            "stop_sms": False,
        }
        for phone_number, date in (
            ("+33699999991", "2018-02-07T07:38:31+00:00"),
            ("+33699999992", "2018-02-07T07:38:21+00:00"),
        )
    ]


def test_a_vendor_that_counts_pages_from_0_is_asked_for_page_1() -> None:
    pages = protocol.status_by_tag("montag")
    first = next(pages).read(page_of(tag_rows(0, 2), 0, 3))
    (foreseen,) = protocol.foreseen_pages("montag", first)

    call = pages.send(first)

    assert call.request.query == foreseen.request.query == {"tag": "montag", "page": "1"}
    with pytest.raises(StopIteration):
        pages.send(call.read(page_of(tag_rows(2, 3), 1, 3)))


def test_a_first_page_without_a_number_is_the_first() -> None:
    assert len(tag_numbers(serving(page_of(tag_rows(0, 1), None, 2), page_of(tag_rows(1, 2), 2, 2)))) == 2


@pytest.mark.parametrize("total", [0, 1])
def test_a_total_too_low_loses_no_row_that_came(total: int) -> None:
    assert len(tag_numbers(serving(page_of(tag_rows(0, 5), 1, total)))) == 5


def rows_to(*numbers: int, date: str | None = "1517989000") -> list[dict[str, object]]:
    dated = {} if date is None else {"date": date}
    return [{"phoneNumber": f"+336{n:08}", "status": "Waiting", **dated} for n in numbers]


@pytest.mark.parametrize(
    "pages",
    [
        [rows_to(*[7] * 500), rows_to(*[7] * 500), rows_to(*[7] * 100)],
        [rows_to(7, 8, date=None)] * 2,
        [rows_to(7, 8, 7), rows_to(7, 8)],
        [tag_rows(0, 3), tag_rows(4, 6), tag_rows(1, 2)],
    ],
    ids=["one number, 1,100 SMS", "a list that was sent to twice", "two on call", "an earlier page"],
)
def test_pages_are_told_apart_by_their_numbers(pages: list[list[dict[str, object]]]) -> None:
    total = sum(map(len, pages))
    answers = [page_of(rows, number, total) for number, rows in enumerate(pages, start=1)]

    assert len(tag_numbers(serving(*answers))) == total


@pytest.mark.parametrize(
    ("pages", "met"),
    [
        ([page_of(tag_rows(0, 2), 1, 4), page_of(tag_rows(1, 3), 2, 5)], "page 2 with a total of 5"),
        ([page_of(tag_rows(0, 2), 1, 4), page_of(tag_rows(2, 4), 2, 3)], "page 2 with a total of 3"),
        ([page_of(tag_rows(0, 2), 1, 3), page_of([], 2, 2)], "an empty page"),
        ([page_of(tag_rows(0, 2), 1, 3), answer_of(refused(4), 404)], "an empty page"),
        (
            [page_of(rows_to(1, 1) + tag_rows(0, 2), 1, 9), page_of(tag_rows(1, 3), 2, 9)],
            "page 2, which begins with rows of the one before",
        ),
        *(
            (
                [page_of(tag_rows(0, 3), 1, 6), page_of(tag_rows(n, n + 3), 2, 6)],
                "page 2, which begins with rows of",
            )
            for n in (0, 1, 2)
        ),
        (
            [page_of(rows_to(1, 2, 3, date=None), 1, 6), page_of(rows_to(3, 4, 5, date=None), 2, 6)],
            "page 2, which begins with rows of the one before",
        ),
    ],
)
def test_a_tag_that_changes_while_it_is_read_is_to_be_read_anew(pages: list[Answer], met: str) -> None:
    with pytest.raises(SMSPartnerIncompleteError, match="The tag has changed while it was read") as caught:
        tag_numbers(serving(*pages))

    assert met in str(caught.value)
    assert caught.value.has_changed


def pages_of_two(total: object, *, first: int = 1, last: int = 1) -> list[Answer]:
    return [page_of(tag_rows(2 * n, 2 * n + 2), n, total) for n in range(first, last + 1)]


@pytest.mark.parametrize(
    ("pages", "expected", "received", "met"),
    [
        ([*pages_of_two(9, last=2), page_of([], 3, 9)], 9, 4, "an empty page"),
        ([page_of([], 1, 3)], 3, 0, "an empty page"),
        (pages_of_two(5) * 2, 5, 2, "page 1 where page 2 was asked for"),
        *(
            (
                [*pages_of_two(5), page_of(tag_rows(4, 6), number, 5)],
                *(5, 2, "a page without a number where page 2 was asked for"),
            )
            for number in (None, "two", 33612345678)
        ),
    ],
    ids=[
        *("total too high", "empty first page", "page ignored"),
        *("no number", "number in words", "number too large"),
    ],
)
def test_an_incomplete_tag(pages: list[Answer], expected: int, received: int, met: str) -> None:
    with pytest.raises(SMSPartnerIncompleteError) as caught:
        tag_numbers(serving(*pages))

    assert (caught.value.expected, caught.value.received) == (expected, received)
    assert str(caught.value) == (
        f"SMS Partner announced {expected} rows for the tag 'montag' and gave {received} of them: then came {met}. "
        "Ask for the campaign by the list of its messages instead: with SMSPartnerMultiStatusOperator, the hook's "
        "get_multi_status or the sensor's `messages`."
    )


def test_other_errors_on_a_later_page_are_themselves() -> None:
    with pytest.raises(SMSPartnerCredentialsError):
        tag_numbers(serving(page_of(tag_rows(0, 2), 1, 3), answer_of(WRONG_KEY)))


@in_turn(
    answer={"code 4": refused(4), "empty": page_of([], 1, 0).body, "no total": page_of([], 1, None).body}
)
def test_an_unknown_tag(answer: object) -> None:
    with pytest.raises(SMSPartnerNotFoundError) as caught:
        tag_numbers(serving(answer_of(answer, 200)))

    is_said = caught.value.code == 4
    assert str(caught.value) == (
        f"SMS Partner knows no message with the tag 'montag' (yet){' (code 4, HTTP 200)' if is_said else ''}. Check "
        "how the tag is written in the send; a campaign that was sent a moment ago may not be known yet."
    )
    assert (caught.value.code, caught.value.http_status) == ((4, 200) if is_said else (None, None))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (page_of([{"status": "Delivered"}], total=1), "a row has no phoneNumber"),
        (page_of([{"phoneNumber": ""}], total=1), "a row has no phoneNumber"),
        (page_of(tag_rows(0, 1), number=2, total=1), "it is page 2 where the first was asked for"),
        *(
            (page_of(tag_rows(0, 2), 1, total), "its `total` is not a plausible number of rows")
            for total in (-1, 10**9, None, 2.0, "two")
        ),
    ],
)
def test_a_page_that_is_not_believed(page: Answer, fault: str) -> None:
    error = error_of(tag_call(), page.body)

    assert type(error) is SMSPartnerUnavailableError
    assert fault in str(error)


def test_a_row_has_no_message_id_and_keeps_what_is_no_mobile_number() -> None:
    rows: list[dict[str, object]] = [{"phoneNumber": "36200", "messageId": 307}, {"phoneNumber": "short 1"}]

    page = tag_call().read(page_of(rows, total=2))

    assert [(row.phone_number, row.message_id) for row in page.rows] == [("36200", None), ("short 1", None)]


@pytest.mark.parametrize(
    ("size", "total", "number", "pages"),
    [
        (2, 2, 1, []),
        (2, 3, 1, [2]),
        (2, 9, 1, [2, 3, 4, 5]),
        (2, 5, 0, [1, 2]),
        (2, 5, None, [2, 3]),
        (3, 1, 1, []),
        (0, 9, 1, []),
    ],
)
def test_the_pages_that_will_be_asked_for_are_foreseen(
    size: int, total: int, number: int | None, pages: list[int]
) -> None:
    first = tag_call().read(page_of(tag_rows(0, size), number=number, total=total))

    foreseen = list(protocol.foreseen_pages("montag", first))

    assert [(call.request.query["tag"], call.request.query["page"]) for call in foreseen] == [
        ("montag", str(page)) for page in pages
    ]
