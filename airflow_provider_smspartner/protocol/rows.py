"""
What one row of an answer says about a message, in whatever forms its facts come.

Sources are named as in `protocol`, which reads answers with this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_smspartner._phone_numbers import normalised
from airflow_provider_smspartner.models import DeliveryStatus, Outcome

MESSAGE_NOT_FOUND = 4

# A naive date is the vendor's local time [observed, inferred].
VENDOR_TIME = ZoneInfo("Europe/Paris")

# Above every documented code, and too short for a phone number: errors name codes.
MAX_CODE = 9_999

MAX_DIGITS = 18

# September 2001, before the vendor's first message: what is smaller is no epoch, and 0 is how PHP writes no date,
# or 1970-01-01 01:00:00.
_FIRST_SECOND = 10**9

MAX_WORDS = 200
"""The limit of the vendor's own words in a result, and of what stands in the place of a phone number."""

# What no database, CSV file or terminal takes for text: control characters, line ends among them.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class StopRow(msgspec.Struct, gc=False):
    """An entry of the stop list as it comes."""

    phone_number: str | int | None = msgspec.field(default=None, name="phoneNumber")
    created_at: Any = msgspec.field(default=None, name="createdAt")


class Row(msgspec.Struct, gc=False):
    """A row as it comes, of either endpoint."""

    # What is only described is read as it comes, and is null where it can't be; what names a message or counts
    # it must have its type, or the answer is not one that can be relied on.
    success: Any = None
    code: Any = None
    phone_number: str | int | None = msgspec.field(default=None, name="phoneNumber")
    message_id: str | int | None = msgspec.field(default=None, name="messageId")
    status: str | None = None
    date: Any = None
    stop_sms: Any = msgspec.field(default=None, name="stopSms")
    stop_sms_by_tag: Any = msgspec.field(default=None, name="stopSMS")
    is_spam: Any = msgspec.field(default=None, name="isSpam")


def outcome_of(row: Row) -> Outcome:
    """Return what became of the row's message."""
    stop_sms = row.stop_sms if row.stop_sms is not None else row.stop_sms_by_tag
    facts = (row.success, row.code, row.status, row.date, stop_sms, row.is_spam)
    try:
        return _kept_outcome(*facts)
    except TypeError:
        # A list or an object where a figure should be, or a fact that is too long: no key for the cache.
        return _read_outcome(*facts)


# The rows of a campaign differ in little but their numbers: what the rest says is worked out once.
@lru_cache(maxsize=4096, typed=True)
def _kept_outcome(*facts: Any) -> Outcome:
    # Looked at once for each key: what is raised is not kept.
    if any(_is_long(fact) for fact in facts):
        raise TypeError
    return _read_outcome(*facts)


def _is_long(fact: Any) -> bool:
    if isinstance(fact, str):
        return len(fact) > _MAX_KEPT_LENGTH
    return isinstance(fact, int) and fact.bit_length() > _MAX_KEPT_BITS


_MAX_KEPT_LENGTH = 64
_MAX_KEPT_BITS = 64


def _read_outcome(  # noqa: PLR0917 - in the order of the cache's key
    success: Any, code: Any, status: str | None, date: Any, stop_sms: Any, is_spam: Any
) -> Outcome:
    number = to_int(code, at_most=MAX_CODE)
    if number == MESSAGE_NOT_FOUND:
        read = DeliveryStatus.NOT_FOUND
    elif success is not True and to_flag(success) is False:
        read = DeliveryStatus.UNKNOWN
    else:
        read = DeliveryStatus.parse(status)
    return Outcome(
        status=read,
        raw_status=None if status is None else to_words(status),
        date=to_date(date),
        stop_sms=to_flag(stop_sms),
        is_spam=to_flag(is_spam),
        code=number,
    )


def cut_key(rows: Iterable[Row] | Iterable[StopRow], key: str) -> None:
    """Cut the key out of all that rows say in words of the vendor's own, in whichever way it is encoded."""
    if not key:
        return
    quoted = re.compile("".join(map(_any_form, key)))
    for row in rows:
        if isinstance(row.phone_number, str):
            row.phone_number = quoted.sub("***", row.phone_number)
        if isinstance(row, Row) and row.status is not None and row.status not in _USUAL:
            row.status = quoted.sub("***", row.status)


_USUAL = frozenset(DeliveryStatus)


def _any_form(character: str) -> str:
    """Return a pattern of a character as it is, or escaped as in URLs (several times, too), JSON and Python."""
    if character.isascii() and character.isalnum():
        return character
    encoded = character.encode("utf-8", "surrogatepass")
    forms = [
        re.escape(character),
        "".join(rf"%(?:25)*(?i:{byte:02x})" for byte in encoded),
        rf"\\u(?i:{ord(character):04x})",
        "".join(rf"\\x(?i:{byte:02x})" for byte in encoded),
        *([r"\+"] if character == " " else []),
    ]
    return rf"\\*(?:{'|'.join(forms)})"


def to_words(raw: str) -> str:
    """Return the vendor's own words in a form that whatever takes results can hold: one line, and not endless."""
    words = _CONTROLS.sub(" ", raw[: MAX_WORDS + 1])
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"


def to_phone_number(raw: str | int | None) -> str:
    """Normalise an answered phone number; one that is none stays as it came, but for `to_words`: it is the vendor's."""
    text = str(raw or "")
    return normalised(_international(text)) or to_words(text)


def _international(text: str) -> str:
    """Return a number with what its digits lack: they come without their plus, and French ones without their 0."""
    if not text.isdigit() or text[0] == "0":
        return text
    return ("0" if len(text) == _FRENCH_DIGITS and text[0] in "67" else "+") + text


_FRENCH_DIGITS = 9


# Flags come as "0", "1", 0, 1, true and false [multi-status, by-tag]; True == 1 and False == 0 as keys, too.
_FLAGS = {"0": False, "1": True, "false": False, "true": True, 0: False, 1: True}


def to_flag(raw: Any) -> bool | None:
    """Return a flag in any of the vendor's forms, or None if it is none."""
    return _FLAGS.get(raw) if isinstance(raw, (str, int)) else None


def to_int(raw: Any, *, at_most: int) -> int | None:
    """Return a figure from 0 to `at_most`, or None if it is none."""
    # Numbers come as numbers and as text: an inner code is "9" [observed], a date "1517989111" [by-tag].
    if isinstance(raw, str) and len(raw) <= MAX_DIGITS and raw.isdecimal():
        raw = int(raw)
    return raw if type(raw) is int and 0 <= raw <= at_most else None


def to_date(raw: Any) -> datetime | None:
    """Return a date given as epoch seconds, as their text, or in the vendor's local time [observed]."""
    try:
        is_epoch = not isinstance(raw, str) or raw.isdecimal()
        if is_epoch and (seconds := float(raw)) >= _FIRST_SECOND:
            return datetime.fromtimestamp(seconds, UTC)
        parsed = datetime.fromisoformat(raw)
        date = (parsed if parsed.tzinfo else parsed.replace(tzinfo=VENDOR_TIME)).astimezone(UTC)
        return date if date.timestamp() >= _FIRST_SECOND else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def certainty(outcome: Outcome) -> int:
    """Rank rows about the same message: a final status is not taken back, and a known one beats an unknown."""
    return 2 if outcome.status.is_final else 0 if outcome.status is DeliveryStatus.NOT_FOUND else 1
