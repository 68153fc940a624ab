"""Shared polls: sends what is due, and gives each wait its own answers."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, suppress
from contextvars import Context, copy_context
from datetime import datetime
from typing import Any, Protocol, TypeVar

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._campaign import Reading, Wait
from airflow_provider_smspartner._together.ask import FULL, Ask, Chunk, chunks_of
from airflow_provider_smspartner._together.line import Line
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerRequestError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, to_ref

T = TypeVar("T")

# How long what is due waits for more: triggers that a restarted triggerer takes up arrive one after the other.
_GATHER_SECONDS = 0.05

# How many waits are answered before the event loop gets its turn.
ANSWERS_AT_ONCE = 25


class Client(Protocol):
    """What sends calls."""

    async def send(self, call: protocol.Call[T]) -> T:
        """Send a call and read its answer."""

    def send_in_order(self, calls: Iterator[protocol.Call[T]]) -> AsyncGenerator[T, None]:
        """Send calls, a few of them in flight, and give their results in order."""

    async def close(self) -> None:
        """Close the connections."""


class SharedPolls:
    """
    The polls of all waits that use one connection on one event loop.

    :param open_client: opens what sends the calls.
    """

    def __init__(self, open_client: Callable[[], Coroutine[Any, Any, Client]]) -> None:
        self._open_client = open_client
        self._line = Line()
        self._open: set[Ask] = set()
        self._waiting_page: dict[str, int] = {}
        self._answering = asyncio.Lock()
        self._dispatcher: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self.users = 0

    async def poll(self, wait: Wait, due: datetime, answered: Callable[[Reading], datetime | None]) -> None:
        """
        Poll again and again, together with others, for as long as the wait wants to.

        :param wait: whose polls these are.
        :param due: when to poll first, at the latest; aware.
        :param answered: takes each poll's reading, and gives when to poll next at the latest, or None for no more.
        :raises SMSPartnerError: if a poll failed for good; no other wait's trouble is this one's.
        """
        ask = Ask(wait, answered, copy_context(), asyncio.get_running_loop().create_future())
        self._open.add(ask)
        self._line.join(ask, due)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = self._start(self._dispatch())
        try:
            await ask.done
        finally:
            self._open.discard(ask)
            self._line.leave(ask)

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        tasks = [*self._calls, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In no wait's context: what is logged here is of no single task.
        return asyncio.get_running_loop().create_task(work, context=Context())

    async def _dispatch(self) -> None:
        client = None
        try:
            client = await self._open_client()
            while True:
                await self._until_due()
                for work in self._plan(client, self._line.take_due()):
                    task = self._start(work)
                    self._calls.add(task)
                    task.add_done_callback(self._calls.discard)
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            for ask in self._open:
                ask.fail(error)
        finally:
            if client is not None:
                await client.close()

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while (due := self._line.first_due) is None or due > loop.time():
            self._line.first_changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._line.first_changed.wait()
        await asyncio.sleep(_GATHER_SECONDS)

    def _plan(self, client: Client, taken: list[Ask]) -> Iterator[Coroutine[Any, Any, None]]:
        """Give the work that answers what was taken out of the line."""
        by_tag: defaultdict[str, dict[Ask, int]] = defaultdict(dict)
        lists: list[Ask] = []
        for ask in taken:
            if ask.tag is not None:
                by_tag[ask.tag][ask] = ask.turn
            elif not ask.size:
                self._answer(ask)  # all its messages are final: there is nothing to ask for
            elif ask.size >= FULL:
                yield self._read_long_list(client, ask)
            else:
                lists.append(ask)
        for tag, asks in by_tag.items():
            yield self._read_tag(client, tag, asks)
        for chunk in chunks_of(lists):
            yield self._read_chunk(client, chunk)

    def _answer(self, ask: Ask, error: Exception | None = None) -> None:
        if (due := ask.answer(error)) is not None:
            self._line.join(ask, due)

    async def _answer_all(
        self,
        asks: Mapping[Ask, int],
        error: Exception | None = None,
        *,
        found: Mapping[MessageRef, DeliveryStatus] | None = None,
    ) -> None:
        # One call's waits after the other's, or many calls would together hold the event loop up.
        async with self._answering:
            for position, (ask, turn) in enumerate(asks.items(), start=1):
                if not ask.done.done() and ask.turn == turn and (found is None or ask.add(found)):
                    self._answer(ask, error)
                if not position % ANSWERS_AT_ONCE:
                    await asyncio.sleep(0)

    async def _read_chunk(self, client: Client, chunk: Chunk) -> None:
        try:
            statuses = await client.send(next(protocol.batches(chunk.refs)))
        except (SMSPartnerRequestError, SMSPartnerNotFoundError) as error:
            if len(chunk.asks) == 1:
                await self._answer_all(chunk.asks, error)
                return
            # What the vendor refuses may be one wait's alone: ask for each half by itself.
            await asyncio.gather(*(self._read_chunk(client, half) for half in chunk.halves()))
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(chunk.asks, error)
        else:
            found = {ref: status.status for ref, status in zip(chunk.refs, statuses, strict=True)}
            await self._answer_all(chunk.asks, found=found)

    async def _read_long_list(self, client: Client, ask: Ask) -> None:
        """Ask for a list that fills calls by itself, a few of them in flight."""
        refs, reading = iter(ask.wait.watch.messages), ask.begin()
        try:
            async with aclosing(client.send_in_order(protocol.batches(refs))) as batches:
                async for batch in batches:
                    if ask.done.done():
                        return  # cancelled
                    for status in batch:
                        reading.add(status.status, to_ref((status.phone_number, status.message_id or "")))
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            self._answer(ask, error)
        else:
            self._answer(ask)

    async def _read_tag(self, client: Client, tag: str, asks: Mapping[Ask, int]) -> None:
        try:
            counts = await self._count_tag(client, tag, whole=any(ask.wait.needs_whole_tag for ask in asks))
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(asks, error)
            return
        for ask in asks:
            if isinstance(counts, int):
                ask.begin().stop_at_waiting(page=counts)
            else:
                ask.begin().add_counts(counts)
        await self._answer_all(asks)

    async def _count_tag(self, client: Client, tag: str, *, whole: bool) -> Counter[DeliveryStatus] | int:
        """Count a tag's statuses, or give the number of the page that still shows Waiting."""
        seen = self._waiting_page.pop(tag, 1)
        if seen > 1 and not whole:
            page = await client.send(protocol.tag_page(tag, seen))
            if page.number == seen and _shows_waiting(page):
                self._waiting_page[tag] = seen
                return seen
        counts: Counter[DeliveryStatus] = Counter()
        pages = protocol.status_by_tag(tag)
        call: protocol.Call[protocol.TagPage] | None = next(pages)
        number = 0
        while call is not None:
            number += 1
            page = await client.send(call)
            call = protocol.following(pages, page)
            counts.update(status.status for status in page.rows)
            if call is not None and not whole and _shows_waiting(page):
                self._waiting_page[tag] = number
                return number
        return counts


def _shows_waiting(page: protocol.TagPage) -> bool:
    return any(status.status is DeliveryStatus.WAITING for status in page.rows)
