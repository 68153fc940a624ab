"""
The vendor's API without I/O: builds requests, reads answers, pages a tag, batches a list.

A `Call` is a request and the function that reads its answer. Whoever drives it sends ``call.request``, hands the
`Answer` to ``call.read``, and gets a typed value or an `SMSPartnerError`, whatever bytes came back.

Sources, named beside each rule:

* [multi-status] https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/bulk-status
* [by-tag] https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
* [credits] https://www.docpartner.dev/en/api/sms-partner/credits
* [error-codes] https://www.docpartner.dev/en/api/error-codes
* [observed]: seen in public client code or in captured answers, not in the vendor's pages
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Any, Generic, TypeVar

import msgspec

from airflow_provider_smspartner._rows import (
    MAX_CODE,
    MAX_DIGITS,
    MESSAGE_NOT_FOUND,
    Row,
    certainty,
    outcome_of,
    to_int,
    to_phone_number,
)
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import (
    DeliveryStatus,
    MessageStatus,
    Outcome,
    Pair,
    read_pairs,
)

MAX_MESSAGES_PER_CALL = 500
"""[multi-status] "maximum 500 numbers"."""

MAX_TAG_LENGTH = 20
"""[observed] Other editions of the vendor's page on sending: at most 20 characters, no space."""

OK = 200
CREDENTIALS = {
    1: "the API key is missing",
    10: "the API key is wrong",
    20: "the account is disabled",
    30: "the account is blocked",
    40: "the account has no access to the API",
    96: "the IP address is not allowed; workers and triggerer may leave through different addresses",
}
"""[error-codes] Refusals of whoever asks: no retry mends them."""
REFUSALS = {
    2: "a phone number is missing",
    3: "a message id is missing",
    5: "the list of messages is empty",
    6: "a phone number has a wrong format",
    9: "a phone number is not a mobile number",
    50: "more than 500 messages were asked for",
    90: "the JSON is malformed",
}
"""[error-codes] Refusals of what is asked: no retry mends them."""

_ENTER_KEY = "Enter the account's API key in the Airflow connection."
_ASK_VENDOR = "Ask SMS Partner about the account."
_CREDENTIALS_ADVICE = {
    1: _ENTER_KEY,
    10: _ENTER_KEY,
    20: _ASK_VENDOR,
    30: _ASK_VENDOR,
    40: _ASK_VENDOR,
    96: "Allow all of these addresses in the account.",
}
_REQUEST_ADVICE = {
    **dict.fromkeys((2, 3, 6, 9), "Correct or remove that message."),
    **dict.fromkeys(
        (5, 50, 90), "Report this as a fault of the provider: it should never send such a request."
    ),
}

HTTP_TOO_MANY_REQUESTS = 429
HTTP_UNAUTHORIZED = frozenset({401, 403})

# Far above any campaign or account; what is above is a lie, or a phone number, which no error may name.
_MAX_FIGURE = 99_999_999

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """
    What to ask the API, without the key.

    :param method: ``GET`` or ``POST``.
    :param path: below the base URL, starting with a slash.
    :param query: parameters, not yet percent-encoded.
    :param body: the JSON object to post, or None.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    def with_key(self, api_key: str) -> tuple[dict[str, str], bytes | None]:
        """
        Give the query and the encoded body with the key in its place, at the last moment before sending.

        The key has no header form: it stands in the query of a GET and in the JSON of a POST
        [multi-status, by-tag].
        """
        if self.body is None:
            return {"apiKey": api_key, **self.query}, None
        return dict(self.query), msgspec.json.encode({"apiKey": api_key, **self.body})


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back.

    :param http_status: 100 to 599.
    :param headers: looked up in any case.
    :param body: the bytes, decompressed.
    """

    http_status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """
    A request, and how its answer is read.

    :param request: what to send.
    :param read: turns the answer into a value, or raises an `SMSPartnerError`.
    """

    request: Request
    read: Callable[[Answer], T] = field(repr=False)


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
    def content(self) -> int:
        """A figure that tells the rows from those of other pages."""
        return hash(self.rows)

    @cached_property
    def counts(self) -> Counter[DeliveryStatus]:
        """The page's rows by status."""
        return Counter(status.status for status in self.rows)


class Account(msgspec.Struct, frozen=True):
    """
    What an account still has.

    :param balance: in `currency`, as the vendor writes it, or None where it does not.
    :param currency: ISO 4217, or None.
    :param sms_credits: messages that the balance pays for, or None.
    """

    balance: str | None
    currency: str | None
    sms_credits: int | None


def account() -> Call[Account]:
    """Ask for the account's balance and credits [credits]: the cheapest call that proves a key."""
    return Call(Request("GET", "/me"), _read_account)


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
    return tag


def tag_page(tag: str, number: int) -> Call[TagPage]:
    """
    Ask for one page of a tag [by-tag]; whether it is the page asked for, its number must tell.

    :param tag: 1 to 20 characters without white space.
    :param number: from 1; the first is asked for as the vendor documents it, without a page parameter.
    """
    query = {"tag": check_tag(tag)}
    if number == 1:
        return Call(Request("GET", "/bulk-status-by-tag", query), partial(_read_first_tag_page, tag))
    request = Request("GET", "/bulk-status-by-tag", {**query, "page": str(number)})
    return Call(request, _read_later_tag_page)


def following(pages: Generator[Call[TagPage], TagPage, None], page: TagPage) -> Call[TagPage] | None:
    """
    Give the call after a page, or None after the last.

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

    :param tag: 1 to 20 characters without white space.
    :raises SMSPartnerNotFoundError: if there is no message with this tag, or not yet.
    :raises SMSPartnerIncompleteError: if the pages end, repeat or go astray before `total` rows.
    """
    page = yield tag_page(tag, 1)
    received, total = len(page.rows), page.total
    if not received and not total:
        raise _unknown_tag(tag)
    seen = {page.content}
    while received < total:
        asked = _number_after(page)
        if not page.rows:
            raise _incomplete(tag, "an empty page", expected=total, received=received)
        page = yield tag_page(tag, asked)
        total = max(total, page.total)
        if page.rows and page.number != asked:
            answered = "a page without a number" if page.number is None else f"page {page.number}"
            met = f"{answered} where page {asked} was asked for"
            raise _incomplete(tag, met, expected=total, received=received)
        if page.rows and page.content in seen:
            met = f"page {asked} with the rows of an earlier page"
            raise _incomplete(tag, met, expected=total, received=received)
        seen.add(page.content)
        received += len(page.rows)


def foreseen_pages(tag: str, first: TagPage) -> Iterator[Call[TagPage]]:
    """
    Give the calls that `status_by_tag` will most likely yield after the first page, to send some of them at once.

    Their pages are sent to it as if asked for one after the other: it alone judges them.

    :param tag: 1 to 20 characters without white space.
    :param first: the tag's first page.
    """
    start = _number_after(first)
    later = -(-first.total // len(first.rows)) - 1 if first.rows else 0
    return (tag_page(tag, number) for number in range(start, start + later))


def _number_after(page: TagPage) -> int:
    return (1 if page.number is None else page.number) + 1


def multi_status(
    messages: Iterable[object], *, distinct: bool = False
) -> Iterator[Call[list[MessageStatus]]]:
    """
    Batch a list: gives calls of up to 500 messages each, whose answers stand in the messages' order.

    A message that is named again is asked for once. A collection is checked whole before the first call is
    given; any other iterable is read as the calls are taken.

    :param messages: any iterable of messages, also an endless one.
    :param distinct: the messages are known to differ: they are read as the calls are taken, and none is remembered.
    :raises SMSPartnerInputError: names the position and the fault of a bad message.
    """
    pairs = read_pairs(messages)
    if distinct:
        return batches(pairs)
    return batches(dict.fromkeys(pairs) if isinstance(messages, Collection) else _unique(pairs))


def _unique(pairs: Iterator[Pair]) -> Iterator[Pair]:
    seen: set[Pair] = set()
    for pair in pairs:
        if pair not in seen:
            seen.add(pair)
            yield pair


def batches(pairs: Iterable[Pair]) -> Iterator[Call[list[MessageStatus]]]:
    """
    Batch messages that are known to differ: as `multi_status`, which calls this.

    :param pairs: each message once: `MessageRef`, or plain tuples of its normalised members.
    """
    pairs = iter(pairs)
    while batch := tuple(islice(pairs, MAX_MESSAGES_PER_CALL)):
        # The list's name on the wire; the page's table alone says SMSStatus_List, its samples do not [observed].
        asked = [{"phoneNumber": number, "messageId": _wire_id(message_id)} for number, message_id in batch]
        request = Request("POST", "/multi-status", body={"SMSStatut_List": asked})
        yield Call(request, partial(_read_multi_status, batch))


def _wire_id(message_id: str) -> int | str:
    # The samples send integers [multi-status]; an id that an integer would change is sent as it is.
    if message_id.isdigit() and len(message_id) <= MAX_DIGITS and (message_id[0] != "0" or message_id == "0"):
        return int(message_id)
    return message_id


class _Envelope(msgspec.Struct):
    success: Any = None
    code: Any = None
    errors: Any = None
    error: Any = None


class _StatusAnswer(_Envelope):
    rows: list[Row] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")
    total: Any = None
    current_page: Any = msgspec.field(default=None, name="currentPage")


class _AccountAnswer(_Envelope):
    credits: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    rows: Any = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")


class _Outline(msgspec.Struct):
    success: msgspec.Raw = msgspec.Raw(b"null")
    code: msgspec.Raw = msgspec.Raw(b"null")
    errors: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")
    total: msgspec.Raw = msgspec.Raw(b"null")
    currentPage: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815 - as on the wire
    credits: msgspec.Raw = msgspec.Raw(b"{}")
    rows: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")


LARGE_BYTES = 1024 * 1024
"""Bodies above this are decoded row by row: a page of 500 rows has about 100 KB."""

MAX_MEMBER_BYTES = 64 * 1024
"""The limit of a row, and of a member beside the rows, in a large body."""

MAX_COMMAS = 400_000
"""The limit of commas in a large body: 4 MiB of usual rows have about 200,000."""

_SCAN_BYTES = 64 * 1024
"""How much of a large body is searched in one go."""

_outline_decoder = msgspec.json.Decoder(_Outline)
_rows_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_row_decoder = msgspec.json.Decoder(Row)
_envelope_decoder = msgspec.json.Decoder(_Envelope)
_status_decoder = msgspec.json.Decoder(_StatusAnswer)
_account_decoder = msgspec.json.Decoder(_AccountAnswer)

E = TypeVar("E", bound=_Envelope)


def _read_envelope(answer: Answer, decoder: msgspec.json.Decoder[E]) -> E:
    """Decode an answer that must be a success, or raise what it says instead."""
    body = answer.body.removeprefix(codecs.BOM_UTF8)
    decoded, fault = _decode(body, decoder)
    if decoded is not None and _is_success(answer, decoded):
        return decoded
    # An error answer need not have the shape of a success: read only what says so.
    envelope = decoded or _decode(body, _envelope_decoder)[0]
    if envelope is None or _is_success(answer, envelope):
        raise _unavailable(answer, fault)
    raise _refusal(answer, envelope)


def _decode(body: bytes, decoder: msgspec.json.Decoder[E]) -> tuple[E | None, str]:
    """Decode, or say why not: the decoder's errors may hold the body, and must not even become a context."""
    try:
        if len(body) > LARGE_BYTES:
            return _decode_in_parts(body, decoder), ""
        return decoder.decode(body), ""
    except msgspec.ValidationError as error:
        return None, str(error)  # types and places, in our names: nothing of the body
    except RecursionError:
        return None, "the JSON is nested too deeply"
    except (msgspec.DecodeError, ValueError):
        return None, "the body is not JSON"


def _decode_in_parts(body: bytes, decoder: msgspec.json.Decoder[E]) -> E:
    """
    Decode a large body, row by row: no other thread runs while msgspec decodes, an event loop's neither.

    :raises msgspec.ValidationError: if it holds what no answer of the vendor does, however large.
    """
    # Other threads can run between two slices, not while msgspec goes through a million lists to no end.
    commas = sum(body.count(b",", start, start + _SCAN_BYTES) for start in range(0, len(body), _SCAN_BYTES))
    if commas > MAX_COMMAS:
        raise msgspec.ValidationError("it has implausibly many members")
    outline = _outline_decoder.decode(body)
    members = {name: getattr(outline, name) for name in outline.__struct_fields__ if name != "rows"}
    if any(len(raw) > MAX_MEMBER_BYTES for raw in members.values()):
        raise msgspec.ValidationError(f"a member is longer than {MAX_MEMBER_BYTES} bytes")
    decoded = decoder.decode(
        b"{%b}" % b",".join(b'"%b":%b' % (n.encode(), bytes(r)) for n, r in members.items())
    )
    if outline.rows is not msgspec.UNSET and isinstance(decoded, _StatusAnswer):
        raws = _rows_decoder.decode(outline.rows)
        if any(len(raw) > MAX_MEMBER_BYTES for raw in raws):
            raise msgspec.ValidationError(f"a row is longer than {MAX_MEMBER_BYTES} bytes")
        decoded.rows = [_row_decoder.decode(raw) for raw in raws]
    return decoded


def _is_success(answer: Answer, envelope: _Envelope) -> bool:
    # Which HTTP status an error has is not documented: 200 and 4xx have both been seen [observed].
    return 200 <= answer.http_status < 300 and envelope.success is True


def _refusal(answer: Answer, envelope: _Envelope) -> SMSPartnerError:
    code = _vendor_code(envelope)
    if refused := refusal(code=code, http_status=answer.http_status):
        return refused
    if code == MESSAGE_NOT_FOUND:
        # Whoever reads the answer says what it is that is not known.
        return SMSPartnerNotFoundError(
            f"SMS Partner does not know what it was asked for {_named(code, answer.http_status)}.",
            code=code,
            http_status=answer.http_status,
        )
    if _is_transient(answer.http_status) or _is_transient(code):
        return _unavailable(answer, "an error on the vendor's side", code=code)
    return _unavailable(answer, "neither a success nor an error that the vendor documents", code=code)


def refusal(
    *, code: int | None, http_status: int | None
) -> SMSPartnerCredentialsError | SMSPartnerRequestError | None:
    """
    Give the error that an unsuccessful answer means for good, or None where it may pass or is about a message.

    :param code: the vendor's code, which decides before the HTTP status does, or None.
    :param http_status: the answer's HTTP status.
    """
    named = _named(code, http_status)
    if code in CREDENTIALS:
        text = (
            f"SMS Partner refuses the credentials: {CREDENTIALS[code]} {named}. {_CREDENTIALS_ADVICE[code]}"
        )
        return SMSPartnerCredentialsError(text, code=code, http_status=http_status)
    if code in REFUSALS:
        text = f"SMS Partner refuses the request: {REFUSALS[code]} {named}. {_REQUEST_ADVICE[code]}"
        return SMSPartnerRequestError(text, code=code, http_status=http_status)
    if code == MESSAGE_NOT_FOUND or _is_transient(http_status) or _is_transient(code):
        return None
    if http_status in HTTP_UNAUTHORIZED:
        text = (
            f"SMS Partner refuses access {named}. Check the API key and the host of the Airflow connection."
        )
        return SMSPartnerCredentialsError(text, code=code, http_status=http_status)
    if code is not None or (http_status is not None and 400 <= http_status < 500):
        text = (
            f"SMS Partner refuses the request, for a reason that its documents do not name {named}. "
            "Check the host of the Airflow connection, and ask SMS Partner what the code means."
        )
        return SMSPartnerRequestError(text, code=code, http_status=http_status)
    return None


def _named(code: int | None, http_status: int | None) -> str:
    return f"(HTTP {http_status})" if code is None else f"(code {code}, HTTP {http_status})"


def _is_transient(status_or_code: int | None) -> bool:
    return status_or_code is not None and (
        status_or_code == HTTP_TOO_MANY_REQUESTS or 500 <= status_or_code < 600
    )


def _vendor_code(envelope: _Envelope) -> int | None:
    """Find the useful code in any of the vendor's error shapes [observed]: the inner one, where there is one."""
    inner = [
        item.get("code")
        for member in (envelope.errors, envelope.error)
        for item in (member if isinstance(member, list) else [member])
        if isinstance(item, dict)
    ]
    codes = [to_int(raw, at_most=MAX_CODE) for raw in [*inner, envelope.code]]
    faults = [code for code in codes if code is not None and code != OK]
    return next((code for code in faults if _is_known(code)), faults[0] if faults else None)


def _is_known(code: int) -> bool:
    return code in CREDENTIALS or code in REFUSALS or code == MESSAGE_NOT_FOUND or _is_transient(code)


def _unavailable(answer: Answer, fault: str, *, code: int | None = None) -> SMSPartnerUnavailableError:
    status = answer.http_status
    if 300 <= status < 400:
        fault = "a redirect, which is not followed"
    return SMSPartnerUnavailableError(
        f"SMS Partner gave an answer that can't be used {_named(code, status)}: {fault}.",
        code=code,
        http_status=status,
        retry_after=next((v for name, v in answer.headers.items() if name.lower() == "retry-after"), None),
    )


def _read_rows(answer: Answer) -> tuple[_StatusAnswer, list[Row]]:
    envelope = _read_envelope(answer, _status_decoder)
    # `success` alone proves nothing: the gateway once answered it to everything [observed].
    if isinstance(envelope.rows, msgspec.UnsetType):
        raise _unavailable(answer, "it claims success without a StatutResponse_List")
    return envelope, envelope.rows


def _read_first_tag_page(tag: str, answer: Answer) -> TagPage:
    unknown = None
    try:
        page = _read_tag_page(answer)
    except SMSPartnerNotFoundError as error:
        unknown = _unknown_tag(tag, error)
    if unknown is not None:  # raised here, so that the other is not its context
        raise unknown
    if page.number is not None and page.number > 1:
        raise _unavailable(answer, f"it is page {page.number} where the first was asked for")
    return page


def _read_later_tag_page(answer: Answer) -> TagPage:
    try:
        return _read_tag_page(answer)
    except SMSPartnerNotFoundError:
        return TagPage(None, 0, ())


def _read_tag_page(answer: Answer) -> TagPage:
    envelope, rows = _read_rows(answer)
    if rows and envelope.total is None and all(row.message_id is not None for row in rows):
        raise _unavailable(answer, "it is the answer to another call, about a list of messages")
    # A tag without messages may well come without a figure: no vendor page shows that answer.
    is_nothing = not rows and envelope.total is None
    total = 0 if is_nothing else to_int(envelope.total, at_most=_MAX_FIGURE)
    if total is None:
        raise _unavailable(answer, "its `total` is not a plausible number of rows")
    if not all(row.phone_number for row in rows):
        raise _unavailable(answer, "a row has no phoneNumber")
    page = TagPage(
        number=to_int(envelope.current_page, at_most=_MAX_FIGURE),
        total=total,
        # By tag the vendor does not say which send a row is about [by-tag].
        rows=tuple(MessageStatus(to_phone_number(row.phone_number), None, outcome_of(row)) for row in rows),
    )
    if len(answer.body) > LARGE_BYTES:
        # Now, since a large answer is read on a thread: the event loop is then spared going through its rows.
        _ = page.content, page.counts
    return page


def _unknown_tag(tag: str, error: SMSPartnerError | None = None) -> SMSPartnerNotFoundError:
    code, http_status = (None, None) if error is None else (error.code, error.http_status)
    said = "" if http_status is None else f" {_named(code, http_status)}"
    return SMSPartnerNotFoundError(
        f"SMS Partner knows no message with the tag {tag!r} (yet){said}. Check how the tag is written in the send; "
        "a campaign that was sent a moment ago may not be known yet.",
        code=code,
        http_status=http_status,
    )


def _incomplete(tag: str, met: str, *, expected: int, received: int) -> SMSPartnerIncompleteError:
    return SMSPartnerIncompleteError(
        f"SMS Partner announced {expected} rows for the tag {tag!r} and gave {received} of them: then came {met}. "
        "Ask for the campaign by the list of its messages instead: with SMSPartnerMultiStatusOperator, "
        "the hook's get_multi_status or the sensor's `messages`.",
        expected=expected,
        received=received,
    )


def _read_multi_status(batch: tuple[Pair, ...], answer: Answer) -> list[MessageStatus]:
    rows, unanswered = _read_list(answer)
    # Neither order nor completeness is promised: match by phone number and id, never by position [observed].
    outcomes: dict[Pair, Outcome] = dict.fromkeys(batch, unanswered)
    is_about_them = not rows
    for row in rows:
        if not row.phone_number or row.message_id is None:
            raise _unavailable(answer, "a row does not say which message it is about")
        pair = str(row.phone_number), str(row.message_id)
        earlier = outcomes.get(pair)
        if earlier is None:  # then perhaps in another form, or never asked for
            pair = to_phone_number(row.phone_number), pair[1]
            earlier = outcomes.get(pair)
            if earlier is None:
                continue
        is_about_them = True
        outcome = outcome_of(row)
        if earlier is unanswered or certainty(outcome) > certainty(earlier):
            outcomes[pair] = outcome
    # A few unasked rows beside the asked ones do no harm, but an answer of unasked ones alone is somebody else's:
    # as "Not found" it would be believed.
    if not is_about_them:
        raise _unavailable(answer, "none of its rows is about a message that was asked for")
    return [MessageStatus(*pair, outcome) for pair, outcome in zip(batch, outcomes.values(), strict=True)]


def _read_list(answer: Answer) -> tuple[list[Row], Outcome]:
    """Read the rows about a list, and what to say of the messages that none of them is about."""
    try:
        envelope, rows = _read_rows(answer)
    except SMSPartnerNotFoundError:
        # Code 4 for the whole call [error-codes]: none is known, which is a status of each message and no error.
        return [], _NONE_KNOWN
    if envelope.current_page is not None and envelope.total is not None:
        raise _unavailable(answer, "it is the answer to another call, about a tag")
    # An empty list is about none of the messages, and so no other call's: they are unanswered.
    return rows, _UNANSWERED


# Shared like every outcome: what is not said is the same for all.
_UNANSWERED = Outcome(status=DeliveryStatus.NOT_FOUND)
_NONE_KNOWN = Outcome(status=DeliveryStatus.NOT_FOUND, code=MESSAGE_NOT_FOUND)


def _read_account(answer: Answer) -> Account:
    envelope = _read_envelope(answer, _account_decoder)
    if isinstance(envelope.credits, msgspec.UnsetType):
        raise _unavailable(answer, "it claims success without credits")
    if envelope.rows is not msgspec.UNSET:
        raise _unavailable(answer, "it is the answer to another call, about messages")
    balance, currency = envelope.credits.get("balance"), envelope.credits.get("currency")
    # Whatever is not plainly a figure is left out: the connection test's message is not masked.
    return Account(
        balance=str(balance) if _is_amount(balance) else None,
        currency=currency if isinstance(currency, str) and _CURRENCY.fullmatch(currency) else None,
        sms_credits=to_int(envelope.credits.get("creditSms"), at_most=_MAX_FIGURE),
    )


def _is_amount(raw: Any) -> bool:
    # Only what is short is made text: that of lists and of huge integers can itself fail.
    is_number = isinstance(raw, int | float) and abs(raw) <= _MAX_FIGURE
    return (is_number or isinstance(raw, str)) and _AMOUNT.fullmatch(str(raw)) is not None


_AMOUNT = re.compile(r"-?[0-9]{1,8}(\.[0-9]{1,6})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
