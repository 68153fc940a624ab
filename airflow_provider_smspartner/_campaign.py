"""
Has a campaign left "Waiting"? The one judgement, and the one rhythm, of the sensor's three modes.

Nothing here does I/O: the sensor polls with the synchronous hook, the trigger with the asynchronous one, and both
bring what they read to a `Wait`.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec

from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, StatusSummary

PASSING_TROUBLE = (SMSPartnerUnavailableError, SMSPartnerIncompleteError)
"""What never ends a wait before its deadline."""


def out_of_time() -> SMSPartnerUnavailableError:
    """Describe a poll that was still on its way when the time of its wait was over."""
    return SMSPartnerUnavailableError("The time was over before the last poll was answered in full.")


class Verdict(StrEnum):
    """What a poll means for the wait."""

    WAIT = "wait"
    DONE = "done"
    NOT_FOUND = "not_found"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is waited for, and until when.

    :param settled_ratio: share of the rows that must be neither Waiting nor Not found, above 0 and up to 1.
    :param expected_total: rows that must be known, or None.
    :param started_at: when the wait began: its first poll.
    :param deadline: when it times out.
    :param not_found_until: until when a message that the vendor does not know is waited for.
    """

    settled_ratio: float
    expected_total: int | None
    started_at: datetime
    deadline: datetime
    not_found_until: datetime

    def judge(self, summary: StatusSummary | None, *, now: datetime) -> Verdict:
        """
        Judge a poll.

        :param summary: what was read, without rows for an unknown tag; None where the poll failed.
        :param now: aware.
        """
        if summary is not None:
            not_found = summary.counts.get(DeliveryStatus.NOT_FOUND, 0)
            known = summary.total - not_found
            # Not exact, because 0.07 * 100 is a little more than 7.
            enough = summary.settled_count >= self.settled_ratio * summary.total - 1e-6
            if summary.total and enough and known >= (self.expected_total or 0):
                return Verdict.DONE
            if self.lacks_messages(summary) and now >= self.not_found_until:
                return Verdict.NOT_FOUND
        return Verdict.TIMED_OUT if now > self.deadline else Verdict.WAIT

    def lacks_messages(self, summary: StatusSummary | None) -> bool:
        """
        Return whether the vendor does not know a message, or none of the tag.

        :param summary: what was read, or None.
        """
        if summary is None:
            return False
        return not summary.total or summary.counts.get(DeliveryStatus.NOT_FOUND, 0) > 0


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """
    How long to wait after a poll, told by the time since the first one alone, so that no mode has to count polls.

    The figures are those of Airflow's own sensors: with `exponential_backoff` the n-th wait is drawn from
    2^(n-2) to 2^(n-1) intervals, by the seed and not by chance.

    :param poke_interval: seconds.
    :param exponential_backoff: wait progressively longer.
    :param max_wait: most seconds of a progressive wait, or None.
    :param seed: makes the waits of one task differ from another's.
    """

    poke_interval: float
    exponential_backoff: bool
    max_wait: float | None
    seed: str

    def delay(self, elapsed: float, *, remaining: float) -> float:
        """
        Give the seconds until the next poll.

        :param elapsed: seconds since the first poll.
        :param remaining: seconds until the deadline; a progressive wait does not pass it.
        """
        if not self.exponential_backoff:
            return self.poke_interval
        # Not less, or the waits of an interval of 0 would never grow, and counting them never end.
        interval = max(self.poke_interval, 0.5)
        number, passed = 1, 0.0
        while True:
            # The exponent is bounded because a float is; by then any deadline has long passed.
            least = max(int(interval * 2.0 ** min(number - 2, 60)), 1)
            wait = float(least + self._draw(number) % least)
            if self.max_wait:
                wait = min(wait, self.max_wait)
            passed += wait
            # Once even the least wait is over the cap, all further ones are the cap: no need to count them.
            if passed > elapsed or (self.max_wait and least >= self.max_wait):
                return max(0.0, min(wait, remaining))
            number += 1

    def _draw(self, number: int) -> int:
        digest = hashlib.sha1(f"{self.seed}#{number}".encode(), usedforsecurity=False)
        return int(digest.hexdigest(), 16)


class Pending(Protocol):
    """
    Messages that are still to be asked for, each once and in order.

    A reading notes which of them need no more asking. They are dropped once it is whole, and stay if it is not.
    """

    def __len__(self) -> int:
        """Count them, those that are only noted included."""

    def __iter__(self) -> Iterator[MessageRef]:
        """Give them; what is noted meanwhile does no harm."""

    def settle(self, ref: MessageRef) -> None:
        """Note that a message needs no more asking."""

    def keep(self) -> None:
        """Drop what was noted."""

    def undo(self) -> None:
        """Forget what was noted."""

    def close(self) -> None:
        """Let go of the messages; their number stays known."""


class PendingList(list[MessageRef]):
    """
    Pending messages in memory: small, for a triggerer holds thousands of them.

    :param refs: each message once.
    """

    __slots__ = ("_noted",)

    def __init__(self, refs: Iterable[MessageRef] = ()) -> None:
        super().__init__(refs)
        self._noted: list[MessageRef] = []

    def settle(self, ref: MessageRef) -> None:
        """Note that a message needs no more asking."""
        self._noted.append(ref)

    def keep(self) -> None:
        """Drop what was noted."""
        if self._noted:
            noted = set(self._noted)
            self[:] = [ref for ref in self if ref not in noted]
            self._noted.clear()

    def undo(self) -> None:
        """Forget what was noted."""
        self._noted.clear()

    def close(self) -> None:
        """Nothing is held open."""


class Watch(msgspec.Struct, kw_only=True):
    """
    What is still to be asked for, and what is known of the rest.

    :param tag: the tag to watch, or None.
    :param messages: the messages that are still to be asked for, where there is no tag.
    :param settled: how many messages need no more asking, by their final status.
    """

    tag: str | None
    messages: Pending = msgspec.field(default_factory=PendingList)
    settled: Counter[DeliveryStatus] = msgspec.field(default_factory=Counter)

    def __str__(self) -> str:
        """Name what is watched, without phone numbers."""
        return f"Campaign {self.name}"

    @property
    def name(self) -> str:
        """Name what is watched inside a sentence, without phone numbers."""
        if self.tag is not None:
            return repr(self.tag)
        return f"of {len(self.messages) + self.settled.total()} messages"


class Reading:
    """
    The rows of one poll, counted as they come; passing trouble ends the reading and is kept, not raised.

    :param watch: told what needs no more asking once the reading is whole.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._counts: Counter[DeliveryStatus] = Counter()
        self._over = False
        self.summary: StatusSummary | None = None
        self.trouble: SMSPartnerError | None = None
        self.waiting_on_page: int | None = None

    def add(self, status: DeliveryStatus, ref: MessageRef | None = None) -> None:
        """
        Count a row.

        :param status: what became of the message.
        :param ref: which message it is, where messages are watched.
        """
        self._counts[status] += 1
        # An answer may still come after trouble has ended the reading: it must not count for the next one.
        if ref is not None and status.is_final and not self._over:
            self._watch.messages.settle(ref)

    def add_counts(self, counts: Mapping[DeliveryStatus, int]) -> None:
        """Count the rows of a tag that were counted for several waits."""
        self._counts.update(counts)

    def stop_at_waiting(self, *, page: int) -> None:
        """End the reading before its last page, because a message is still Waiting: there is nothing to count."""
        self.waiting_on_page = page

    def __enter__(self) -> Self:
        """Begin to read."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End the reading, as `end` does."""
        return self.end(error)

    def end(self, error: BaseException | None = None) -> bool:
        """
        End the reading: whole, or broken off by trouble that may pass.

        :param error: what broke it off.
        :return: whether that is all: else the error is to be raised.
        """
        self._over = True
        if error is not None:
            self._watch.messages.undo()
        if isinstance(error, PASSING_TROUBLE):
            self.trouble = error
            return True
        if isinstance(error, SMSPartnerNotFoundError):
            self._counts = Counter({DeliveryStatus.NOT_FOUND: len(self._watch.messages)})
        elif error is not None:
            return False
        if self.waiting_on_page is not None:
            return True
        self.summary = StatusSummary(counts=self._watch.settled + self._counts, checked_at=datetime.now(UTC))
        if self._watch.tag is None:
            self._watch.messages.keep()
            self._watch.settled += Counter(
                {status: n for status, n in self._counts.items() if status.is_final}
            )
        return True


OVERTIME_SECONDS = 2.0
"""How much later than its deadline a poll that is on its way may still be answered: a call takes less."""

MAX_LAST_POLL_SECONDS = 60.0
"""Most seconds that the last poll, which begins after the deadline, may take."""


class Wait(msgspec.Struct, kw_only=True):
    """
    A wait for a campaign: what is watched, for what, and how often.

    :param watch: what is still to be asked for.
    :param goal: what is waited for, and until when.
    :param rhythm: how long to wait between polls.
    :param failing_since: since when polls have failed, or None where the last one has not.
    :param failed_polls: how many have failed since then.
    """

    watch: Watch
    goal: Goal
    rhythm: Rhythm
    failing_since: datetime | None = None
    failed_polls: int = 0

    @property
    def needs_whole_tag(self) -> bool:
        """Tell whether a page that shows Waiting does not settle the verdict of a tag."""
        goal = self.goal
        return goal.settled_ratio < 1 or goal.expected_total is not None or datetime.now(UTC) > goal.deadline

    def time_to_read(self, *, left: float) -> float:
        """
        Return how many seconds a poll that begins now may take.

        :param left: seconds until the deadline.
        """
        if left >= 0:
            return left + OVERTIME_SECONDS
        return min(max(self.rhythm.poke_interval, OVERTIME_SECONDS), MAX_LAST_POLL_SECONDS)

    def read(self) -> Reading:
        """Begin to read the rows of a poll: a context manager, for synchronous and asynchronous code alike."""
        return Reading(self.watch)

    def conclude(self, reading: Reading) -> Poll:
        """Judge a reading, and say when to poll next."""
        now = datetime.now(UTC)
        goal = self.goal
        remaining = (goal.deadline - now).total_seconds()
        delay = self.rhythm.delay((now - goal.started_at).total_seconds(), remaining=remaining)
        if reading.trouble:
            # While nothing is answered, there is nothing to learn from a poll long after the deadline.
            delay = min(delay, max(remaining, 0.0))
        over = None
        if reading.trouble:
            self.failing_since = self.failing_since or now
            self.failed_polls += 1
            found = f"{self._failures()}: {reading.trouble}".rstrip(".")
        else:
            over = self._end_of_failures(now)
            if reading.waiting_on_page is not None:
                found = f"still Waiting on page {reading.waiting_on_page}"
            else:
                found = progress(reading.summary)
                if goal.lacks_messages(reading.summary):
                    found += f"; waited for until {_clock(goal.not_found_until)} (`not_found_grace`)"
        return Poll(
            verdict=goal.judge(reading.summary, now=now),
            summary=reading.summary,
            watched=str(self.watch),
            found=found,
            next_at=now + timedelta(seconds=delay),
            delay=delay,
            is_failed=reading.trouble is not None,
            over=over,
        )

    def opening(self) -> str:
        """Say in one line what is waited for, since when, how often, and when it is given up, for the log."""
        goal, rhythm = self.goal, self.rhythm
        known = (
            "" if goal.expected_total is None else f" and {goal.expected_total} are known (`expected_total`)"
        )
        backoff = " at first, then less often (`exponential_backoff`)" if rhythm.exponential_backoff else ""
        return (
            f"Waiting for campaign {self.watch.name} until {100 * goal.settled_ratio:g}% of its messages have settled "
            f"(`settled_ratio`){known}. Polls every {rhythm.poke_interval:g} s (`poke_interval`){backoff}, "
            f"since {_moment(goal.started_at)}. Gives up at {_moment(goal.deadline)} (`timeout`); for messages that "
            f"SMS Partner does not know, at {_moment(goal.not_found_until)} (`not_found_grace`)."
        )

    def _failures(self) -> str:
        if self.failing_since is None or self.failed_polls < 2:
            return "poll failed"
        return f"poll failed, the {_ordinal(self.failed_polls)} in a row since {_clock(self.failing_since)}"

    def _end_of_failures(self, now: datetime) -> str | None:
        if self.failing_since is None:
            return None
        lasted = timedelta(seconds=round((now - self.failing_since).total_seconds()))
        polls = "1 failed poll" if self.failed_polls == 1 else f"{self.failed_polls} failed polls"
        self.failing_since, self.failed_polls = None, 0
        return f"{self.watch}: polls are answered again, after {polls} in {lasted}."


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """
    A judged poll.

    :param verdict: what it means for the wait.
    :param summary: what was read, or None where the poll failed.
    :param watched: what is watched.
    :param found: what was met, in words.
    :param next_at: when to poll next, if the verdict is to wait.
    :param delay: the seconds until then.
    :param is_failed: whether the poll failed.
    :param over: says that polls before this one have failed, or None.
    """

    verdict: Verdict
    summary: StatusSummary | None
    watched: str
    found: str
    next_at: datetime
    delay: float
    is_failed: bool = False
    over: str | None = None

    @property
    def report(self) -> str:
        """What was met, in words."""
        return f"{self.watched}: {self.found}"

    def __str__(self) -> str:
        """Say in one line what was met and what follows, for the log."""
        if self.verdict is not Verdict.WAIT:
            return f"{self.report}; {self.verdict.value.replace('_', ' ')}."
        # Early in the line, which Airflow's pages cut off.
        return f"{self.watched}: next poll in {self.delay:.0f} s, at {_clock(self.next_at)}; {self.found}."

    def log_to(self, log: Any) -> None:
        """
        Log the poll: a failed one as a warning.

        :param log: the logger of the task.
        """
        if self.over is not None:
            log.info("%s", self.over)
        log.log(logging.WARNING if self.is_failed else logging.INFO, "%s", self)


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _clock(when: datetime) -> str:
    return f"{when.astimezone(UTC):%H:%M:%S} UTC"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a trigger fires: a verdict and counts, never rows.

    :param verdict: any but to wait.
    :param counts: messages by status, or None where the last poll failed.
    :param code: the vendor's code of a refusal, or None.
    :param http_status: the HTTP status of a refusal, or None.
    """

    verdict: Verdict
    counts: Mapping[DeliveryStatus, int] | None = None
    code: int | None = None
    http_status: int | None = None

    def payload(self) -> dict[str, Any]:
        """Give the event in plain JSON types, for `read`."""
        payload: dict[str, Any] = {"verdict": self.verdict.value}
        if self.counts is not None:
            payload["counts"] = counts_to_json(self.counts)
        if self.verdict is Verdict.REFUSED:
            payload |= {"code": self.code, "http_status": self.http_status}
        return payload

    @classmethod
    def read(cls, payload: object) -> Event:
        """
        Read a payload.

        :raises ValueError: if it is not one that `payload` gave.
        """
        if not isinstance(payload, Mapping):
            raise ValueError("The trigger's event is empty.")
        try:
            counts = payload.get("counts")
            event = cls(
                verdict=Verdict(str(payload.get("verdict"))),
                counts=None if counts is None else counts_from_json(counts),
                code=payload.get("code"),
                http_status=payload.get("http_status"),
            )
        except (AttributeError, TypeError, ValueError):
            event = cls(verdict=Verdict.WAIT)
        if event.verdict is Verdict.WAIT:
            raise ValueError("The trigger's event says nothing that this version of the sensor knows.")
        return event


def progress(summary: StatusSummary | None) -> str:
    """Say how far a campaign is: settled and total, and the counts by status."""
    if summary is None:
        return "the last poll brought no counts"
    if not summary.total:
        return "not known to SMS Partner (yet)"
    counts = ", ".join(f"{s.value} {summary.counts[s]}" for s in DeliveryStatus if summary.counts.get(s))
    share = summary.settled_count / summary.total
    return f"{summary.settled_count} of {summary.total} settled ({share:.1%}): {counts}"


def counts_to_json(counts: Mapping[DeliveryStatus, int]) -> dict[str, int]:
    """Give counts as an event, or a trigger's arguments, hold them."""
    return {status.value: count for status, count in counts.items()}


def counts_from_json(counts: Mapping[str, int]) -> Counter[DeliveryStatus]:
    """Read counts as an event, or a trigger's arguments, hold them."""
    return Counter({DeliveryStatus(text): int(count) for text, count in counts.items()})
