"""What a request to send asks for: recipients, texts and options, read as the vendor does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_smspartner.testing.campaigns import e164
from airflow_provider_smspartner.testing.exchange import Payload
from airflow_provider_smspartner.testing.refusals import (
    BAD_DATE,
    BAD_HOUR,
    BAD_MINUTE,
    BAD_SENDER,
    DATE_IN_THE_PAST,
    INVALID,
    MAX_PARTS,
    MAX_PER_CALL,
    OF_SENDING,
    PHONE_MISSING,
    TEXT_MISSING,
    TIME_WITHOUT_DATE,
    TOO_MANY,
    TOO_MANY_PARTS,
    RefusedError,
)
from airflow_provider_smspartner.testing.texts import as_received, count_parts

PARIS = ZoneInfo("Europe/Paris")
"""The vendor's time zone."""

_SENDER_LENGTHS = range(3, 12)
_HOURS = range(25)
_MINUTES = range(0, 60, 5)
_SCHEDULE = ("scheduledDeliveryDate", "time", "minute")


@dataclass(frozen=True)
class Options:
    """What holds for all SMS of a call."""

    tag: str | None
    sender: str | None
    scheduled_for: datetime | None
    stop_notice: bool
    unicode: bool
    sandbox: bool


@dataclass(frozen=True)
class Draft:
    """An SMS to one number, before anybody has looked at the number."""

    phone_number: str
    text: str
    parts: int


def read_options(body: Mapping[str, Any], *, now: datetime) -> Options:
    """Read the options of a call that sends.

    :param body: the JSON of the request.
    :param now: the time, which a scheduled date must not have passed.
    """
    sender = body.get("sender")
    if sender is not None and not (isinstance(sender, str) and len(sender) in _SENDER_LENGTHS):
        raise RefusedError(BAD_SENDER, OF_SENDING)
    # The vendor calls these addresses; the double does not.
    for name in ("urlDlr", "urlResponse"):
        _text_or_none(body, name)
    return Options(
        tag=_text_or_none(body, "tag") or None,
        sender=sender,
        scheduled_for=_scheduled_for(body, now=now),
        stop_notice=_flag(body, "isStopSms"),
        unicode=_flag(body, "isUnicode"),
        sandbox=_flag(body, "sandbox"),
    )


def read_drafts(body: Mapping[str, Any], *, unicode: bool) -> list[Draft]:
    """Read the rows of ``/bulk-send``, each a number with a text of its own.

    :param body: the JSON of the request.
    :param unicode: whether the texts are sent as UTF-16.
    """
    asked = body.get("SMSList")
    rows = asked if isinstance(asked, list) else []
    _check_count(rows)
    # What becomes of the rest where a row lacks its number or its text is not documented: assume that it is a bad
    # request as a whole, as with a row of multi-status.
    return [_own_text(row if isinstance(row, dict) else {}, unicode=unicode) for row in rows]


def _own_text(row: Mapping[str, Any], *, unicode: bool) -> Draft:
    phone_number = row.get("phoneNumber")
    if not isinstance(phone_number, str) or not phone_number:
        raise RefusedError(PHONE_MISSING, OF_SENDING)
    return Draft(e164(phone_number), *_text(row, unicode=unicode))


def is_sendable(phone_number: str) -> bool:
    """Return whether a number could exist, as far as its form tells."""
    return re.fullmatch(r"\+[1-9]\d{6,14}", phone_number, re.ASCII) is not None


def _check_count(recipients: Sequence[object]) -> None:
    if not recipients:
        raise RefusedError(PHONE_MISSING, OF_SENDING)
    if len(recipients) > MAX_PER_CALL:
        raise RefusedError(TOO_MANY, OF_SENDING)


def _text(holder: Mapping[str, Any], *, unicode: bool) -> tuple[str, int]:
    text = holder.get("message")
    if not isinstance(text, str) or not text:
        raise RefusedError(TEXT_MISSING, OF_SENDING)
    text = as_received(text, unicode=unicode)
    # Whether the notice that isStopSms adds counts as well is not documented: assume that it does not.
    parts = count_parts(text, unicode=unicode)
    if parts > MAX_PARTS:
        raise RefusedError(TOO_MANY_PARTS, OF_SENDING)
    return text, parts


def _text_or_none(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedError(INVALID, OF_SENDING, errors=[_invalid(name, "must be text")])
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value not in (None, 0, 1, "0", "1"):
        raise RefusedError(INVALID, OF_SENDING, errors=[_invalid(name, "must be 0 or 1")])
    return value in (1, "1")


def _invalid(name: str, fault: str) -> Payload:
    return {"elementId": f"children[{name}].data", "message": f"{name} {fault}"}


def _scheduled_for(body: Mapping[str, Any], *, now: datetime) -> datetime | None:
    date, hour, minute = (body.get(name) for name in _SCHEDULE)
    if date is None:
        if hour is not None or minute is not None:
            raise RefusedError(TIME_WITHOUT_DATE, OF_SENDING)
        return None
    # Python reads days and months of one digit, too, which the vendor's format does not name.
    if not isinstance(date, str) or not re.fullmatch(r"\d\d/\d\d/\d{4}", date, re.ASCII):
        raise RefusedError(BAD_DATE, OF_SENDING)
    try:
        day = datetime.strptime(date, "%d/%m/%Y").replace(tzinfo=PARIS)
    except ValueError:
        raise RefusedError(BAD_DATE, OF_SENDING) from None
    # Aware times of one zone are added to by the clock on the wall, which is what is asked for. Hour 24 is midnight.
    scheduled_for = day + timedelta(
        hours=_number(hour, _HOURS, BAD_HOUR), minutes=_number(minute, _MINUTES, BAD_MINUTE)
    )
    # In UTC, since times of one zone are compared by the clock on the wall, too.
    scheduled_for = scheduled_for.astimezone(UTC)
    if scheduled_for <= now:
        raise RefusedError(DATE_IN_THE_PAST, OF_SENDING)
    return scheduled_for


def _number(value: object, allowed: range, code: int) -> int:
    # The vendor's samples write numbers, and its forms text.
    written = str(value)
    if not re.fullmatch(r"\d{1,2}", written, re.ASCII) or int(written) not in allowed:
        raise RefusedError(code, OF_SENDING)
    return int(written)
