"""What the API speaks of: delivery statuses, message references, status rows and their summary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache, partial
from itertools import islice
from math import isnan
from operator import index
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, SupportsIndex, TypedDict

import msgspec

from airflow_provider_smspartner._phone_numbers import normalised, why_none

if TYPE_CHECKING:
    from airflow_provider_smspartner.exceptions import SMSPartnerInputError


class DeliveryStatus(StrEnum):
    """
    What became of a message.

    Delivered, Not delivered and Waiting are documented on the endpoints' pages, KO on the vendor's page of
    error codes, which lists the operators' own words, too. "Not found" and "Unknown" are this package's: the
    vendor knows no such message (yet), or answered a text that no page names.
    """

    DELIVERED = "Delivered"
    NOT_DELIVERED = "Not delivered"
    WAITING = "Waiting"
    KO = "KO"
    NOT_FOUND = "Not found"
    UNKNOWN = "Unknown"

    @property
    def is_final(self) -> bool:
        """Whether the vendor will never change this status again."""
        return self in _FINAL

    @property
    def has_settled(self) -> bool:
        """Whether a message with this status has left "Waiting" and is known to the vendor."""
        return self not in _UNSETTLED

    @classmethod
    def parse(cls, text: str | None) -> DeliveryStatus:
        """
        Return the status that the vendor's text means, or an operator's word, in any case and with any spaces.

        :param text: the status as answered; polls capitalise it, webhooks do not.
        """
        if text is None:
            return cls.UNKNOWN
        return _BY_TEXT.get(text) or _BY_TEXT.get(" ".join(text.casefold().split()), cls.UNKNOWN)


_FINAL = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.NOT_DELIVERED, DeliveryStatus.KO})
_UNSETTLED = frozenset({DeliveryStatus.WAITING, DeliveryStatus.NOT_FOUND})
_OF_OPERATORS = {
    DeliveryStatus.DELIVERED: ("delivrd",),
    DeliveryStatus.WAITING: ("pending", "enroute", "acceptd"),
    DeliveryStatus.NOT_DELIVERED: ("undeliv", "expired", "rejectd"),
}
"""[error-codes] What operators call a status; their "UNKNOWN" is ours as well."""

_BY_TEXT = {
    **{word: status for status, words in _OF_OPERATORS.items() for word in words},
    **{status.casefold(): status for status in DeliveryStatus},
    **{str(status): status for status in DeliveryStatus},
}


_NOT_FOUND_WORDS = "numéro introuvable"
"""[multi-status] The status of a failed row."""


def is_known_word(raw_status: str | None) -> bool:
    """Return whether a text is one of those that the vendor's pages name, and so quotes nothing."""
    word = " ".join((raw_status or "").casefold().split())
    return word in _BY_TEXT or word == _NOT_FOUND_WORDS


PHONE_NUMBER_NAMES = ("phone_number", "phoneNumber")
"""What a phone number is called, as a key of a mapping or a column of a file."""

MESSAGE_ID_NAMES = ("message_id", "messageId")
"""What a message id is called."""

_MESSAGE_MEMBERS = (PHONE_NUMBER_NAMES, MESSAGE_ID_NAMES)

Pair = tuple[str, str]
"""A normalised phone number and message id."""


class _Pair(NamedTuple):
    phone_number: str
    message_id: str


class MessageRef(_Pair):
    """
    The two facts that name one message to the vendor: who received it, and in which send.

    :param phone_number: E.164 (``+33612345678``) in any notation that people write, or a French mobile number
        (``06…``, ``07…``), the overseas departments included; it becomes E.164.
    :param message_id: the id that sending answered: an integer, or its text, also as a table writes it (``9000017.0``).
    :raises SMSPartnerInputError: says what is wrong, never the number.
    """

    __slots__ = ()

    def __new__(cls, phone_number: object, message_id: object) -> Self:
        """Normalise both facts, so that equal messages are equal values."""
        return super().__new__(cls, to_e164(phone_number), to_message_id(message_id))

    def __repr__(self) -> str:
        """Return the message without its phone number, which no log may hold."""
        return f"MessageRef(phone_number='***', message_id={self.message_id!r})"

    @classmethod
    def of(cls, value: object) -> MessageRef:
        """
        Return one message, given in any of the accepted forms.

        :param value: a `MessageRef`, a ``(phone_number, message_id)`` pair, or a mapping with
            ``phone_number``/``phoneNumber`` and ``message_id``/``messageId``.
        :raises SMSPartnerInputError: says what is wrong, never the number.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            return cls(*members(value, _MESSAGE_MEMBERS, of="a message"))
        if isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) == 2:
            return cls(*value)
        raise bad_input(
            f"a message is a MessageRef, a (phone_number, message_id) pair or a mapping with both, "
            f"not {described(value)}"
        )


to_ref: Callable[[Pair], MessageRef] = partial(tuple.__new__, MessageRef)
"""Makes a `MessageRef` of a pair that is normalised already: what its own `__new__` does need not be done twice."""


class StatusRow(TypedDict):
    """One message's status as hook dictionaries and XCom hold it: plain JSON types only."""

    phone_number: str
    message_id: str | None
    status: str
    raw_status: str | None
    date: str | None
    stop_sms: bool | None
    is_spam: bool | None
    code: int | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    What became of a message: the same value for all messages of a campaign that it is true of.

    :param status: what became of it.
    :param raw_status: the vendor's own text, or null where it said nothing.
    :param date: when the status was reached, aware, in UTC.
    :param stop_sms: whether the recipient answered STOP, or null where it is not said.
    :param is_spam: whether the message was taken for spam, or null where it is not said.
    :param code: the vendor's code of the row, or null where it is not said.
    """

    status: DeliveryStatus
    raw_status: str | None = None
    date: datetime | None = None
    stop_sms: bool | None = None
    is_spam: bool | None = None
    code: int | None = None

    @property
    def is_silence(self) -> bool:
        """Whether the vendor left the message unanswered."""
        return self.status is DeliveryStatus.NOT_FOUND and self.code is None and self.raw_status is None


# Without `gc`: a page of rows would otherwise be searched by Python's garbage collector again and again
# (`benchmarks/RESULTS.md`, "longest block of the event loop").
class MessageStatus(msgspec.Struct, frozen=True, gc=False):
    """
    One message and what became of it, read from an answer.

    :param phone_number: E.164, or as the vendor wrote it where it is no mobile number.
    :param message_id: null by tag, where the vendor does not say it.
    :param outcome: what became of it.
    """

    phone_number: str
    message_id: str | None
    outcome: Outcome

    @property
    def status(self) -> DeliveryStatus:
        """What became of the message, in a word."""
        return self.outcome.status

    def __repr__(self) -> str:
        """Return the row without its phone number, which no log may hold."""
        return f"MessageStatus(message_id={self.message_id!r}, status={self.status.value!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the same to rich, which otherwise shows every field in a traceback."""
        return [("message_id", self.message_id), ("status", self.status.value)]

    def as_row(self) -> StatusRow:
        """Return the row in plain JSON types."""
        outcome = self.outcome
        return {
            "phone_number": self.phone_number,
            "message_id": self.message_id,
            # The member's own attribute: `value` is computed by a function, and there may be a million rows.
            "status": outcome.status._value_,
            "raw_status": outcome.raw_status,
            "date": None if (date := outcome.date) is None else _iso_text(date),
            "stop_sms": outcome.stop_sms,
            "is_spam": outcome.is_spam,
            "code": outcome.code,
        }


def _iso_text(date: datetime) -> str:
    # In other time zones two equal dates can have different texts.
    return _iso_text_of_utc(date) if date.tzinfo is UTC else date.isoformat()


# The messages of a campaign reach their status at much the same time: their rows share the text of it.
_iso_text_of_utc = lru_cache(maxsize=4096)(datetime.isoformat)


class StatusSummary(msgspec.Struct, frozen=True, kw_only=True):
    """
    How many messages of a campaign have which status.

    :param counts: messages by status; a status without any may be left out.
    :param checked_at: when the statuses were read, aware.
    """

    counts: Mapping[DeliveryStatus, int]
    checked_at: datetime

    @classmethod
    def of(cls, rows: Iterable[StatusRow], *, checked_at: datetime) -> StatusSummary:
        """Count rows."""
        counts = Counter(row["status"] for row in rows)
        return cls(counts={DeliveryStatus(text): n for text, n in counts.items()}, checked_at=checked_at)

    @property
    def total(self) -> int:
        """Count all messages."""
        return sum(self.counts.values())

    @property
    def settled_count(self) -> int:
        """Count the messages that are neither Waiting nor Not found."""
        return sum(n for status, n in self.counts.items() if status.has_settled)

    @property
    def settled(self) -> bool:
        """Whether there is a message, and none is Waiting or Not found."""
        return 0 < self.total == self.settled_count

    @property
    def delivery_rate(self) -> float | None:
        """The share of messages that were delivered, or None if there is no message."""
        return self.counts.get(DeliveryStatus.DELIVERED, 0) / self.total if self.total else None

    def as_dict(self) -> dict[str, int | float | bool | str | None]:
        """Return the summary in plain JSON types."""
        return {
            "total": self.total,
            **{status.name.lower(): self.counts.get(status, 0) for status in DeliveryStatus},
            "settled": self.settled,
            "delivery_rate": self.delivery_rate,
            "checked_at": self.checked_at.isoformat(),
        }


class Receipt(dict[str, Any]):
    """
    What the vendor answered to one call that sends.

    It is a dictionary of plain JSON types, with the parameters as keys: XCom stores it, and gives it back as a
    dictionary, of which ``Receipt(**stored)`` makes a receipt again.

    :param message_id: the id of the call's SMS, the same for all of its recipients; None if it took none of them.
    :param accepted: the phone numbers, in E.164 and in order, that the vendor took.
    :param refused: the phone numbers that it did not take, each with the vendor's code, or None where it gave none.
    :param sms: SMS that are charged, over all parts and recipients, or None where the vendor does not say it.
    :param cost: in `currency`, or its text, or None where the vendor does not say it.
    :param currency: ISO 4217, or None.
    """

    def __init__(
        self,
        *,
        message_id: str | None,
        accepted: Iterable[str],
        refused: Mapping[str, int | None] = MappingProxyType({}),
        sms: int | None = None,
        cost: Decimal | str | None = None,
        currency: str | None = None,
    ) -> None:
        super().__init__(
            message_id=message_id,
            accepted=list(accepted),
            refused=dict(refused),
            sms=sms,
            cost=None if cost is None else str(cost),
            currency=currency,
        )

    @property
    def message_id(self) -> str | None:
        """The id of the call's SMS, the same for all of its recipients; None if it took none of them."""
        return self["message_id"]  # type: ignore[no-any-return]

    @property
    def accepted(self) -> tuple[str, ...]:
        """The phone numbers that the vendor took."""
        return tuple(self["accepted"])

    @property
    def refused(self) -> Mapping[str, int | None]:
        """The phone numbers that it did not take, each with the vendor's code, if any."""
        return self["refused"]  # type: ignore[no-any-return]

    @property
    def sms(self) -> int | None:
        """SMS that are charged, if the vendor says it."""
        return self["sms"]  # type: ignore[no-any-return]

    @property
    def cost(self) -> Decimal | None:
        """What they cost, if the vendor says it."""
        return None if self["cost"] is None else Decimal(self["cost"])

    @property
    def currency(self) -> str | None:
        """The currency of the cost, if the vendor says it."""
        return self["currency"]  # type: ignore[no-any-return]

    @property
    def messages(self) -> list[dict[str, str]]:
        """The accepted messages, as the sensor's and the multi-status operator's `messages` take them."""
        if self.message_id is None:
            return []
        return [{"phone_number": number, "message_id": self.message_id} for number in self.accepted]

    def __repr__(self) -> str:
        """Return the receipt without its phone numbers, which no log may hold."""
        return f"Receipt({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the same to rich, which otherwise shows every item in a traceback."""
        figures = [("accepted", len(self.accepted)), ("refused", len(self.refused)), ("sms", self.sms)]
        return [("message_id", self.message_id), *figures, ("cost", self.cost), ("currency", self.currency)]


def counts_to_json(counts: Mapping[DeliveryStatus, int]) -> dict[str, int]:
    """Return counts by status in plain JSON types, as the trigger's arguments and events hold them."""
    return {status.value: count for status, count in counts.items()}


def counts_from_json(counts: Mapping[str, int]) -> Counter[DeliveryStatus]:
    """Return counts by status from what `counts_to_json` returned."""
    return Counter({DeliveryStatus(text): int(count) for text, count in counts.items()})


def describe_progress(summary: StatusSummary | None) -> str:
    """
    Return how far a campaign is, in words: how many have settled, and the counts by status.

    :param summary: of all rows, without any for an unknown tag; None if there are no counts.
    """
    if summary is None:
        return "the last poll brought no counts"
    if not summary.total:
        return "not known to SMS Partner (yet)"
    counts = ", ".join(f"{s.value} {summary.counts[s]}" for s in DeliveryStatus if summary.counts.get(s))
    share = summary.settled_count / summary.total
    return f"{summary.settled_count} of {summary.total} settled ({share:.1%}): {counts}"


_MESSAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,63}")


def to_e164(phone_number: object) -> str:
    """
    Return a phone number in E.164, as this package writes it everywhere: equal numbers are equal texts.

    :param phone_number: E.164 in any notation that people write, or a French mobile number, the overseas departments
        included: ``06 96 12 34 56``, ``+33696123456`` and ``+596696123456`` are ``+596696123456``.
    :raises SMSPartnerInputError: says what is wrong, never the number.
    """
    if phone_number is None or (isinstance(phone_number, float) and isnan(phone_number)):
        raise bad_input("phone_number is empty")
    if isinstance(phone_number, int | float):
        raise bad_input(f"phone_number must be text, not {described(phone_number)}: read its column as text")
    if not isinstance(phone_number, str):
        raise bad_input(f"phone_number must be text, not {described(phone_number)}")
    text = plain_text(phone_number)
    e164 = normalised(text)
    if e164 is None:
        raise bad_input(why_none(text))
    return e164


def plain_text(text: str) -> str:
    """Return a text as a plain ``str``: what is made of one of numpy's or Jinja's own cannot be encoded."""
    return text if type(text) is str else "".join(text)


def to_message_id(message_id: object) -> str:
    """
    Return a message id as text.

    :param message_id: an integer, its text, or either as a table writes it (``9000017.0``).
    :raises SMSPartnerInputError: says what is wrong.
    """
    if isinstance(message_id, str):
        text = plain_text(message_id).strip()
        if whole := _WHOLE.fullmatch(text):
            text = whole[1]
    else:
        number = _whole_number(message_id)
        # Python refuses to print integers of thousands of digits: the bound keeps its error out of here.
        text = str(number) if 0 <= number < 10**64 else ""
    if not _MESSAGE_ID.fullmatch(text):
        raise bad_input("message_id must be 1 to 64 letters, digits or any of _ . : -")
    return text


# As tables write integers beside which a value is missing: 9000017.0.
_WHOLE = re.compile(r"([0-9]+)[.,]0+")
# Above this, a float may stand for an integer beside it.
_EXACT = 2**53


def _whole_number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float | Decimal):
        exact = Decimal(value)
        if exact.is_finite() and abs(exact) <= _EXACT and exact == int(exact):
            return int(exact)
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        return index(value)
    raise bad_input(f"message_id must be an integer or its text, not {described(value)}")


# What a mapping's key must look like to be shown: a word, which no phone number and no key of an account is.
_NAME = re.compile(r"[^\W\d_][^\W\d]{0,23}-?[0-9]{0,2}")
_MAX_NAMES = 8


def members(mapping: Mapping[object, object], wanted: Sequence[Sequence[str]], *, of: str) -> list[object]:
    """
    Return some of a mapping's values.

    :param mapping: may have other keys, too.
    :param wanted: for each value the names that its key may have.
    :param of: what the mapping is, for the error.
    :raises SMSPartnerInputError: if one is missing; shows the keys that look like names.
    """
    return [_member(mapping, names, wanted, of) for names in wanted]


def _member(
    mapping: Mapping[object, object], names: Sequence[str], wanted: Sequence[Sequence[str]], of: str
) -> object:
    for name in names:
        if name in mapping:
            return mapping[name]
    accepted = " and ".join(
        f"{name} (or {', '.join(others)})" if others else name for name, *others in wanted
    )
    raise bad_input(f"{names[0]} is missing: the keys of {of} are {accepted}, not {_shown_keys(mapping)}")


def _shown_keys(mapping: Mapping[object, object]) -> str:
    """Return the keys that look like names: others may be values, which no error may show."""
    if not mapping:
        return "none"
    names = [key for key in islice(mapping, 100) if isinstance(key, str) and _NAME.fullmatch(key)][
        :_MAX_NAMES
    ]
    others = len(mapping) - len(names)
    shown = [*names, *([f"{others} other{'s' if others > 1 else ''}"] if others else [])]
    return ", ".join(shown)


def described(value: object) -> str:
    """Return what a value is, without the value: it may be a phone number."""
    return "None" if value is None else f"of type {type(value).__name__}"


def bad_input(fault: str) -> SMSPartnerInputError:
    """Return the error of bad input; its module is loaded only now."""
    # The errors import Airflow, which is not needed to handle messages.
    from airflow_provider_smspartner.exceptions import SMSPartnerInputError

    return SMSPartnerInputError(fault)
