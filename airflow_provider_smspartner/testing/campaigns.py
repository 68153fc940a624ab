"""The messages that the double knows, and the status of each as time passes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import floor, isclose
from typing import Protocol

WAITING = "Waiting"
NOT_FOUND = "Numéro introuvable"

DEFAULT_OUTCOMES: Mapping[str, float] = {"Delivered": 0.95, "Not delivered": 0.05}

# The first 10,000 numbers belong to a range that the French regulator keeps for fiction.
FIRST_PHONE_NUMBER = 33639980000
FIRST_MESSAGE_ID = 1001

Pair = tuple[str, str]


# Whose French mobile numbers are: 06 and 07 are shared with the overseas departments. 06 39 98 is for fiction.
_OVERSEAS = {
    "+262": re.compile(r"639(?!98)|69[23]|709(?:2[0-3]|3[5-7])"),
    "+590": re.compile(r"69[01]|7090[0-4]"),
    "+594": re.compile(r"694|7093[0-3]"),
    "+596": re.compile(r"69[67]|7091[0-3]"),
}


def e164(phone_number: str) -> str:
    """Write a French number in international form, also an overseas one, and any other without its separators."""
    compact = re.sub(r"[\s./()-]", "", phone_number)
    compact = re.sub(r"^00", "+", compact)
    french = re.fullmatch(r"(?:0|\+330?)([1-9][0-9]{8})", compact)
    if french is None:
        return compact
    country = next((code for code, block in _OVERSEAS.items() if block.match(french[1])), "+33")
    return country + french[1]


class Clock:
    """The double's time, in epoch seconds, which tests may move forward."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the time."""
        return time.monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock on by so many seconds at once."""
        if seconds < 0:
            raise ValueError("the clock of the double only moves forward")
        self._offset += seconds


@dataclass(frozen=True)
class Report:
    """The status of a message, and since when it has it."""

    status: str
    since: float

    @property
    def date(self) -> str | None:
        """The date as the vendor writes it; a waiting message has none."""
        return None if self.status.casefold() == WAITING.casefold() else str(int(self.since))


class Timeline(Protocol):
    """Knows the status of one message at each moment that it is asked for."""

    def ask(self, now: float) -> Report:
        """Return the status at this moment."""


class Scripted:
    """One status after another, a step at each ask; the last one stays."""

    def __init__(self, statuses: Sequence[str]) -> None:
        if not statuses:
            raise ValueError("a message needs one status at least")
        self._coming = iter(statuses)
        self._report = Report(statuses[0], since=0.0)

    def ask(self, now: float) -> Report:
        """Return the status, and go on to the next."""
        status = next(self._coming, None)
        if status is not None:
            self._report = Report(status, since=now)
        return self._report


class Stopwatch:
    """Runs from the first time that anybody looks at it.

    :param not_before: when it runs at the earliest.
    """

    def __init__(self, *, not_before: float = 0.0) -> None:
        self._not_before = not_before
        self._started: float | None = None

    def started(self, now: float) -> float:
        """Return when it was started, which may be now, or when it will be."""
        if self._started is None:
            self._started = max(now, self._not_before)
        return self._started


@dataclass(frozen=True)
class Settling:
    """Waiting for some time after the first ask, then settled."""

    stopwatch: Stopwatch
    delay: float
    outcome: str

    def ask(self, now: float) -> Report:
        """Return the status at this moment."""
        started = self.stopwatch.started(now)
        if now - started < self.delay:
            return Report(WAITING, started)
        return Report(self.outcome, started + self.delay)


@dataclass(frozen=True)
class Message:
    """One message and its timeline."""

    phone_number: str
    message_id: str
    timeline: Timeline
    stop_sms: bool = False
    is_spam: bool = False

    @property
    def pair(self) -> Pair:
        """What multi-status asks for it by."""
        return self.phone_number, self.message_id


@dataclass(frozen=True)
class Campaign:
    """A campaign as the double made it up.

    :param tag: its tag.
    :param messages: its messages in order, each ``{"phone_number": ..., "message_id": ...}``.
    """

    tag: str
    messages: list[dict[str, str]]


class Ledger:
    """Every message known, by pair and by tag."""

    def __init__(self) -> None:
        self._by_pair: dict[Pair, Message] = {}
        self._by_tag: dict[str, list[Message]] = {}
        self._serial = count()

    def add_campaign(
        self, tag: str, *, size: int, settle_seconds: float, outcomes: Mapping[str, float] = DEFAULT_OUTCOMES
    ) -> Campaign:
        """Make up a campaign under a new tag."""
        if tag in self._by_tag:
            raise ValueError(f"the tag {tag!r} has messages already")
        if size < 0:
            raise ValueError("a campaign cannot have less than no messages")
        pairs = [self._next_pair() for _ in range(size)]
        messages = self.add_settling(pairs, settle_seconds=settle_seconds, outcomes=outcomes, tag=tag)
        return Campaign(
            tag, [{"phone_number": each.phone_number, "message_id": each.message_id} for each in messages]
        )

    def add_settling(
        self,
        pairs: Sequence[Pair],
        *,
        settle_seconds: float,
        outcomes: Mapping[str, float] = DEFAULT_OUTCOMES,
        not_before: float = 0.0,
        tag: str | None = None,
    ) -> list[Message]:
        """Add messages that leave Waiting one after the other, spread evenly over the seconds given."""
        stopwatch = Stopwatch(not_before=not_before)
        endings = spread_outcomes(outcomes, size=len(pairs))
        messages = [
            Message(*pair, Settling(stopwatch, settle_seconds * position / len(pairs), ending))
            for position, (pair, ending) in enumerate(zip(pairs, endings, strict=True), start=1)
        ]
        for message in messages:
            self._by_pair[message.pair] = message
        if tag is not None:
            self._by_tag.setdefault(tag, []).extend(messages)
        return messages

    def withdraw(self, messages: Sequence[Message], *, tag: str | None) -> None:
        """Answer that these messages are not known, even where unknown ones are made up."""
        for message in messages:
            self._by_pair[message.pair] = replace(message, timeline=Scripted([NOT_FOUND]))
        if tag is None:
            return
        gone = {message.pair for message in messages}
        left = [message for message in self._by_tag.pop(tag) if message.pair not in gone]
        if left:
            self._by_tag[tag] = left

    def add_message(self, message: Message, *, tag: str | None) -> None:
        """Add one message, also under its tag where it has one."""
        if message.pair in self._by_pair:
            raise ValueError(f"message {message.message_id} to this number is known already")
        self._by_pair[message.pair] = message
        if tag is not None:
            self._by_tag.setdefault(tag, []).append(message)

    def find(self, pair: Pair) -> Message | None:
        """Find the message that a pair names."""
        return self._by_pair.get(pair)

    def tagged(self, tag: str) -> list[Message] | None:
        """Find the messages of a tag, None where the tag is unknown."""
        return self._by_tag.get(tag)

    def _next_pair(self) -> Pair:
        serial = next(self._serial)
        return e164(f"+{FIRST_PHONE_NUMBER + serial}"), str(FIRST_MESSAGE_ID + serial)


def spread_outcomes(outcomes: Mapping[str, float], *, size: int) -> list[str]:
    """Deal outcomes to messages, mixed evenly and always in the same order.

    :param outcomes: the share of each outcome; the shares add up to 1.
    :param size: how many messages there are.
    """
    if any(share < 0 for share in outcomes.values()) or not isclose(sum(outcomes.values()), 1):
        raise ValueError("the shares of the outcomes must add up to 1")
    weights = _whole_numbers({outcome: share * size for outcome, share in outcomes.items()}, total=size)
    # Smooth weighted round-robin: over one full cycle each outcome is dealt exactly as often as it weighs.
    credit = dict.fromkeys(weights, 0)
    dealt = []
    for _ in range(size):
        for outcome, weight in weights.items():
            credit[outcome] += weight
        richest = max(credit, key=credit.__getitem__)
        credit[richest] -= size
        dealt.append(richest)
    return dealt


def _whole_numbers(quotas: Mapping[str, float], *, total: int) -> dict[str, int]:
    """Round to whole numbers that add up to the total, by the largest remainders."""
    whole = {name: floor(quota) for name, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda name: whole[name] - quotas[name])
    for name in by_remainder[: total - sum(whole.values())]:
        whole[name] += 1
    return whole
