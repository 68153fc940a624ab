"""
Sending: a text for each of up to 500 recipients in a call [bulk-send].

One call has one message id for all its recipients. It may not be repeated: the vendor knows no idempotency key. The
vendor's other call, [send], takes one text for many, and its answer does not say which of them were refused: it is
not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerError,
    SMSPartnerRequestError,
)
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol.account import read_amount, read_currency
from airflow_provider_smspartner.protocol.answers import (
    LARGE_BYTES,
    MAX_FIGURE,
    Envelope,
    describe_codes,
    peek,
    read_envelope,
    unavailable,
)
from airflow_provider_smspartner.protocol.codes import OK, SEND
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request
from airflow_provider_smspartner.protocol.rows import MAX_CODE, VENDOR_TIME, to_flag, to_int, to_phone_number

MAX_RECIPIENTS_PER_CALL = 500
"""[bulk-send] "maximum 500"."""

SCHEDULE_STEP_MINUTES = 5
"""[send] `minute` is from 0 to 55 in steps of 5."""

_NO_NUMBER_LEFT = 55
_OF_ALL_NUMBERS = frozenset({13, 14, _NO_NUMBER_LEFT})
"""Refusals of the very numbers of a call [error-codes]: there is no price, they are on the STOP list, none is left."""


_OF_THE_VENDOR = frozenset({2, 4})
"""Classes of the HTTP status with which a refusal is believed [observed]."""


class SendOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What holds for all SMS of a send.

    :param tag: to find them by later, or None.
    :param sender: who they are from, 3 to 11 letters or digits, or None for the account's own.
    :param scheduled_at: when they are to leave, aware, in steps of 5 minutes, or None for now.
    :param stop_notice: let the vendor add how to answer STOP.
    :param unicode: send the text as Unicode.
    :param sandbox: neither deliver nor charge them.
    """

    tag: str | None = None
    sender: str | None = None
    scheduled_at: datetime | None = None
    stop_notice: bool = False
    unicode: bool = False
    sandbox: bool = False

    def members(self) -> dict[str, Any]:
        """Return them as members of the request's body; what is not asked for is left out."""
        flags = {"isStopSms": self.stop_notice, "isUnicode": self.unicode, "sandbox": self.sandbox}
        texts = {"tag": self.tag, "sender": self.sender}
        return {
            **{name: text for name, text in texts.items() if text is not None},
            **({} if self.scheduled_at is None else _schedule(self.scheduled_at)),
            **{name: 1 for name, is_set in flags.items() if is_set},
        }


def _schedule(at: datetime) -> dict[str, Any]:
    local = at.astimezone(VENDOR_TIME)
    return {"scheduledDeliveryDate": f"{local:%d/%m/%Y}", "time": local.hour, "minute": local.minute}


def bulk_send(texts: Mapping[str, str], options: SendOptions) -> Call[Receipt]:
    """
    Send each phone number its own text [bulk-send].

    :param texts: the text, of at most ten parts, for each of 1 to 500 phone numbers in E.164.
    :param options: what holds for all of them.
    """
    listed = [{"phoneNumber": number, "message": text} for number, text in texts.items()]
    body = {"SMSList": listed, **options.members()}
    return Call(Request("POST", "/bulk-send", body=body, may_repeat=False), partial(_read, tuple(texts)))


class _Row(msgspec.Struct):
    success: Any = None
    code: Any = None
    phone_number: Any = msgspec.field(default=None, name="phoneNumber")


class _SendAnswer(Envelope):
    message_id: Any = None
    sms: Any = msgspec.field(default=None, name="nbSMS")
    cost: Any = None
    currency: Any = None
    rows: list[_Row] = msgspec.field(default_factory=list, name="SMSResponse_List")


class _Traces(Envelope):
    """Members of an answer that tell whether SMS have left, whatever else it says."""

    message_id: Any = None
    rows: Any = msgspec.field(default=None, name="SMSResponse_List")


_decoder = msgspec.json.Decoder(_SendAnswer)
_traces_decoder = msgspec.json.Decoder(_Traces)


def _read(numbers: tuple[str, ...], answer: Answer) -> Receipt:
    if answer.http_status // 100 not in _OF_THE_VENDOR:
        # Whatever it says: what a server in trouble has done is not known, nor what one that sends us elsewhere.
        raise unavailable(answer, "an error on the vendor's side")
    if len(answer.body) > LARGE_BYTES:
        raise unavailable(answer, "it is longer than any answer to a send")
    try:
        envelope = read_envelope(answer, _decoder, SEND)
    except SMSPartnerError as error:
        no_success = error
    else:
        return _receipt(numbers, envelope, answer)
    # Out here, so that no error is the context of another.
    return _receipt_of_refusal(numbers, no_success, answer)


def _receipt(numbers: tuple[str, ...], envelope: _SendAnswer, answer: Answer) -> Receipt:
    message_id = _read_message_id(envelope.message_id)
    refused = _refused(numbers, envelope.rows, answer)
    if message_id is None and len(refused) < len(numbers):
        # `success` alone proves nothing: the gateway once answered it to everything [observed].
        raise unavailable(answer, "it claims success without a message_id")
    cost = read_amount(envelope.cost)
    return Receipt(
        message_id=message_id,
        accepted=tuple(number for number in numbers if number not in refused),
        refused=refused,
        sms=to_int(envelope.sms, at_most=MAX_FIGURE),
        cost=None if cost is None else Decimal(cost),
        currency=read_currency(envelope.currency),
    )


def _receipt_of_refusal(numbers: tuple[str, ...], error: SMSPartnerError, answer: Answer) -> Receipt:
    """
    Return the receipt of a call of which all numbers were refused.

    :raises SMSPartnerError: the error that was given, unless it is a refusal of all numbers.
    :raises SMSPartnerAmbiguousSendError: if the answer shows that SMS have left all the same.
    """
    told = peek(answer, _traces_decoder)
    if told is not None and _tell_of_sms(told):
        # Not even after HTTP 429 may the request be repeated.
        raise SMSPartnerAmbiguousSendError(
            f"SMS Partner's answer contradicts itself {describe_codes(error.code, answer.http_status)}: it is no "
            "success, and yet tells of SMS that were sent. Whether they were is unknown; the request is not repeated.",
            code=error.code,
            http_status=answer.http_status,
        )
    if told is not None and isinstance(error, SMSPartnerRequestError):
        # The inner code says why no number is left [observed].
        codes = {error.code, to_int(told.code, at_most=MAX_CODE)}
        if not codes.isdisjoint(_OF_ALL_NUMBERS):
            return Receipt(message_id=None, accepted=(), refused=dict.fromkeys(numbers, error.code))
    raise error


def _tell_of_sms(told: _Traces) -> bool:
    if told.message_id not in _NO_ID:
        return True
    rows = told.rows if isinstance(told.rows, list) else []
    return any(
        isinstance(row, dict)
        and row.get("success") is True
        and to_int(row.get("code", OK), at_most=MAX_CODE) == OK
        for row in rows
    )


_NO_ID = (None, False, "", "0")


def _refused(numbers: tuple[str, ...], rows: list[_Row], answer: Answer) -> dict[str, int | None]:
    """Return the numbers that a row says were not taken: one without a row was, since the call was."""
    codes: dict[str, int | None] = {}
    taken = set()
    asked = frozenset(numbers)
    for row in rows:
        number = _number_of(row, asked)
        if number is None:
            continue
        code = to_int(row.code, at_most=MAX_CODE)
        if code in {None, OK} and to_flag(row.success) is not False:
            taken.add(number)
        else:
            codes[number] = None if code == OK else code
    if rows and not taken and not codes:
        raise unavailable(answer, "none of its rows is about a number that was sent to")
    return {number: codes[number] for number in numbers if number in codes and number not in taken}


def _number_of(row: _Row, asked: frozenset[str]) -> str | None:
    raw = row.phone_number
    if not isinstance(raw, str | int) or isinstance(raw, bool):
        return None
    number = raw if raw in asked else to_phone_number(raw)
    return number if isinstance(number, str) and number in asked else None


def _read_message_id(raw: Any) -> str | None:
    if isinstance(raw, str) and raw.isdecimal() and raw.isascii():
        return raw if 0 < len(raw) <= _MAX_ID_DIGITS and int(raw) else None
    return str(raw) if type(raw) is int and 0 < raw < 10**_MAX_ID_DIGITS else None


_MAX_ID_DIGITS = 18
