"""
Waits of one connection poll together: what is due is asked for at once, and each wait gets its own answers.

One event loop holds one `SharedPolls` for each connection and its settings. A wait says what it asks for and when it
is due; once the first is due, all that is due goes out with it, 500 messages a call and one reading a tag. What room
the last call has left is filled with waits that are due later, once half of what they wanted to wait has passed: that
costs nothing, and soon lets them all poll in step.
"""

from __future__ import annotations

import asyncio
import copy
import heapq
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._connection import Settings
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerRequestError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef

if TYPE_CHECKING:
    from airflow_provider_smspartner._campaign import Reading, Wait

T = TypeVar("T")

# How long what is due waits for more: triggers that a restarted triggerer takes up arrive one after the other.
_GATHER_SECONDS = 0.05

# How many waits are answered before the event loop gets its turn.
_ANSWERS_AT_ONCE = 25

_FULL = protocol.MAX_MESSAGES_PER_CALL


class Client(Protocol):
    """What sends calls."""

    async def send(self, call: protocol.Call[T]) -> T:
        """Send a call and read its answer."""

    def send_in_order(self, calls: Iterator[protocol.Call[T]]) -> AsyncGenerator[T, None]:
        """Send calls, a few of them in flight, and give their results in order."""

    async def close(self) -> None:
        """Close the connections."""


@dataclass(eq=False, slots=True)
class _Ask:
    """
    A poll that a wait asks for.

    :param reading: takes the answers.
    :param wait: whose poll it is.
    :param due: when it must be sent, in the event loop's time.
    :param joins_from: when it may be sent along with another.
    :param answered: done once the reading is whole, or has failed.
    :param taken: on its way.
    :param parts: calls that are still to answer.
    """

    reading: Reading
    wait: Wait
    due: float
    joins_from: float
    answered: asyncio.Future[None]
    taken: bool = False
    parts: int = 0

    @property
    def tag(self) -> str | None:
        return self.wait.watch.tag

    @property
    def size(self) -> int:
        return len(self.wait.watch.messages)

    def take(self) -> bool:
        """Take it on its way, unless it is already, or nobody waits for it any more."""
        taken = not self.taken and not self.answered.done()
        self.taken = self.taken or taken
        return taken

    def part_done(self) -> None:
        self.parts -= 1
        if not self.parts:
            self.finish()

    def finish(self) -> None:
        if not self.answered.done():
            self.answered.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.answered.done():
            # A copy, for each wait raises its own: raising adds to an exception.
            self.answered.set_exception(copy.copy(error))


_Chunk = dict["MessageRef", list[_Ask]]


class SharedPolls:
    """
    The polls of all waits that use one connection on one event loop.

    :param open_client: opens what sends the calls.
    """

    def __init__(self, open_client: Callable[[], Coroutine[Any, Any, Client]]) -> None:
        self._open_client = open_client
        self._queue: list[tuple[float, int, _Ask]] = []
        self._order = count()
        self._open: set[_Ask] = set()
        self._by_tag: defaultdict[str, set[_Ask]] = defaultdict(set)
        self._waiting_page: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self.users = 0

    async def read(self, reading: Reading, wait: Wait, due: datetime) -> None:
        """
        Read a wait's poll once it is due, together with others.

        :param reading: takes the answers.
        :param wait: whose poll it is.
        :param due: when to poll at the latest, aware.
        :raises SMSPartnerError: if the poll failed; no other wait's trouble is this one's.
        """
        loop = asyncio.get_running_loop()
        now, delay = loop.time(), (due - datetime.now(UTC)).total_seconds()
        ask = _Ask(reading, wait, now + delay, now + delay / 2, loop.create_future())
        self._open.add(ask)
        if ask.tag is not None:
            self._by_tag[ask.tag].add(ask)
        heapq.heappush(self._queue, (ask.due, next(self._order), ask))
        self._changed.set()
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = self._start(self._dispatch())
        try:
            await ask.answered
        finally:
            self._open.discard(ask)
            if ask.tag is not None:
                self._forget(ask.tag, ask)

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        tasks = [*self._calls, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, tag: str, ask: _Ask) -> None:
        self._by_tag[tag].discard(ask)
        if not self._by_tag[tag]:
            del self._by_tag[tag]

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In no wait's context: what is logged here is of no single task.
        return asyncio.get_running_loop().create_task(work, context=Context())

    async def _dispatch(self) -> None:
        client = None
        try:
            client = await self._open_client()
            while True:
                await self._until_due()
                for work in self._plan(client):
                    task = self._start(work)
                    self._calls.add(task)
                    task.add_done_callback(self._calls.discard)
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            for ask in self._open:
                ask.fail(error)
            self._queue.clear()
        finally:
            if client is not None:
                await client.close()

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._queue or self._queue[0][0] > loop.time():
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._queue[0][0] if self._queue else None):
                    await self._changed.wait()
        await asyncio.sleep(_GATHER_SECONDS)

    def _plan(self, client: Client) -> Iterator[Coroutine[Any, Any, None]]:
        """Give the work that is due, and what goes along with it."""
        now = asyncio.get_running_loop().time()
        lists: list[_Ask] = []
        while self._queue and self._queue[0][0] <= now:
            ask = heapq.heappop(self._queue)[2]
            if not ask.take():
                continue
            if ask.tag is None and not ask.size:
                ask.finish()  # all its messages are final: there is nothing to ask for
            elif ask.tag is not None:
                joining = [
                    other for other in self._by_tag[ask.tag] if other.joins_from <= now and other.take()
                ]
                yield self._read_tag(client, ask.tag, [ask, *joining])
            elif ask.size >= _FULL:
                yield self._read_long_list(client, ask)
            else:
                lists.append(ask)
        room = -sum(ask.size for ask in lists) % _FULL
        # The next in the queue are the ones that gain most; a bounded look keeps the event loop free.
        for _, _, ask in heapq.nsmallest(room, self._queue) if room else ():
            if ask.tag is None and ask.size <= room and ask.joins_from <= now and ask.take():
                room -= ask.size
                lists.append(ask)
        for chunk in _chunks(lists):
            yield self._read_chunk(client, chunk)

    async def _read_chunk(self, client: Client, chunk: _Chunk) -> None:
        asks = list(dict.fromkeys(ask for asking in chunk.values() for ask in asking))
        try:
            statuses = await client.send(next(protocol.batches(chunk)))
        except (SMSPartnerRequestError, SMSPartnerNotFoundError) as error:
            if len(asks) == 1:
                asks[0].fail(error)
                return
            # What the vendor refuses may be one wait's alone: ask for each half by itself.
            half = set(asks[: len(asks) // 2])
            await asyncio.gather(
                self._read_chunk(client, _only(chunk, half)),
                self._read_chunk(client, _only(chunk, set(asks) - half)),
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            for ask in asks:
                ask.fail(error)
        else:
            for (ref, asking), status in zip(chunk.items(), statuses, strict=True):
                for ask in asking:
                    ask.reading.add(status.status, ref)
            for position, ask in enumerate(asks, start=1):
                ask.part_done()
                if not position % _ANSWERS_AT_ONCE:
                    await asyncio.sleep(0)

    async def _read_long_list(self, client: Client, ask: _Ask) -> None:
        """Ask for a list that fills calls by itself, a few of them in flight."""
        refs = iter(ask.wait.watch.messages)
        try:
            async with aclosing(client.send_in_order(protocol.batches(refs))) as batches:
                async for batch in batches:
                    for status in batch:
                        ask.reading.add(status.status, MessageRef(status.phone_number, status.message_id))
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            ask.fail(error)
        else:
            ask.finish()

    async def _read_tag(self, client: Client, tag: str, asks: list[_Ask]) -> None:
        try:
            counts = await self._count_tag(client, tag, whole=any(ask.wait.needs_whole_tag for ask in asks))
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            for ask in asks:
                ask.fail(error)
            return
        for position, ask in enumerate(asks, start=1):
            if isinstance(counts, int):
                ask.reading.stop_at_waiting(page=counts)
            else:
                ask.reading.add_counts(counts)
            ask.finish()
            if not position % _ANSWERS_AT_ONCE:
                await asyncio.sleep(0)

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


def _chunks(asks: Iterable[_Ask]) -> list[_Chunk]:
    """Put the asks' messages into calls, each message once."""
    chunks: list[_Chunk] = []
    homes: dict[MessageRef, _Chunk] = {}
    for ask in asks:
        parts = set()
        for ref in ask.wait.watch.messages:
            home = homes.get(ref)
            if home is None:
                if not chunks or len(chunks[-1]) == _FULL:
                    chunks.append({})
                home = homes[ref] = chunks[-1]
            home.setdefault(ref, []).append(ask)
            parts.add(id(home))
        ask.parts = len(parts)
    return chunks


def _only(chunk: _Chunk, asks: set[_Ask]) -> _Chunk:
    kept = {ref: [ask for ask in asking if ask in asks] for ref, asking in chunk.items()}
    return {ref: asking for ref, asking in kept.items() if asking}


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, Settings], SharedPolls]] = (
    WeakKeyDictionary()
)


@asynccontextmanager
async def shared_polls(conn_id: str) -> AsyncIterator[SharedPolls]:
    """
    Take part in the polls of a connection on the running event loop.

    Each wait looks the connection up once. Waits that found it before and after a change share nothing.

    :param conn_id: the connection's id.
    :raises ValueError: if the connection is not as it should be.
    """
    from airflow_provider_smspartner._http.asynchronous import AsyncClient

    settings = Settings.of(await get_async_connection(conn_id))
    by_connection = _of_loop.setdefault(asyncio.get_running_loop(), {})
    key = (conn_id, settings)
    polls = by_connection.get(key)
    if polls is None:
        polls = by_connection[key] = SharedPolls(partial(AsyncClient.open, settings, conn_id))
    polls.users += 1
    try:
        yield polls
    finally:
        polls.users -= 1
        if not polls.users:
            del by_connection[key]
            await polls.close()
