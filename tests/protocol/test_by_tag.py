"""The pages of a tag."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from protocol.samples import (
    BY_TAG,
    WRONG_KEY,
    answer_of,
    drive_tag,
    error_of,
    page_of,
    serving,
    tag_call,
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


class TestPaging:
    """Either all rows of a tag, or an error that names both figures."""

    def test_one_page_is_one_call_without_a_page_number(self) -> None:
        pages = protocol.status_by_tag("montag")
        call = next(pages)

        assert "page" not in call.request.query
        with pytest.raises(StopIteration):
            pages.send(call.read(answer_of(BY_TAG)))

    @pytest.mark.parametrize("as_text", [int, str])
    def test_many_pages(self, as_text: Callable[[int], object]) -> None:
        asked: list[int] = []

        def serve(number: int) -> Answer:
            asked.append(number)
            rows = tag_rows(10 * (number - 1), min(10 * number, 25))
            return page_of(rows, as_text(number), as_text(25))

        rows = drive_tag(serve)

        assert [row.phone_number for row in rows] == [f"+336{n:08}" for n in range(25)]
        assert asked == [1, 2, 3]

    @pytest.mark.parametrize("known", [True, False])
    def test_a_vendor_that_counts_pages_from_0_is_asked_for_page_1(self, known: bool) -> None:
        pages = protocol.status_by_tag("montag")
        first = next(pages).read(page_of(tag_rows(0, 2), 0, 3))
        (foreseen,) = protocol.foreseen_pages("montag", first)
        call = pages.send(first)

        assert call.request.query == foreseen.request.query == {"tag": "montag", "page": "1"}
        if known:
            with pytest.raises(StopIteration):
                pages.send(call.read(page_of(tag_rows(2, 3), 1, 3)))
        else:
            with pytest.raises(SMSPartnerIncompleteError, match=r"announced 3 rows .* gave 2"):
                pages.send(call.read(answer_of({"success": False, "code": 4})))

    def test_following_pages_keep_the_tag(self) -> None:
        pages = protocol.status_by_tag("montag")
        call = pages.send(next(pages).read(page_of(tag_rows(0, 1), 1, 2)))

        assert call.request.query == {"tag": "montag", "page": "2"}

    def test_pages_may_count_from_zero(self) -> None:
        rows = drive_tag(serving(page_of(tag_rows(0, 1), 0, 2), page_of(tag_rows(1, 2), 1, 2)))

        assert len(rows) == 2

    def test_a_first_page_without_a_number_is_the_first(self) -> None:
        rows = drive_tag(serving(page_of(tag_rows(0, 1), None, 2), page_of(tag_rows(1, 2), 2, 2)))

        assert len(rows) == 2

    def test_a_total_too_low_loses_no_row_that_came(self) -> None:
        assert len(drive_tag(serving(page_of(tag_rows(0, 5), 1, 1)))) == 5
        assert len(drive_tag(serving(page_of(tag_rows(0, 5), 1, 0)))) == 5

    def test_a_total_that_grows_is_followed(self) -> None:
        answers = [page_of(tag_rows(n, n + 1), n + 1, min(n + 2, 5)) for n in range(5)]

        assert len(drive_tag(serving(*answers))) == 5

    def test_a_total_that_shrinks_is_not_believed(self) -> None:
        answers = [page_of(tag_rows(0, 2), 1, 5), page_of(tag_rows(2, 4), 2, 4), page_of([], 3, 4)]

        _check_incomplete(serving(*answers), expected=5, received=4, met="an empty page")

    @pytest.mark.parametrize(
        "total", [-1, "-1", 10**9, 10**300, None, 2.0, 1e308, True, "two", "", [], {}], ids=str
    )
    def test_a_total_that_is_none_is_no_answer(self, total: object) -> None:
        error = error_of(tag_call(), page_of(tag_rows(0, 2), 1, total).body)

        assert type(error) is SMSPartnerUnavailableError
        assert "`total`" in str(error)

    def test_a_total_too_high_ends_with_the_first_empty_page(self) -> None:
        answers = [page_of(tag_rows(0, 2), 1, 9), page_of(tag_rows(2, 4), 2, 9), page_of([], 3, 9)]

        _check_incomplete(serving(*answers), expected=9, received=4, met="an empty page")

    def test_an_empty_first_page_of_many_rows(self) -> None:
        _check_incomplete(serving(page_of([], 1, 3)), expected=3, received=0, met="an empty page")

    def test_code_4_on_a_later_page_is_an_empty_page(self) -> None:
        answers = [page_of(tag_rows(0, 2), 1, 3), answer_of({"success": False, "code": 4}, 404)]

        _check_incomplete(serving(*answers), expected=3, received=2, met="an empty page")

    def test_other_errors_on_a_later_page_are_themselves(self) -> None:
        with pytest.raises(SMSPartnerCredentialsError):
            drive_tag(serving(page_of(tag_rows(0, 2), 1, 3), answer_of(WRONG_KEY)))

    def test_a_server_that_ignores_the_page(self) -> None:
        _check_incomplete(
            lambda _: page_of(tag_rows(0, 2), 1, 5),
            expected=5,
            received=2,
            met="page 1 where page 2 was asked for",
        )

    @pytest.mark.parametrize("number", [None, "two", 2.0, 33612345678, -2, [2]])
    def test_a_later_page_must_say_its_number(self, number: object) -> None:
        _check_incomplete(
            serving(page_of(tag_rows(0, 2), 1, 5), page_of(tag_rows(2, 4), number, 5)),
            expected=5,
            received=2,
            met="a page without a number where page 2 was asked for",
        )

    @pytest.mark.parametrize("repeated_after", [1, 3])
    def test_a_page_repeated_under_the_right_number(self, repeated_after: int) -> None:
        def serve(number: int) -> Answer:
            first = 2 * (number - 1) if number <= repeated_after else 0
            return page_of(tag_rows(first, first + 2), number, 20)

        _check_incomplete(
            serve,
            expected=20,
            received=2 * repeated_after,
            met=f"page {repeated_after + 1} with the rows of an earlier page",
        )

    @pytest.mark.parametrize("http_status", [200, 400, 404])
    def test_an_unknown_tag_by_code(self, http_status: int) -> None:
        error = error_of(
            tag_call(), {"success": False, "code": 4, "message": "Message not found"}, http_status
        )

        assert (type(error), error.code) == (SMSPartnerNotFoundError, 4)

    @pytest.mark.parametrize("total", [0, "0", None])
    def test_an_unknown_tag_by_an_empty_list(self, total: object) -> None:
        with pytest.raises(SMSPartnerNotFoundError, match=r"no message with the tag 'montag' \(yet\)\. "):
            drive_tag(serving(page_of([], 1, total)))

    @pytest.mark.parametrize("row", [{"status": "Delivered"}, {"phoneNumber": None}, {"phoneNumber": ""}])
    def test_a_row_must_say_whom_it_is_about(self, row: dict[str, object]) -> None:
        error = error_of(tag_call(), page_of([row], total=1).body)

        assert type(error) is SMSPartnerUnavailableError
        assert "a row has no phoneNumber" in str(error)

    @pytest.mark.parametrize("number", [2, 3, 50])
    def test_a_first_page_that_is_a_later_one_is_not_believed(self, number: int) -> None:
        error = error_of(tag_call(), page_of(tag_rows(0, 1), number=number, total=1).body)

        assert type(error) is SMSPartnerUnavailableError
        assert f"it is page {number} where the first was asked for" in str(error)

    def test_a_later_page_repeated_under_the_right_number(self) -> None:
        _check_incomplete(
            lambda number: page_of(tag_rows(min(number, 2), min(number, 2) + 1), number, total=9),
            expected=9,
            received=2,
            met="page 3 with the rows of an earlier page",
        )

    def test_each_page_may_be_asked_for_again(self) -> None:
        assert [protocol.tag_page("montag", number).request.may_repeat for number in (1, 2)] == [True] * 2

    def test_a_row_about_no_mobile_number_stays_as_it_is(self) -> None:
        page = tag_call().read(page_of([{"phoneNumber": "36200"}, {"phoneNumber": "short 1"}], total=2))

        assert [row.phone_number for row in page.rows] == ["36200", "short 1"]


@pytest.mark.parametrize(
    ("size", "total", "number", "pages"),
    [
        (2, 2, 1, []),
        (2, 3, 1, [2]),
        (2, 4, 1, [2]),
        (2, 9, 1, [2, 3, 4, 5]),
        (2, 5, 0, [1, 2]),
        (2, 5, None, [2, 3]),
        (3, 1, 1, []),
        (0, 0, 1, []),
        (0, 9, 1, []),
    ],
)
def test_the_pages_that_will_be_asked_for_are_foreseen(
    size: int, total: int, number: int | None, pages: list[int]
) -> None:
    first = tag_call().read(page_of(tag_rows(0, size), number=number, total=total))

    foreseen = list(protocol.foreseen_pages("montag", first))

    assert [(call.request.query["tag"], int(call.request.query.get("page", 1))) for call in foreseen] == [
        ("montag", page) for page in pages
    ]


def _check_incomplete(serve: Callable[[int], Answer], *, expected: int, received: int, met: str) -> None:
    with pytest.raises(SMSPartnerIncompleteError) as caught:
        drive_tag(serve)

    assert (caught.value.expected, caught.value.received) == (expected, received)
    assert str(caught.value) == (
        f"SMS Partner announced {expected} rows for the tag 'montag' and gave {received} of them: then came {met}. "
        "Ask for the campaign by the list of its messages instead: with SMSPartnerMultiStatusOperator, the hook's "
        "get_multi_status or the sensor's `messages`."
    )


@pytest.mark.parametrize(("number", "page"), [(1, None), (2, "2"), (3, "3")])
def test_a_page_is_asked_for_by_its_number_from_the_second_on(number: int, page: str | None) -> None:
    assert protocol.tag_page("spring", number).request.query.get("page") == page
