"""The statuses of a tag [by-tag]: its pages, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property, partial

import msgspec

from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageStatus, plain_text
from airflow_provider_smspartner.protocol.answers import (
    LARGE_BYTES,
    MAX_FIGURE,
    describe_codes,
    read_rows,
    taken,
    unavailable,
)
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request
from airflow_provider_smspartner.protocol.rows import outcome_of, to_int, to_phone_number
from airflow_provider_smspartner.protocol.texts import check_sendable

MAX_TAG_LENGTH = 20
"""[observed] Other editions of the vendor's page on sending: at most 20 characters, no space."""


class TagPage(msgspec.Struct, frozen=True, dict=True):
    """
    One page of a tag's statuses.

    :param number: the page's number as answered, or None where it is not said or is none.
    :param total: rows over all pages, as answered.
    :param rows: the page's rows, in the vendor's order.
    """

    number: int | None
    total: int
    rows: tuple[MessageStatus, ...]

    @cached_property
    def counts(self) -> Counter[DeliveryStatus]:
        """The page's rows by status."""
        return Counter(status.status for status in self.rows)


def check_tag(tag: object) -> str:
    """
    Check a tag before it is sent.

    :raises SMSPartnerInputError: if it isn't 1 to 20 characters without white space.
    """
    if not isinstance(tag, str):
        raise SMSPartnerInputError(f"tag must be text, not of type {type(tag).__name__}")
    if not 1 <= len(tag) <= MAX_TAG_LENGTH:
        raise SMSPartnerInputError(f"tag must be 1 to {MAX_TAG_LENGTH} characters long, not {len(tag)}")
    if any(character.isspace() for character in tag):
        raise SMSPartnerInputError("tag must not contain white space")
    check_sendable("tag", tag)
    return plain_text(tag)


def tag_page(tag: str, number: int) -> Call[TagPage]:
    """
    Ask for one page of a tag [by-tag]; whether it is the page asked for, its number must tell.

    :param tag: 1 to 20 characters without white space.
    :param number: from 1; the first is asked for as the vendor documents it, without a page parameter.
    """
    if number > 1:
        return _later_tag_page(tag, number)
    request = Request("GET", "/bulk-status-by-tag", {"tag": check_tag(tag)}, may_repeat=True)
    return Call(request, partial(_read_first_tag_page, tag))


def _later_tag_page(tag: str, number: int) -> Call[TagPage]:
    # Also the page 1 of a vendor that counts from 0: how it counts is not documented.
    query = {"tag": check_tag(tag), "page": str(number)}
    return Call(Request("GET", "/bulk-status-by-tag", query, may_repeat=True), _read_later_tag_page)


def following(pages: Generator[Call[TagPage], TagPage, None], page: TagPage) -> Call[TagPage] | None:
    """
    Return the call after a page, or None after the last.

    :param pages: what `status_by_tag` gave.
    :param page: the answer to the call before.
    :raises SMSPartnerError: as `status_by_tag` does.
    """
    try:
        return pages.send(page)
    except StopIteration:
        return None


def status_by_tag(tag: str) -> Generator[Call[TagPage], TagPage, None]:
    """
    Page through a tag: yields calls, is sent the page that each gave, and returns after the last.

    No page parameter is documented. ``page``, from 1, is how the vendor's ``/contact/list`` works, which has the
    same envelope [observed, inferred]; so an answer that is not the page asked for ends in an error that names
    both figures, never in a short result.

    Pages are no snapshot: an SMS that is sent under the tag meanwhile moves rows from one page to the next, where one
    would be read twice and another never. `total` tells, or a page that begins with the end of the one before. Two
    changes that leave `total` as it is, between pages whose rows look alike, cannot be seen.

    :param tag: 1 to 20 characters without white space.
    :raises SMSPartnerNotFoundError: if there is no message with this tag, or not yet.
    :raises SMSPartnerIncompleteError: if the pages end, repeat or go astray before `total` rows, or the tag has
        changed meanwhile: then it says so.
    """
    page = yield tag_page(tag, 1)
    received, total = len(page.rows), page.total
    if not received and not total:
        raise _unknown_tag(tag)
    while received < total:
        if not page.rows:
            raise _incomplete(tag, "an empty page", expected=total, received=received)
        asked, before = _number_after(page), page
        page = yield _later_tag_page(tag, asked)
        if page.rows and page.number != asked:
            answered = "a page without a number" if page.number is None else f"page {page.number}"
            met = f"{answered} where page {asked} was asked for"
            raise _incomplete(tag, met, expected=total, received=received)
        if page.total != total:
            met = f"page {asked} with a total of {page.total}" if page.rows else "an empty page"
            raise _incomplete(tag, met, expected=total, received=received, has_changed=True)
        if _goes_back(before.rows, page.rows):
            met = f"page {asked}, which begins with rows of the one before"
            raise _incomplete(tag, met, expected=total, received=received, has_changed=True)
        received += len(page.rows)


_LOOK_BACK = 1_000
"""How many rows of a page are compared with the next: many more than are sent while a page is read."""


def _goes_back(before: Sequence[MessageStatus], rows: Sequence[MessageStatus]) -> bool:
    """Whether a page begins with the end of the one before."""
    end = before[-_LOOK_BACK:]
    if not rows or rows[0] not in end:
        return False
    again = end[end.index(rows[0]) :]
    if rows[: len(again)] != again:
        return False
    # Rows that look alike prove nothing: one number may have many SMS, and before reports come, nothing tells the rows
    # of a list of numbers that was sent to twice from each other.
    times = Counter(end)
    if all(row.outcome.date is None for row in again):
        return len(times) == len(end) and len(again) < len(before)
    return all(times[row] == 1 for row in again)


MAX_READINGS = 3
"""How often a tag is read that changes meanwhile, the first time included."""


def foreseen_pages(tag: str, first: TagPage) -> Iterator[Call[TagPage]]:
    """
    Return the calls that `status_by_tag` will most likely yield after the first page, to send some of them at once.

    Their pages are sent to it as if asked for one after the other: it alone judges them.

    :param tag: 1 to 20 characters without white space.
    :param first: the tag's first page.
    """
    start = _number_after(first)
    later = -(-first.total // len(first.rows)) - 1 if first.rows else 0
    return (_later_tag_page(tag, number) for number in range(start, start + later))


def _number_after(page: TagPage) -> int:
    return (1 if page.number is None else page.number) + 1


def _read_first_tag_page(tag: str, answer: Answer) -> TagPage:
    unknown = None
    try:
        page = _read_tag_page(answer)
    except SMSPartnerNotFoundError as error:
        unknown = _unknown_tag(tag, error)
    if unknown is not None:  # raised here, so that the other is not its context
        raise unknown
    if page.number is not None and page.number > 1:
        raise unavailable(answer, f"it is page {page.number} where the first was asked for")
    return page


def _read_later_tag_page(answer: Answer) -> TagPage:
    try:
        return _read_tag_page(answer)
    except SMSPartnerNotFoundError:
        return TagPage(None, 0, ())


def _read_tag_page(answer: Answer) -> TagPage:
    envelope, rows = read_rows(answer)
    if rows and envelope.total is None and all(row.message_id is not None for row in rows):
        raise unavailable(answer, "it is the answer to another call, about a list of messages")
    # A tag without messages may well come without a figure: no vendor page shows that answer.
    is_nothing = not rows and envelope.total is None
    total = 0 if is_nothing else to_int(envelope.total, at_most=MAX_FIGURE)
    if total is None:
        raise unavailable(answer, "its `total` is not a plausible number of rows")
    if not all(row.phone_number for row in rows):
        raise unavailable(answer, "a row has no phoneNumber")
    page = TagPage(
        number=to_int(envelope.current_page, at_most=MAX_FIGURE),
        total=total,
        # By tag the vendor does not say which send a row is about [by-tag].
        rows=tuple(
            MessageStatus(to_phone_number(row.phone_number), None, outcome_of(row)) for row in taken(rows)
        ),
    )
    if len(answer.body) > LARGE_BYTES:
        # Now, since a large answer is read on a thread: the event loop is then spared going through its rows.
        _ = page.counts
    return page


def _unknown_tag(tag: str, error: SMSPartnerError | None = None) -> SMSPartnerNotFoundError:
    code, http_status = (None, None) if error is None else (error.code, error.http_status)
    said = "" if http_status is None else f" {describe_codes(code, http_status)}"
    return SMSPartnerNotFoundError(
        f"SMS Partner knows no message with the tag {tag!r} (yet){said}. Check how the tag is written in the send; "
        "a campaign that was sent a moment ago may not be known yet.",
        code=code,
        http_status=http_status,
    )


def _incomplete(
    tag: str, met: str, *, expected: int, received: int, has_changed: bool = False
) -> SMSPartnerIncompleteError:
    changed = "The tag has changed while it was read: read it again once nothing is sent under it. "
    return SMSPartnerIncompleteError(
        f"SMS Partner announced {expected} rows for the tag {tag!r} and gave {received} of them: then came {met}. "
        f"{changed if has_changed else ''}Ask for the campaign by the list of its messages instead: with "
        "SMSPartnerMultiStatusOperator, the hook's get_multi_status or the sensor's `messages`.",
        expected=expected,
        received=received,
        has_changed=has_changed,
    )
