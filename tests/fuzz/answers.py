"""What is done with the bytes of an answer, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from fuzz.oracles import (
    TOO_LARGE,
    UNREADABLE,
    URL,
    check_error,
    check_text,
    expect,
    json_value,
    names_a_member_twice,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, MessageStatus, Outcome, Receipt
from airflow_provider_smspartner.protocol import Account, Answer, Call, TagPage, answers, by_tag, sending

ASKED = (
    MessageRef("+33699999993", 111111),
    MessageRef("+33699999992", 1000),
    MessageRef("+33712345678", "x-2"),
)
NUMBERS = tuple(ref.phone_number for ref in ASKED)
TAG = "montag"

# The first byte of an input chooses among these, the second among the headers: "00" is a usual answer.
_STATUSES = (200, 200, 400, 401, 404, 429, 500, 503, 201, 204, 302, 403, 418, 499, 599, 100)
_HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"Content-Type": "application/json"},
    {"Retry-After": "30"},
    {"RETRY-AFTER": "Wed, 21 Oct 2026 07:28:00 GMT"},
    {"retry-after": "+33699999993"},
    {"Retry-After": "\ud800", "X-Echo": URL},
)
PAGE_SEPARATOR = b"\x1e"
"""Stands between the pages of a tag; in JSON it cannot stand anywhere."""

_MOST_PAGES = 12
_NONE_KNOWN = Outcome(status=DeliveryStatus.NOT_FOUND, code=4)


def answer_of(data: bytes) -> Answer:
    """Make an answer of an input: two bytes choose its HTTP status and its headers, the rest is its body."""
    status, headers = (data[0], data[1]) if len(data) > 1 else (48, 48)
    return Answer(_STATUSES[status % 16], _HEADERS[headers % len(_HEADERS)], data[2:])


def check_list(data: bytes) -> None:
    """Read an answer about a list of messages."""
    answer = answer_of(data)
    call = next(protocol.multi_status(ASKED))
    statuses = read_both_ways(call, answer)
    if statuses is not None:
        _check_list(statuses, answer)


def check_tag_page(data: bytes) -> None:
    """Read the first page of a tag."""
    answer = answer_of(data)
    page = read_both_ways(next(protocol.status_by_tag(TAG)), answer)
    if page is not None:
        _check_page(page, answer)


def check_account(data: bytes) -> None:
    """Read an answer about the account."""
    answer = answer_of(data)
    account: Account | None = read_both_ways(protocol.account(), answer)
    if account is not None:
        content = _content(answer)
        expect(content is TOO_LARGE or isinstance(content.get("credits"), dict), "an account without credits")
        expect(account.balance is None or abs(float(account.balance)) < 10**8, "an implausible balance")


def check_pages(data: bytes) -> None:
    """Read the pages of a tag, one after the other, from a vendor that answers anything."""
    bodies = data[2:].split(PAGE_SEPARATOR)[:_MOST_PAGES]
    script = iter([Answer(answer_of(data[:2]).http_status, {}, body) for body in bodies])
    nothing = Answer(200, {}, b'{"success":true,"StatutResponse_List":[]}')
    received: list[MessageStatus] = []
    total = 0
    pages = protocol.status_by_tag(TAG)
    call: Call[TagPage] | None = next(pages)
    for _ in range(_MOST_PAGES + 2):
        if call is None:
            expect(received, "a tag without rows is told as a success")
            expect(len(received) >= total, f"{len(received)} rows of {total} are told as all of them")
            return
        try:
            page = call.read(next(script, nothing))
            received += page.rows
            total = max(total, page.total)
            call = protocol.following(pages, page)
        except SMSPartnerError as error:
            check_error(error)
            if isinstance(error, SMSPartnerNotFoundError):
                expect(not received, "a tag with rows is told as unknown")
            if isinstance(error, SMSPartnerIncompleteError):
                expect(error.received < error.expected, "all rows are told as incomplete")
            return
    expect(False, "the pages never end")


def check_cancel(data: bytes) -> None:
    """Read an answer to a cancel, which has no value."""
    read_both_ways(protocol.cancel(300), answer_of(data))


def check_stop_list(data: bytes) -> None:
    """Read an answer with the stop list."""
    answer = answer_of(data)
    entries: list[protocol.StopListEntry] | None = read_both_ways(protocol.stop_list(), answer)
    content = _content(answer)
    if entries is not None and content is not TOO_LARGE:
        expect(len(entries) == len(content["data"]) == int(content["nbData"]), "entries were lost or made up")
        expect(all(entry.phone_number for entry in entries), "an entry without a phone number")


def check_send(data: bytes) -> None:
    """Read an answer to the call that sends."""
    answer = answer_of(data)
    call = sending.bulk_send(dict.fromkeys(NUMBERS, "Bonjour"), sending.SendOptions(tag=TAG))
    try:
        receipt = call.read(answer)
    except SMSPartnerError as error:
        check_error(error)
    else:
        _check_receipt(receipt, answer)


def read_both_ways(call: Call[Any], answer: Answer) -> Any:
    """Return what an answer says, small or as a large one, or None for an error that was checked."""
    told: list[Any] = []
    for read in (call.read, partial(_read_in_parts, call.read)):
        try:
            told.append(read(answer))
        except SMSPartnerError as error:
            check_error(error)
            told.append(error)
    whole, in_parts = told
    check_text(repr(call))
    if isinstance(whole, SMSPartnerError):
        is_same = type(in_parts) is type(whole) and in_parts.code == whole.code
        expect(
            is_same or names_a_member_twice(bytes(answer.body)), "a large answer is refused in another way"
        )
        return None
    expect(repr(in_parts) == repr(whole) and in_parts == whole, "a large answer says something else")
    is_success = 200 <= answer.http_status < 300
    outcomes = {getattr(each, "outcome", None) for each in whole} if isinstance(whole, list) else set()
    # Of a cancel there is no value, and a send that was cancelled already is an error of the vendor's.
    is_no_error = whole is None or outcomes == {_NONE_KNOWN}
    expect(is_success or is_no_error, "an error's HTTP status is told as a success")
    expect(_content(answer) is not UNREADABLE, "what is no JSON was read")
    return whole


def _read_in_parts(read: Callable[[Answer], Any], answer: Answer) -> Any:
    """Read an answer as if it was a large one, which is decoded row by row."""
    with _large_bytes(0):
        return read(answer)


@contextmanager
def _large_bytes(limit: int) -> Iterator[None]:
    # By hand: there is no fixture here, and a million inputs.
    kept = answers.LARGE_BYTES
    for module in (answers, by_tag):
        vars(module)["LARGE_BYTES"] = limit
    try:
        yield
    finally:
        for module in (answers, by_tag):
            vars(module)["LARGE_BYTES"] = kept


def _content(answer: Answer) -> Any:
    return json_value(bytes(answer.body))


def _check_receipt(receipt: Receipt, answer: Answer) -> None:
    expect(sorted([*receipt.accepted, *receipt.refused]) == sorted(NUMBERS), "not each number once")
    expect("9999999" not in repr(receipt), "a receipt shows a number")
    content = _content(answer)
    if content is TOO_LARGE:
        return
    expect(isinstance(content, dict), "what is no JSON object was read")
    if receipt.message_id is None:
        expect(not receipt.accepted, "a number was accepted without a message id")
        is_success = content.get("success") is True and answer.http_status < 300
        expect(not is_success or content.get("SMSResponse_List"), "a success is told as a refusal")
        return
    expect(200 <= answer.http_status < 300, "an error's HTTP status is told as a success")
    expect(content.get("success") is True, "no success is told as one")
    expect(str(content.get("message_id")) == receipt.message_id, "another message id")


def _check_list(statuses: list[MessageStatus], answer: Answer) -> None:
    told = [(each.phone_number, each.message_id) for each in statuses]
    expect(told == [tuple(ref) for ref in ASKED], "not all messages, or in another order")
    content = _content(answer)
    # The rows of an answer that says of all messages that they are not known do not count.
    if not isinstance(content, dict) or content.get("success") is not True:
        return
    rows = content["StatutResponse_List"]
    for ref, each in zip(ASKED, statuses, strict=True):
        # In plain forms; the package knows more.
        own = [row for row in rows if (str(row.get("phoneNumber")), str(row.get("messageId"))) == ref]
        final = [row for row in own if _is_plainly_final(row)]
        expect(not final or each.status.is_final, "a final row was lost")
        if not any(str(row.get("messageId")) == ref.message_id for row in rows):
            expect(each.status is DeliveryStatus.NOT_FOUND, "a status that no row has")
            expect(each.outcome.raw_status is None, "the words of another row")


def _is_plainly_final(row: dict[str, Any]) -> bool:
    is_success = row.get("success", True) is True and row.get("code", 200) == 200
    return is_success and str(row.get("status")).casefold() in ("delivered", "not delivered", "ko")


def _check_page(page: TagPage, answer: Answer) -> None:
    content = _content(answer)
    if content is TOO_LARGE:
        return
    rows = content["StatutResponse_List"]
    expect(len(page.rows) == len(rows), "rows were lost or made up")
    expect(all(each.phone_number for each in page.rows), "a row without a phone number")
    expect(page.total == (0 if content.get("total") is None else int(content["total"])), "another total")
    expect(page.counts.total() == len(rows), "not all rows are counted")
    for each in page.rows:
        expect(set(each.as_row()) >= {"phone_number", "status"}, "a row without its columns")
