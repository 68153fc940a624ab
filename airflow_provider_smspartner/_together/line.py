"""The line that waits stand in between their polls: who is due, and who goes along."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from datetime import UTC, datetime
from operator import attrgetter

from airflow_provider_smspartner._together.ask import FULL, Ask

# How many waits go out before the event loop gets its turn.
_ASKS_AT_ONCE = 2_000

_due_of = attrgetter("due")


class Line:
    """Waits in the order in which they are due."""

    def __init__(self) -> None:
        self._asks: list[Ask] = []
        self._by_tag: defaultdict[str, set[Ask]] = defaultdict(set)
        self.first_changed = asyncio.Event()
        """Set once another wait is the first."""

    @property
    def first_due(self) -> float | None:
        """When the first is due, in the event loop's time, or None where nobody stands in line."""
        return self._asks[0].due if self._asks else None

    def join(self, ask: Ask, due: datetime) -> None:
        """
        Let a wait line up.

        :param due: when it is to poll at the latest, aware.
        """
        now, delay = asyncio.get_running_loop().time(), (due - datetime.now(UTC)).total_seconds()
        ask.due, ask.joins_from = now + delay, now + delay / 2
        insort(self._asks, ask, key=_due_of)
        if ask.tag is not None:
            self._by_tag[ask.tag].add(ask)
        if self._asks[0] is ask:
            self.first_changed.set()

    def leave(self, ask: Ask) -> None:
        """Take a wait out of the line, if it stands there."""
        for at in range(bisect_left(self._asks, ask.due, key=_due_of), len(self._asks)):
            if self._asks[at] is ask:
                del self._asks[at]
                self._leave_tag(ask)
                return
            if self._asks[at].due > ask.due:
                return

    def take_all(self) -> list[Ask]:
        """Take everybody out of the line."""
        taken, self._asks = self._asks, []
        self._by_tag.clear()
        return taken

    def take_due(self) -> list[Ask]:
        """Take what is due out of the line, and what goes along with it."""
        now = asyncio.get_running_loop().time()
        end = min(bisect_right(self._asks, now, key=_due_of), _ASKS_AT_ONCE)
        taken, self._asks = self._asks[:end], self._asks[end:]
        tags = {ask.tag for ask in taken if ask.tag is not None}
        along = {ask for tag in tags for ask in self._by_tag[tag] if ask.joins_from <= now}.difference(taken)
        room = -sum(ask.size for ask in taken if ask.tag is None and ask.size < FULL) % FULL
        # The next in the line are the ones that gain most; a bounded look keeps the event loop free.
        for ask in self._asks[:room]:
            if ask.tag is None and ask.size <= room and ask.joins_from <= now:
                room -= ask.size
                along.add(ask)
        if along:
            taken += [ask for ask in self._asks if ask in along]
            self._asks = [ask for ask in self._asks if ask not in along]
        for ask in taken:
            self._leave_tag(ask)
        return taken

    def _leave_tag(self, ask: Ask) -> None:
        if ask.tag is not None:
            others = self._by_tag[ask.tag]
            others.discard(ask)
            if not others:
                del self._by_tag[ask.tag]
