"""Who is due to poll, and who polls along with them."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from datetime import datetime
from operator import attrgetter

from airflow_provider_smspartner._shared_polls.subscriber import Subscriber
from airflow_provider_smspartner.protocol import MAX_MESSAGES_PER_CALL

_MOST_AT_ONCE = 2_000
"""How many waits are taken before the event loop gets its turn."""

_due_of = attrgetter("due_at")


class Schedule:
    """The waits between their polls, in the order in which they are due."""

    def __init__(self) -> None:
        self._waiting: list[Subscriber] = []
        self._by_tag: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self.first_changed = asyncio.Event()
        """Set once another wait is the first."""

    @property
    def first_due(self) -> float | None:
        """When the first wait is due, in the event loop's time, or None if there is none."""
        return self._waiting[0].due_at if self._waiting else None

    def add(self, subscriber: Subscriber, due: datetime) -> None:
        """
        Add a wait.

        :param subscriber: the wait.
        :param due: when it is to poll at the latest, aware. After half of the time until then it may poll along.
        """
        now, delay = asyncio.get_running_loop().time(), (due - subscriber.wait.now()).total_seconds()
        subscriber.due_at, subscriber.joins_from = now + delay, now + delay / 2
        insort(self._waiting, subscriber, key=_due_of)
        if subscriber.tag is not None:
            self._by_tag[subscriber.tag].add(subscriber)
        if self._waiting[0] is subscriber:
            self.first_changed.set()

    def remove(self, subscriber: Subscriber) -> None:
        """
        Remove a wait, if it is there.

        :param subscriber: the wait.
        """
        for at in range(bisect_left(self._waiting, subscriber.due_at, key=_due_of), len(self._waiting)):
            if self._waiting[at] is subscriber:
                del self._waiting[at]
                self._remove_tag(subscriber)
                return
            if self._waiting[at].due_at > subscriber.due_at:
                return

    def take_all(self) -> list[Subscriber]:
        """Remove all waits, and return them."""
        taken, self._waiting = self._waiting, []
        self._by_tag.clear()
        return taken

    def take_due(self) -> list[Subscriber]:
        """
        Remove the waits that are due and those that poll along with them, and return them.

        All waits for the tag of a due one poll along, and as many others as the last call of a list has room for.
        """
        now = asyncio.get_running_loop().time()
        end = min(bisect_right(self._waiting, now, key=_due_of), _MOST_AT_ONCE)
        taken, self._waiting = self._waiting[:end], self._waiting[end:]
        tags = {each.tag for each in taken if each.tag is not None}
        along = {other for tag in tags for other in self._by_tag[tag] if other.joins_from <= now}
        along.difference_update(taken)
        messages = sum(each.size for each in taken if each.tag is None and each.size < MAX_MESSAGES_PER_CALL)
        room = -messages % MAX_MESSAGES_PER_CALL
        # The next ones that are due gain most. Only as many are looked at as there is room, for the loop's sake.
        for other in self._waiting[:room]:
            if other.tag is None and other.size <= room and other.joins_from <= now:
                room -= other.size
                along.add(other)
        if along:
            taken += [each for each in self._waiting if each in along]
            self._waiting = [each for each in self._waiting if each not in along]
        for each in taken:
            self._remove_tag(each)
        return taken

    def _remove_tag(self, subscriber: Subscriber) -> None:
        if subscriber.tag is not None:
            others = self._by_tag[subscriber.tag]
            others.discard(subscriber)
            if not others:
                del self._by_tag[subscriber.tag]
