"""
One wait among those that poll together, and the states that it goes through.

::

                 take                      answer: not yet
    SCHEDULED ──────────> POLLING ──────────────────────────> SCHEDULED  …
        │                    │
        │                    ├── answer: no further poll ───> ENDED      its result is None
        │                    ├── fail ──────────────────────> ENDED      its result is the error
        └── move, fail ──────┴── move ──────────────────────> ENDED      its result is when to poll elsewhere

`TRANSITIONS` is the whole of it: nothing but `Subscriber` changes the state, and everything that changes it is in this
file. Whoever waits may be cancelled at any time. That ends the subscriber as well, and what comes after it is ignored.

A poll may take several calls, and its time may be over before the last of them is answered. Each poll has a number, and
an answer counts only if the poll with that number is still under way.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.models import MessageRef, Outcome


class State(Enum):
    """Where a subscriber is."""

    SCHEDULED = auto()
    POLLING = auto()
    ENDED = auto()


class Step(Enum):
    """What may happen to a subscriber."""

    TAKE = auto()
    POLL_AGAIN = auto()
    FINISH = auto()
    FAIL = auto()
    MOVE = auto()


TRANSITIONS = {
    (State.SCHEDULED, Step.TAKE): State.POLLING,
    (State.SCHEDULED, Step.FAIL): State.ENDED,
    (State.SCHEDULED, Step.MOVE): State.ENDED,
    (State.POLLING, Step.POLL_AGAIN): State.SCHEDULED,
    (State.POLLING, Step.FINISH): State.ENDED,
    (State.POLLING, Step.FAIL): State.ENDED,
    (State.POLLING, Step.MOVE): State.ENDED,
}


class ImpossibleStepError(RuntimeError):
    """A step that the table does not have: a fault of the shared polls."""


@dataclass(eq=False, slots=True)
class Subscriber:
    """
    A wait that polls together with others.

    :param wait: whose polls these are.
    :param answered: takes what each poll has read, and returns when to poll next, or None for no more.
    :param context: where `answered` is called: the wait's own, which its log lines belong to.
    :param outcome: how the subscriber ends: with the time at which to poll elsewhere, where the connection has
        changed, or None; or with an error.
    :param deadline_at: when the wait times out, in the event loop's time.
    :param due_at: when to poll at the latest, in the event loop's time.
    :param joins_from: when to poll at the earliest, in a call that is sent for others.
    :param poll_number: counts the polls.
    :param calls_left: calls of the poll under way that are still to be answered.
    :param ends_at: until when that poll may take, in the event loop's time.
    """

    wait: Wait
    answered: Callable[[Tally], datetime | None]
    context: Context
    outcome: asyncio.Future[datetime | None]
    deadline_at: float
    due_at: float = 0.0
    joins_from: float = 0.0
    poll_number: int = 0
    calls_left: int = 0
    ends_at: float = 0.0
    _state: State = State.SCHEDULED
    _tally: Tally | None = None

    @property
    def state(self) -> State:
        """Where the subscriber is; a cancelled one has ended at once."""
        return State.ENDED if self.outcome.done() else self._state

    @property
    def tag(self) -> str | None:
        """The tag that the wait watches, or None."""
        return self.wait.campaign.tag

    @property
    def size(self) -> int:
        """How many messages the wait still asks for."""
        return len(self.wait.campaign.messages)

    @property
    def tally(self) -> Tally:
        """What the poll under way has read so far."""
        # Not before there is something to read: what lives through a call weighs on the garbage collector.
        if self._tally is None:
            self._tally = self.wait.tally()
        return self._tally

    def wants(self, poll_number: int) -> bool:
        """
        Whether the answer to a call still counts.

        :param poll_number: of the poll that the call was sent for.
        """
        return self.poll_number == poll_number and self.state is State.POLLING

    def take(self, now: float) -> None:
        """
        Begin a poll, and say how long it may take.

        :param now: in the event loop's time.
        """
        self._step(Step.TAKE)
        self.ends_at = now + self.wait.time_to_read(left=self.deadline_at - now)

    def messages(self) -> list[MessageRef]:
        """Return the messages to ask for: none if they can't be read, and the wait has then failed."""
        try:
            return list(self.wait.campaign.messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this wait's trouble and no other's
            self.fail(error)
            return []

    def add(self, found: Mapping[MessageRef, Outcome]) -> bool:
        """
        Add what one call has found, and return whether it was the poll's last.

        :param found: what became of messages, also of messages of other waits.
        """
        tally = self.tally
        for ref in self.messages():
            if (outcome := found.get(ref)) is not None:
                tally.add(outcome.status, ref, is_silence=outcome.is_silence)
        self.calls_left -= 1
        return not self.calls_left

    def answer(self, error: Exception | None = None) -> datetime | None:
        """
        End the poll, and hand over what it has read.

        :param error: what it failed with.
        :return: when to poll next, or None for no more.
        """
        if self.state is State.ENDED:
            return None
        tally, self._tally = self.tally, None
        self.poll_number += 1
        # A copy, for each wait keeps or raises its own: raising adds to an exception.
        error = copy.copy(error)
        try:
            if not tally.end(error) and error is not None:
                self._end_with(error)
                return None
            due = self.context.run(self.answered, tally)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is the wait's to raise
            self._end_with(failure)
            return None
        if due is None:
            self._step(Step.FINISH)
            self.outcome.set_result(None)
        else:
            self._step(Step.POLL_AGAIN)
        return due

    def move(self, due: datetime) -> None:
        """
        End here, to go on elsewhere. What the poll under way has read is dropped.

        :param due: when to poll next; aware.
        """
        if self.state is State.ENDED:
            return
        if self._tally is not None:
            self._tally.end(SMSPartnerUnavailableError())
            self._tally = None
        self._step(Step.MOVE)
        self.outcome.set_result(due)

    def fail(self, error: Exception) -> None:
        """
        End with an error.

        :param error: copied, since each subscriber raises its own.
        """
        if self.state is not State.ENDED:
            self._end_with(copy.copy(error))

    def _end_with(self, error: Exception) -> None:
        self._step(Step.FAIL)
        self.outcome.set_exception(error)

    def _step(self, step: Step) -> None:
        try:
            self._state = TRANSITIONS[self.state, step]
        except KeyError:
            raise ImpossibleStepError(f"{step.name} while {self.state.name}") from None


def still_wanted(subscribers: Mapping[Subscriber, int]) -> list[Subscriber]:
    """
    Return the subscribers for which the answer to a call still counts.

    :param subscribers: those that the call was sent for, each with the number of its poll.
    """
    return [subscriber for subscriber, number in subscribers.items() if subscriber.wants(number)]


def polls_of(subscribers: Iterable[Subscriber]) -> dict[Subscriber, int]:
    """Return subscribers with the numbers of their polls."""
    return {subscriber: subscriber.poll_number for subscriber in subscribers}
