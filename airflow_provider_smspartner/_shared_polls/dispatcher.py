"""Sends the calls of those who are due, and gives each wait its own answers."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, suppress
from contextvars import Context, copy_context
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http.in_order import in_order
from airflow_provider_smspartner._http.paging import abegin_anew, aread_pages
from airflow_provider_smspartner._shared_polls.refusals import ask_by_parts
from airflow_provider_smspartner._shared_polls.schedule import Schedule
from airflow_provider_smspartner._shared_polls.sender import Client, ConnectionChangedError, Sender
from airflow_provider_smspartner._shared_polls.shared_call import SharedCall, shared_calls
from airflow_provider_smspartner._shared_polls.subscriber import State, Subscriber, polls_of, still_wanted
from airflow_provider_smspartner._shared_polls.waiters import AT_ONCE
from airflow_provider_smspartner._waiting.tally import Tally, out_of_time
from airflow_provider_smspartner._waiting.wait import OVERTIME_SECONDS, Wait
from airflow_provider_smspartner.exceptions import SMSPartnerRequestError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, Outcome, to_ref

_GATHER_SECONDS = 0.05
"""How long a due wait waits for others: a restarted triggerer takes up its triggers one after the other."""

_SWEEP_SECONDS = 0.25
"""How often the polls under way are looked through for those that are out of time."""


async def _never_changes(_: float, __: bool) -> bool:
    return False


class SharedPolls:
    """
    The polls of all waits that use one connection on one event loop.

    :param open_client: opens what sends the calls.
    :param tries: tries of one call, the first included.
    :param in_flight: calls on their way at once.
    :param has_changed: looks up, after a call has failed, whether the connection says something else by now. It takes
        when the call was sent, and whether that must be known; it raises if it must be known and cannot be.
    """

    def __init__(
        self,
        open_client: Callable[[], Coroutine[Any, Any, Client]],
        *,
        tries: int = 5,
        in_flight: int = 4,
        has_changed: Callable[[float, bool], Coroutine[Any, Any, bool]] = _never_changes,
    ) -> None:
        self._in_flight = in_flight
        self._sender = Sender(
            open_client,
            tries=tries,
            in_flight=in_flight,
            has_changed=has_changed,
            on_change=lambda: self._work(self._move_scheduled()),
        )
        self._schedule = Schedule()
        self._subscribers: set[Subscriber] = set()
        self._polling: set[Subscriber] = set()
        self._some_polling = asyncio.Event()
        self._waits_by_tag: Counter[str] = Counter()
        self._waiting_page: dict[str, int] = {}
        self._answering = asyncio.Lock()
        self._dispatcher: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._works: set[asyncio.Task[None]] = set()

    @property
    def is_over(self) -> bool:
        """Whether the connection has changed: the waits go on elsewhere."""
        return self._sender.is_over

    async def poll(
        self, wait: Wait, due: datetime, answered: Callable[[Tally], datetime | None]
    ) -> datetime | None:
        """
        Poll again and again, together with others, for as long as the wait wants to.

        :param wait: whose polls these are.
        :param due: when to poll first, at the latest; aware.
        :param answered: takes each poll's tally, and returns when to poll next at the latest, or None for no more.
        :return: None once there is no next poll, or when to poll next with what the connection says by now.
        :raises SMSPartnerError: if a poll failed for good; no other wait's trouble is this one's.
        """
        if self.is_over:
            return due
        loop = asyncio.get_running_loop()
        deadline_at = loop.time() + wait.seconds_left
        subscriber = Subscriber(wait, answered, copy_context(), loop.create_future(), deadline_at)
        self._subscribers.add(subscriber)
        if subscriber.tag is not None:
            self._waits_by_tag[subscriber.tag] += 1
        self._schedule.add(subscriber, due)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = self._start(self._dispatch())
        if self._sweeper is None:
            self._sweeper = self._start(self._sweep())
        try:
            return await subscriber.outcome
        finally:
            self._forget(subscriber)

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        tasks = [*self._works, *filter(None, (self._dispatcher, self._sweeper))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In no wait's context: what is logged here is of no single task.
        return asyncio.get_running_loop().create_task(work, context=Context())

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._start(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)

    async def _dispatch(self) -> None:
        try:
            await self._sender.open()
            while True:
                await self._until_due()
                for position, work in enumerate(self._plan(self._take_due()), start=1):
                    self._work(work)
                    if not position % AT_ONCE:
                        await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            self._fail_all(error)
            await self._sender.close()
            # Nobody serves those either that have joined while the connections were being closed.
            self._fail_all(error)
        finally:
            await self._sender.close()

    def _fail_all(self, error: Exception) -> None:
        for subscriber in self._subscribers:
            subscriber.fail(error)

    def _take_due(self) -> list[Subscriber]:
        now = asyncio.get_running_loop().time()
        # One that was cancelled a moment ago may not have left the schedule yet.
        taken = [each for each in self._schedule.take_due() if each.state is State.SCHEDULED]
        for subscriber in taken:
            subscriber.take(now)
        self._polling.update(taken)
        self._some_polling.set()
        return taken

    async def _sweep(self) -> None:
        """End polls whose time is over, however long their calls still take."""
        loop = asyncio.get_running_loop()
        while True:
            await self._some_polling.wait()
            await asyncio.sleep(_SWEEP_SECONDS)
            now = loop.time()
            # During an outage no answer is about to come: the deadline alone counts.
            overdue = now - OVERTIME_SECONDS if self._sender.is_failing else -math.inf
            late = [each for each in self._polling if each.ends_at < now or each.deadline_at < overdue]
            if late:
                await self._answer_all(polls_of(late), out_of_time())
            if not self._polling:
                self._some_polling.clear()

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while (due := self._schedule.first_due) is None or due > loop.time():
            self._schedule.first_changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._schedule.first_changed.wait()
        await asyncio.sleep(_GATHER_SECONDS)

    def _plan(self, taken: list[Subscriber]) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield the work that the polls of these waits take."""
        by_tag: defaultdict[str, dict[Subscriber, int]] = defaultdict(dict)
        lists: list[Subscriber] = []
        for subscriber in taken:
            if subscriber.tag is not None:
                by_tag[subscriber.tag][subscriber] = subscriber.poll_number
            elif not subscriber.size:
                self._answer(subscriber)  # all its messages are final: there is nothing to ask for
            elif subscriber.size >= protocol.MAX_MESSAGES_PER_CALL:
                yield self._ask_for_long_list(subscriber)
            else:
                lists.append(subscriber)
        for tag, subscribers in by_tag.items():
            yield self._ask_for_tag(tag, subscribers)
        for shared in shared_calls(lists):
            yield self._ask_for_shared(shared)

    def _answer(self, subscriber: Subscriber, error: Exception | None = None) -> None:
        self._polling.discard(subscriber)
        if isinstance(error, ConnectionChangedError):
            subscriber.move(subscriber.wait.now())
        elif (due := subscriber.answer(error)) is None:
            return
        elif self.is_over:
            subscriber.move(due)
        else:
            self._schedule.add(subscriber, due)

    async def _answer_all(
        self,
        subscribers: Mapping[Subscriber, int],
        error: Exception | None = None,
        *,
        found: Mapping[MessageRef, Outcome] | None = None,
    ) -> None:
        # The waits of one call after those of another: many calls together would hold up the event loop.
        async with self._answering:
            for position, (subscriber, poll_number) in enumerate(subscribers.items(), start=1):
                if subscriber.wants(poll_number) and (found is None or subscriber.add(found)):
                    self._answer(subscriber, error)
                if not position % AT_ONCE:
                    await asyncio.sleep(0)

    async def _move_scheduled(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._answering:
            for position, subscriber in enumerate(self._schedule.take_all(), start=1):
                pause = timedelta(seconds=subscriber.due_at - loop.time())
                subscriber.move(subscriber.wait.now() + pause)
                if not position % AT_ONCE:
                    await asyncio.sleep(0)

    async def _ask_for_shared(self, shared: SharedCall) -> None:
        await ask_by_parts(
            shared,
            ask=self._ask,
            refuse=lambda part, refusal: self._answer_all(part.subscribers, refusal),
        )

    async def _ask(self, shared: SharedCall) -> SMSPartnerRequestError | None:
        """Send a call and answer its waits, or return the refusal."""
        if not shared.messages:
            return None
        (call,) = protocol.batches(shared.messages)
        try:
            statuses = await self._sender.send(call, shared.subscribers)
        except SMSPartnerRequestError as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(shared.subscribers, error)
            return None
        found = {ref: status.outcome for ref, status in zip(shared.messages, statuses, strict=True)}
        await self._answer_all(shared.subscribers, found=found)
        return None

    async def _ask_for_long_list(self, subscriber: Subscriber) -> None:
        """Ask for a list that is long enough for calls of its own, a few of them in flight."""
        tally, poll = subscriber.tally, polls_of([subscriber])
        calls = protocol.batches(iter(subscriber.wait.campaign.messages))
        batches = in_order(lambda call: self._sender.send(call, poll), calls, in_flight=self._in_flight)
        try:
            async with aclosing(batches):
                async for batch in batches:
                    if not still_wanted(poll):
                        return  # cancelled, or out of time
                    for status in batch:
                        ref = to_ref((status.phone_number, status.message_id or ""))
                        tally.add(status.status, ref, is_silence=status.outcome.is_silence)
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(poll, error)
        else:
            await self._answer_all(poll)

    async def _ask_for_tag(self, tag: str, subscribers: Mapping[Subscriber, int]) -> None:
        try:
            counted = await self._count_tag(tag, subscribers)
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(subscribers, error)
            return
        for subscriber in still_wanted(subscribers):
            subscriber.tally.add_counts(counted.counts)
            if counted.waiting_on_page is not None:
                subscriber.tally.stop_at_waiting(page=counted.waiting_on_page, total=counted.total)
        await self._answer_all(subscribers)

    async def _count_tag(self, tag: str, subscribers: Mapping[Subscriber, int]) -> _Counted:
        """Count a tag's statuses, or those up to the first page that still shows Waiting."""
        return await abegin_anew(lambda: self._read_tag(tag, subscribers))

    async def _read_tag(self, tag: str, subscribers: Mapping[Subscriber, int]) -> _Counted:
        whole = any(subscriber.wait.needs_whole_tag for subscriber in subscribers)
        seen = self._waiting_page.pop(tag, 1)
        if seen > 1 and not whole:
            page = await self._sender.send(protocol.tag_page(tag, seen), subscribers)
            if page.number == seen and _shows_waiting(page):
                self._note_page(tag, seen)
                return _Counted(page.counts, page.total, seen)
        counts: Counter[DeliveryStatus] = Counter()
        number = 0
        async with aclosing(aread_pages(lambda call: self._sender.send(call, subscribers), tag)) as pages:
            async for page, is_last in pages:
                number += 1
                counts.update(page.counts)
                if not is_last and not whole and _shows_waiting(page):
                    self._note_page(tag, number)
                    return _Counted(counts, page.total, number)
        return _Counted(counts, counts.total())

    def _note_page(self, tag: str, number: int) -> None:
        # Its waits may have ended while it was read.
        if self._waits_by_tag[tag]:
            self._waiting_page[tag] = number

    def _forget(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)
        self._polling.discard(subscriber)
        self._schedule.remove(subscriber)
        if (tag := subscriber.tag) is not None:
            self._waits_by_tag[tag] -= 1
            if not self._waits_by_tag[tag]:
                del self._waits_by_tag[tag]
                self._waiting_page.pop(tag, None)


class _Counted(NamedTuple):
    """What was counted of a tag, and the page on which that ended, unless it is whole."""

    counts: Counter[DeliveryStatus]
    total: int
    waiting_on_page: int | None = None


def _shows_waiting(page: protocol.TagPage) -> bool:
    return DeliveryStatus.WAITING in page.counts
