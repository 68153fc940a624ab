"""What one wait asks of the shared polls, and what is asked in one call for several of them."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef

FULL = protocol.MAX_MESSAGES_PER_CALL


@dataclass(eq=False, slots=True)
class Ask:
    """
    A wait that stands in the line, or whose poll is on its way.

    :param wait: whose polls these are.
    :param answered: takes each tally, and says when to poll next.
    :param context: where `answered` is called: the wait's own, which its log lines belong to.
    :param done: once there is no next poll here, or one has failed; its result is when to poll elsewhere, where the
        connection has changed, or None.
    :param deadline_at: when the wait times out, in the event loop's time.
    :param due: when to poll at the latest, in the event loop's time.
    :param joins_from: when to poll at the earliest, along with another.
    :param tally: takes the answers of the poll that is on its way.
    :param parts: calls of that poll that are still to answer.
    :param turn: the number of that poll: once one call has ended it, the answers of the others are nobody's.
    :param cut_at: until when that poll may take, in the event loop's time.
    """

    wait: Wait
    answered: Callable[[Tally], datetime | None]
    context: Context
    done: asyncio.Future[datetime | None]
    deadline_at: float
    due: float = 0.0
    joins_from: float = 0.0
    tally: Tally | None = None
    parts: int = 0
    turn: int = 0
    cut_at: float = 0.0

    @property
    def tag(self) -> str | None:
        return self.wait.campaign.tag

    @property
    def size(self) -> int:
        return len(self.wait.campaign.messages)

    def begin(self) -> Tally:
        # Not before there is something to read: what lives through a call weighs on the collector.
        if self.tally is None:
            self.tally = self.wait.tally()
        return self.tally

    def refs(self) -> list[MessageRef]:
        """Give the messages to ask for; none where they can't be read, and then the wait has failed."""
        try:
            return list(self.wait.campaign.messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this wait's trouble and no other's
            self.fail(error)
            return []

    def add(self, found: Mapping[MessageRef, DeliveryStatus]) -> bool:
        """Add what one call has found, and tell whether it was the last."""
        tally = self.begin()
        for ref in self.refs():
            if (status := found.get(ref)) is not None:
                tally.add(status, ref)
        self.parts -= 1
        return not self.parts

    def answer(self, error: Exception | None) -> datetime | None:
        """
        Hand the tally over, unless nobody waits for it any more.

        :param error: what it failed with.
        :return: when to poll next, or None for no more.
        """
        if self.done.done():
            return None
        tally, self.tally = self.begin(), None
        self.turn += 1
        # A copy, for each wait keeps or raises its own: raising adds to an exception.
        error = copy.copy(error)
        try:
            if not tally.end(error) and error is not None:
                self.done.set_exception(error)
                return None
            due = self.context.run(self.answered, tally)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is the wait's to raise
            self.done.set_exception(failure)
            return None
        if due is None:
            self.done.set_result(None)
        return due

    def move(self, due: datetime) -> None:
        """
        End the polls here, to go on elsewhere. What the poll that is on its way has read is dropped.

        :param due: when to poll next; aware.
        """
        if self.done.done():
            return
        if self.tally is not None:
            self.tally.end(SMSPartnerUnavailableError())
            self.tally = None
        self.turn += 1
        self.done.set_result(due)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(copy.copy(error))


@dataclass(slots=True)
class Chunk:
    """
    A call, and for whom it is: both in order, each once.

    :param refs: the messages to ask for.
    :param asks: the waits that some of them belong to, and which of its polls it is for each.
    """

    refs: dict[MessageRef, None] = field(default_factory=dict)
    asks: dict[Ask, int] = field(default_factory=dict)

    @property
    def wanted(self) -> list[Ask]:
        """The waits that still want this call's answer."""
        return still_wanted(self.asks)

    def of(self, asks: Iterable[Ask]) -> Chunk:
        """Return the part of the call that is for these waits."""
        asks = list(asks)
        wanted = {ref for ask in asks for ref in ask.refs()}
        return Chunk(
            dict.fromkeys(ref for ref in self.refs if ref in wanted), {ask: self.asks[ask] for ask in asks}
        )

    def halves(self) -> Iterator[Chunk]:
        """Yield the call in two: each for half of the waits that still want it."""
        asks = self.wanted
        middle = len(asks) // 2
        for half in filter(None, (asks[:middle], asks[middle:])):
            yield self.of(half)


def still_wanted(asks: Mapping[Ask, int]) -> list[Ask]:
    """
    Return the waits that still want an answer.

    :param asks: waits, and which of its polls the answer is for.
    """
    return [ask for ask, turn in asks.items() if ask.turn == turn and not ask.done.done()]


def chunks_of(asks: Iterable[Ask]) -> list[Chunk]:
    """Put the asks' messages into calls, each message once."""
    chunks: list[Chunk] = []
    homes: dict[MessageRef, Chunk] = {}
    for ask in asks:
        parts: set[int] = set()
        for ref in ask.refs():
            home = homes.get(ref)
            if home is None:
                if not chunks or len(chunks[-1].refs) == FULL:
                    chunks.append(Chunk())
                home = homes[ref] = chunks[-1]
            home.refs[ref] = None
            home.asks[ask] = ask.turn
            parts.add(id(home))
        ask.parts = len(parts)
    return chunks
