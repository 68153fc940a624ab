"""What every answer says: success or refusal, the vendor's codes, and the rows inside."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, ClassVar, TypeVar

import msgspec

from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerCreditError,
    SMSPartnerError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol.codes import CREDENTIALS, CREDENTIALS_ADVICE, OK, STATUS, Codes
from airflow_provider_smspartner.protocol.exchange import Answer
from airflow_provider_smspartner.protocol.rows import MAX_CODE, Row, cut_key, to_flag, to_int

HTTP_TOO_MANY_REQUESTS = 429
HTTP_UNAUTHORIZED = frozenset({401, 403})

MAX_FIGURE = 99_999_999
"""Far above any campaign or account. A larger figure is wrong, or a phone number, which no error may name."""


class Envelope(msgspec.Struct):
    """
    What stands around every answer, in any of the vendor's shapes.

    An answer that holds a list says in `row_decoders` how its rows are decoded one by one, where the body is large.
    """

    row_decoders: ClassVar[Mapping[str, msgspec.json.Decoder[Any]]] = {}

    success: Any = None
    code: Any = None
    errors: Any = None
    error: Any = None


class StatusAnswer(Envelope):
    """An answer with rows, by tag or by message."""

    row_decoders: ClassVar[Mapping[str, msgspec.json.Decoder[Any]]] = {"rows": msgspec.json.Decoder(Row)}

    rows: list[Row] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")
    total: Any = None
    current_page: Any = msgspec.field(default=None, name="currentPage")


class AccountAnswer(Envelope):
    """An answer about the account."""

    credits: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    rows: Any = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")


class _Outline(msgspec.Struct):
    success: msgspec.Raw = msgspec.Raw(b"null")
    code: msgspec.Raw = msgspec.Raw(b"null")
    errors: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    total: msgspec.Raw = msgspec.Raw(b"null")
    currentPage: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815 - as on the wire
    nbData: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815 - as on the wire
    credits: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    rows: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_LISTS = {b"StatutResponse_List": "rows", b"data": "data"}
"""Members of `_Outline` that are as long as the body is large, by what they are called on the wire."""

LARGE_BYTES = 1024 * 1024
"""Bodies above this are decoded row by row: a page of 500 rows has about 100 KB."""

MAX_MEMBER_BYTES = 64 * 1024
"""The limit of a row, and of a member beside the rows, in a large body."""

MAX_FAULT_LENGTH = 200
"""The limit of what an error says about a place in an answer."""

MAX_COMMAS = 400_000
"""The limit of commas in what is left of a large body without most of its rows."""

MAX_ROWS = 1_000_000
"""The limit of rows in one answer: 64 MiB of usual rows have about 700,000."""

MAX_REST_BYTES = 4 * 1024 * 1024
"""The limit of what is left of a large body without most of its rows: it is gone through in one step."""

_SLICE_BYTES = 256 * 1024
"""How many bytes of rows are decoded in one step, which takes a millisecond."""

_MAX_CUTS = 16
"""How many places are tried to cut between two rows: rows may hold objects, and text that looks like one."""

_SCAN_BYTES = 64 * 1024
"""How much of a large body is searched in one go."""

_outline_decoder = msgspec.json.Decoder(_Outline)
_rows_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_envelope_decoder = msgspec.json.Decoder(Envelope)
status_decoder = msgspec.json.Decoder(StatusAnswer)
account_decoder = msgspec.json.Decoder(AccountAnswer)

E = TypeVar("E", bound=Envelope)
T = TypeVar("T")


def read_envelope(answer: Answer, decoder: msgspec.json.Decoder[E], codes: Codes) -> E:
    """
    Return an answer that must be a success, decoded.

    :param answer: as it came.
    :param decoder: of the shape that a success has.
    :param codes: what the endpoint's codes mean.
    :raises SMSPartnerError: what the answer says instead.
    """
    body = _without_mark(answer.body)
    decoded, fault = _decode(body, decoder)
    if decoded is not None and _is_success(answer, decoded):
        return decoded
    # An error answer need not have the shape of a success: read only what says so.
    envelope = decoded or _decode(body, _envelope_decoder)[0]
    if envelope is None or _is_success(answer, envelope):
        raise unavailable(answer, fault)
    raise _refusal(answer, envelope, codes)


def _without_mark(body: bytes | bytearray) -> bytes | bytearray:
    # Of a bytearray `removeprefix` is a copy in any case.
    return body.removeprefix(codecs.BOM_UTF8) if body[:3] == codecs.BOM_UTF8 else body


def _decode(body: bytes | bytearray, decoder: msgspec.json.Decoder[E]) -> tuple[E | None, str]:
    """Decode, or say why not: the decoder's errors may hold the body, and must not even become a context."""
    try:
        if len(body) > LARGE_BYTES:
            return _decode_in_parts(body, decoder), ""
        return decoder.decode(body), ""
    except msgspec.ValidationError as error:
        # Types and places, in our names: nothing of the body. A place deep inside it has thousands of characters.
        fault = str(error)
        return None, fault if len(fault) <= MAX_FAULT_LENGTH else f"{fault[:MAX_FAULT_LENGTH]}…"
    except RecursionError:
        return None, "the JSON is nested too deeply"
    except (msgspec.DecodeError, ValueError):
        return None, "the body is not JSON"


def _decode_in_parts(body: bytes | bytearray, decoder: msgspec.json.Decoder[E]) -> E:
    """
    Decode a large body, row by row: no other thread runs while msgspec decodes, an event loop's neither.

    :raises msgspec.ValidationError: if it holds what no answer of the vendor does, however large.
    """
    name, rows, rest = _peel(body, decoder.type.row_decoders)
    if len(rest) > MAX_REST_BYTES:
        raise msgspec.ValidationError("it has implausibly much beside its rows")
    decoded = _decode_rest(rest, decoder)
    last = getattr(decoded, name, None)
    if isinstance(last, list):
        rows.extend(last)
        setattr(decoded, name, rows)
    return decoded


def _peel(
    body: bytes | bytearray, row_decoders: Mapping[str, msgspec.json.Decoder[Any]]
) -> tuple[str, list[Any], bytes | bytearray]:
    """
    Take most rows off a large body, a slice at a time.

    A slice ends between two rows: where it did not, brackets or quotes would be left open, and it would be no JSON.

    :return: the member that they are of, the rows, and the body without them.
    """
    for begins in islice(_LIST_BEGINS.finditer(body, 0, MAX_REST_BYTES), _MAX_CUTS):
        if not _is_member(bytes(body[: begins.start()])):
            continue
        name = _LISTS[bytes(begins[1])]
        decoder, rows, start = row_decoders.get(name), list[Any](), begins.end()
        while len(body) - start > _SLICE_BYTES and (cut := _cut(body, start)) is not None:
            raws, start = cut
            if decoder is not None:
                rows += _decode_raws(raws, decoder)
            if len(rows) > MAX_ROWS:
                raise msgspec.ValidationError("it has implausibly many rows")
        return name, rows, body[: begins.end()] + body[start:]
    return "", [], body


_LIST_BEGINS = re.compile(rb'"(%b)"\s*:\s*\[' % b"|".join(_LISTS))
_BETWEEN_ROWS = re.compile(rb"\}\s*,\s*(?=\{)")


def _is_member(before: bytes) -> bool:
    """Whether what follows is a member of the outermost object."""
    try:
        return isinstance(msgspec.json.decode(before + b'"":0}', type=dict[str, msgspec.Raw]), dict)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False


def _cut(body: bytes | bytearray, start: int) -> tuple[list[msgspec.Raw], int] | None:
    """Return the rows of the next slice, and where the one after it starts; None if there is none."""
    places = list(_BETWEEN_ROWS.finditer(body, start, start + _SLICE_BYTES))[-_MAX_CUTS:]
    for place in reversed(places):
        with suppress(msgspec.DecodeError, ValueError, RecursionError):
            return _rows_decoder.decode(b"[%b]" % bytes(body[start : place.start() + 1])), place.end()
    return None


def _decode_rest(body: bytes | bytearray, decoder: msgspec.json.Decoder[E]) -> E:
    # Other threads can run between two slices, not while msgspec goes through a million lists to no end.
    commas = sum(body.count(b",", start, start + _SCAN_BYTES) for start in range(0, len(body), _SCAN_BYTES))
    if commas > MAX_COMMAS:
        raise msgspec.ValidationError("it has implausibly many members")
    outline = _outline_decoder.decode(body)
    members = {
        name: raw
        for name in decoder.type.__struct_encode_fields__
        if name in outline.__struct_fields__
        and name not in _LISTS.values()
        and (raw := getattr(outline, name)) is not msgspec.UNSET
    }
    if any(len(raw) > MAX_MEMBER_BYTES for raw in members.values()):
        raise msgspec.ValidationError(f"a member is longer than {MAX_MEMBER_BYTES} bytes")
    decoded = decoder.decode(
        b"{%b}" % b",".join(b'"%b":%b' % (n.encode(), bytes(r)) for n, r in members.items())
    )
    for name in _LISTS.values():
        raw = getattr(outline, name)
        if raw is not msgspec.UNSET and name in decoded.__struct_fields__:
            row_decoder = decoded.row_decoders.get(name)
            # Of another call's list all that counts is that it is there.
            setattr(decoded, name, raw if row_decoder is None else _decode_rows(raw, row_decoder))
    return decoded


def _decode_rows(raw: msgspec.Raw, decoder: msgspec.json.Decoder[Any]) -> list[Any]:
    return _decode_raws(_rows_decoder.decode(raw), decoder)


def _decode_raws(rows: list[msgspec.Raw], decoder: msgspec.json.Decoder[Any]) -> list[Any]:
    if any(len(row) > MAX_MEMBER_BYTES for row in rows):
        raise msgspec.ValidationError(f"a row is longer than {MAX_MEMBER_BYTES} bytes")
    return [decoder.decode(row) for row in rows]


def _is_success(answer: Answer, envelope: Envelope) -> bool:
    # Which HTTP status an error has is not documented: 200 and 4xx have both been seen [observed].
    return 200 <= answer.http_status < 300 and envelope.success is True


def _refusal(answer: Answer, envelope: Envelope, codes: Codes) -> SMSPartnerError:
    code = _vendor_code(envelope, codes)
    fields = _named_fields(envelope)
    # The JSON of a gateway has codes of its own, and behind it the request may have gone on: only the vendor says
    # `success`.
    is_vendors = to_flag(envelope.success) is False or not codes.others_leave_open
    if is_vendors and (
        refused := refusal(code=code, http_status=answer.http_status, codes=codes, fields=fields)
    ):
        return refused
    if code is not None and code == codes.not_found:
        # Whoever reads the answer says what it is that is not known.
        return SMSPartnerNotFoundError(
            f"SMS Partner does not know what it was asked for {describe_codes(code, answer.http_status)}.",
            code=code,
            http_status=answer.http_status,
        )
    if _is_transient(answer.http_status) or _is_transient(code):
        return unavailable(answer, "an error on the vendor's side", code=code)
    fault = "neither a success nor an error that the vendor documents"
    return unavailable(answer, fault, code=code, fields=fields)


def refusal(
    *, code: int | None, http_status: int | None, codes: Codes = STATUS, fields: str = ""
) -> SMSPartnerCredentialsError | SMSPartnerCreditError | SMSPartnerRequestError | None:
    """
    Return the error of an unsuccessful answer that no retry mends, or None if it may pass or is about a message.

    :param code: the vendor's code, which decides before the HTTP status does, or None.
    :param http_status: the answer's HTTP status.
    :param codes: what the endpoint's codes mean; those of status calls, unless another is named.
    :param fields: a sentence that names the fields that are meant, or nothing.
    """
    if code is not None and (documented := _documented(code, http_status, codes, fields)):
        return documented
    if codes.others_leave_open:
        return None
    named = describe_codes(code, http_status)
    is_unknown_message = code is not None and code == codes.not_found
    if is_unknown_message or _is_transient(http_status) or _is_transient(code):
        return None
    if http_status in HTTP_UNAUTHORIZED:
        text = (
            f"SMS Partner refuses access {named}. Check the API key and the host of the Airflow connection."
        )
        return SMSPartnerCredentialsError(text, code=code, http_status=http_status)
    # With HTTP 2xx a code that nobody knows is trouble that may pass.
    if http_status is not None and 400 <= http_status < 500:
        text = (
            f"SMS Partner refuses the request, for a reason that its documents do not name {named}.{fields} "
            "Check the host of the Airflow connection, and ask SMS Partner what the code means."
        )
        return SMSPartnerRequestError(text, code=code, http_status=http_status)
    return None


def _documented(
    code: int, http_status: int | None, codes: Codes, fields: str
) -> SMSPartnerCredentialsError | SMSPartnerCreditError | SMSPartnerRequestError | None:
    named = describe_codes(code, http_status)
    if code in CREDENTIALS:
        text = f"SMS Partner refuses the credentials: {CREDENTIALS[code]} {named}. {CREDENTIALS_ADVICE[code]}"
        return SMSPartnerCredentialsError(text, code=code, http_status=http_status)
    if code in codes.refusals:
        text = (
            f"SMS Partner refuses the request: {codes.refusals[code]} {named}.{fields} {codes.advice[code]}"
        )
        return SMSPartnerRequestError(text, code=code, http_status=http_status)
    if code == codes.no_credit:
        text = f"The SMS Partner account has no credit left {named}: the call sent nothing. Buy credits."
        return SMSPartnerCreditError(text, code=code, http_status=http_status)
    return None


def describe_codes(code: int | None, http_status: int | None) -> str:
    """Return the vendor's code, if any, and the HTTP status, in brackets for an error's text."""
    return f"(HTTP {http_status})" if code is None else f"(code {code}, HTTP {http_status})"


def _is_transient(status_or_code: int | None) -> bool:
    return status_or_code is not None and (
        status_or_code == HTTP_TOO_MANY_REQUESTS or 500 <= status_or_code < 600
    )


def _vendor_code(envelope: Envelope, codes: Codes) -> int | None:
    """Find the useful code in any of the vendor's error shapes [observed]: the inner one, where there is one."""
    said = [to_int(raw, at_most=MAX_CODE) for raw in [*_inner(envelope, "code"), envelope.code]]
    faults = [code for code in said if code is not None and code != OK]
    return next((code for code in faults if _is_known(code, codes)), faults[0] if faults else None)


def _inner(envelope: Envelope, name: str) -> list[Any]:
    """Return a member of each error inside."""
    return [
        item.get(name)
        for member in (envelope.errors, envelope.error)
        for item in (member if isinstance(member, list) else [member])
        if isinstance(item, dict)
    ]


def _named_fields(envelope: Envelope) -> str:
    """Return a sentence that names the fields that validation has found wrong [observed], or nothing."""
    named = _inner(envelope, "elementId")
    # What stands beside it, the message, may hold numbers and texts.
    fields = dict.fromkeys(each for each in named if isinstance(each, str) and _FIELD.fullmatch(each))
    return f" The answer names {', '.join(islice(fields, _MAX_FIELDS))}." if fields else ""


_FIELD = re.compile(r"[A-Za-z_]{1,32}(\[([A-Za-z_]{1,32}|[0-9]{1,3})\]|\.[A-Za-z_]{1,32}){0,6}")
_MAX_FIELDS = 5


def peek(answer: Answer, decoder: msgspec.json.Decoder[E]) -> E | None:
    """
    Return what an answer holds, whatever it means, or None if it cannot be read.

    :param answer: as it came.
    :param decoder: of the members that are looked for.
    """
    return _decode(_without_mark(answer.body), decoder)[0]


def _is_known(code: int, codes: Codes) -> bool:
    others = (codes.not_found, codes.no_credit)
    return code in CREDENTIALS or code in codes.refusals or code in others or _is_transient(code)


def unavailable(
    answer: Answer,
    fault: str,
    *,
    code: int | None = None,
    fields: str = "",
    is_too_large: bool = False,
) -> SMSPartnerUnavailableError:
    """
    Return the error for an answer that cannot be used, whatever is wrong with it.

    :param answer: whose HTTP status and ``Retry-After`` the error carries.
    :param fault: what is wrong, without any words of the vendor.
    :param code: the vendor's code, or None.
    :param fields: a sentence that names the fields that are meant, or nothing.
    :param is_too_large: whether the fault is its size.
    """
    status = answer.http_status
    if 300 <= status < 400:
        fault = "a redirect, which is not followed"
    return SMSPartnerUnavailableError(
        f"SMS Partner gave an answer that can't be used {describe_codes(code, status)}: {fault}.{fields}",
        code=code,
        http_status=status,
        retry_after=next((v for name, v in answer.headers.items() if name.lower() == "retry-after"), None),
        is_too_large=is_too_large,
    )


def taken(rows: list[T]) -> Iterator[T]:
    """
    Yield rows, and let go of each: a list of very many that is freed at once holds other threads up.

    :param rows: is empty afterwards.
    """
    rows.reverse()
    while rows:
        yield rows.pop()


def read_rows(answer: Answer) -> tuple[StatusAnswer, list[Row]]:
    """
    Return the envelope and the rows of an answer.

    :raises SMSPartnerError: if it is no success, or has no list of rows.
    """
    envelope = read_envelope(answer, status_decoder, STATUS)
    # `success` alone proves nothing: the gateway once answered it to everything [observed].
    if isinstance(envelope.rows, msgspec.UnsetType):
        raise unavailable(answer, "it claims success without a StatutResponse_List")
    cut_key(envelope.rows, answer.key)
    return envelope, envelope.rows
