"""
Waits of one connection poll together: what is due is asked for at once, and each wait gets its own answers.

One event loop holds one `SharedPolls` for each connection and its settings. A wait says what it asks for and when it
is due; once the first is due, all that is due goes out with it, 500 messages a call and one reading a tag. What room
the last call has left is filled with waits that are due later, once half of what they wanted to wait has passed: that
costs nothing, and soon lets them all poll in step.

Between its polls a wait is one object that stands in a line, and a poll leaves no new one behind: thousands of objects
that outlive each poll would make Python's collector search the whole heap again and again, and hold up the event loop
for as long as that takes.
"""

from __future__ import annotations

import asyncio
import copy
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._connection import Settings
from airflow_provider_smspartner._http import async_client
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerRequestError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, to_ref

if TYPE_CHECKING:
    from airflow_provider_smspartner._campaign import Reading, Wait

T = TypeVar("T")

# How long what is due waits for more: triggers that a restarted triggerer takes up arrive one after the other.
_GATHER_SECONDS = 0.05

# How many waits go out, and how many are answered, before the event loop gets its turn.
_ASKS_AT_ONCE = 2_000
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
    A wait that stands in the line, or whose poll is on its way.

    :param wait: whose polls these are.
    :param answered: takes each reading, and says when to poll next.
    :param context: where `answered` is called: the wait's own, which its log lines belong to.
    :param done: once there is no next poll, or one has failed.
    :param due: when to poll at the latest, in the event loop's time.
    :param joins_from: when to poll at the earliest, along with another.
    :param reading: takes the answers of the poll that is on its way.
    :param parts: calls of that poll that are still to answer.
    :param turn: the number of that poll: once one call has ended it, the answers of the others are nobody's.
    """

    wait: Wait
    answered: Callable[[Reading], datetime | None]
    context: Context
    done: asyncio.Future[None]
    due: float = 0.0
    joins_from: float = 0.0
    reading: Reading | None = None
    parts: int = 0
    turn: int = 0

    @property
    def tag(self) -> str | None:
        return self.wait.watch.tag

    @property
    def size(self) -> int:
        return len(self.wait.watch.messages)

    def begin(self) -> Reading:
        # Not before there is something to read: what lives through a call weighs on the collector.
        if self.reading is None:
            self.reading = self.wait.read()
        return self.reading

    def refs(self) -> list[MessageRef]:
        """Give the messages to ask for; none where they can't be read, and then the wait has failed."""
        try:
            return list(self.wait.watch.messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this wait's trouble and no other's
            self.fail(error)
            return []

    def add(self, found: Mapping[MessageRef, DeliveryStatus]) -> bool:
        """Add what one call has found, and tell whether it was the last."""
        reading = self.begin()
        for ref in self.refs():
            if (status := found.get(ref)) is not None:
                reading.add(status, ref)
        self.parts -= 1
        return not self.parts

    def answer(self, error: Exception | None) -> datetime | None:
        """
        Hand the reading over, unless nobody waits for it any more.

        :param error: what it failed with.
        :return: when to poll next, or None for no more.
        """
        reading, self.reading = self.begin(), None
        self.turn += 1
        if self.done.done():
            return None
        # A copy, for each wait keeps or raises its own: raising adds to an exception.
        error = copy.copy(error)
        try:
            if not reading.end(error) and error is not None:
                self.done.set_exception(error)
                return None
            due = self.context.run(self.answered, reading)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is the wait's to raise
            self.done.set_exception(failure)
            return None
        if due is None:
            self.done.set_result(None)
        return due

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(copy.copy(error))


@dataclass(slots=True)
class _Chunk:
    """
    A call, and for whom it is: both in order, each once.

    :param refs: the messages to ask for.
    :param asks: the waits that some of them belong to, and which of its polls it is for each.
    """

    refs: dict[MessageRef, None] = field(default_factory=dict)
    asks: dict[_Ask, int] = field(default_factory=dict)

    def halves(self) -> Iterator[_Chunk]:
        asks = [ask for ask in self.asks if not ask.done.done()]
        middle = len(asks) // 2
        for half in filter(None, (asks[:middle], asks[middle:])):
            wanted = {ref for ask in half for ref in ask.refs()}
            refs = dict.fromkeys(ref for ref in self.refs if ref in wanted)
            yield _Chunk(refs, {ask: self.asks[ask] for ask in half})


_due_of = attrgetter("due")


class SharedPolls:
    """
    The polls of all waits that use one connection on one event loop.

    :param open_client: opens what sends the calls.
    """

    def __init__(self, open_client: Callable[[], Coroutine[Any, Any, Client]]) -> None:
        self._open_client = open_client
        self._line: list[_Ask] = []
        self._open: set[_Ask] = set()
        self._line_by_tag: defaultdict[str, set[_Ask]] = defaultdict(set)
        self._waiting_page: dict[str, int] = {}
        self._first_changed = asyncio.Event()
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
        ask = _Ask(wait, answered, copy_context(), asyncio.get_running_loop().create_future())
        self._open.add(ask)
        self._line_up(ask, due)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = self._start(self._dispatch())
        try:
            await ask.done
        finally:
            self._open.discard(ask)
            self._leave_line(ask)

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        tasks = [*self._calls, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _line_up(self, ask: _Ask, due: datetime) -> None:
        now, delay = asyncio.get_running_loop().time(), (due - datetime.now(UTC)).total_seconds()
        ask.due, ask.joins_from = now + delay, now + delay / 2
        insort(self._line, ask, key=_due_of)
        if ask.tag is not None:
            self._line_by_tag[ask.tag].add(ask)
        if self._line[0] is ask:
            self._first_changed.set()

    def _leave_line(self, ask: _Ask) -> None:
        for at in range(bisect_left(self._line, ask.due, key=_due_of), len(self._line)):
            if self._line[at] is ask:
                del self._line[at]
                self._leave_tag(ask)
                return
            if self._line[at].due > ask.due:
                return

    def _leave_tag(self, ask: _Ask) -> None:
        if ask.tag is not None:
            others = self._line_by_tag[ask.tag]
            others.discard(ask)
            if not others:
                del self._line_by_tag[ask.tag]

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In no wait's context: what is logged here is of no single task.
        return asyncio.get_running_loop().create_task(work, context=Context())

    async def _dispatch(self) -> None:
        client = None
        try:
            client = await self._open_client()
            while True:
                await self._until_due()
                for work in self._plan(client, self._take_due()):
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
        while not self._line or self._line[0].due > loop.time():
            self._first_changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._line[0].due if self._line else None):
                    await self._first_changed.wait()
        await asyncio.sleep(_GATHER_SECONDS)

    def _take_due(self) -> list[_Ask]:
        """Take what is due out of the line, and what goes along with it."""
        now = asyncio.get_running_loop().time()
        end = min(bisect_right(self._line, now, key=_due_of), _ASKS_AT_ONCE)
        taken, self._line = self._line[:end], self._line[end:]
        tags = {ask.tag: None for ask in taken if ask.tag is not None}
        along = {ask for tag in tags for ask in self._line_by_tag[tag] if ask.joins_from <= now}.difference(
            taken
        )
        room = -sum(ask.size for ask in taken if ask.tag is None and ask.size < _FULL) % _FULL
        # The next in the line are the ones that gain most; a bounded look keeps the event loop free.
        for ask in self._line[:room]:
            if ask.tag is None and ask.size <= room and ask.joins_from <= now:
                room -= ask.size
                along.add(ask)
        if along:
            taken += [ask for ask in self._line if ask in along]
            self._line = [ask for ask in self._line if ask not in along]
        for ask in taken:
            self._leave_tag(ask)
        return taken

    def _plan(self, client: Client, taken: list[_Ask]) -> Iterator[Coroutine[Any, Any, None]]:
        """Give the work that answers what was taken out of the line."""
        by_tag: defaultdict[str, dict[_Ask, int]] = defaultdict(dict)
        lists: list[_Ask] = []
        for ask in taken:
            if ask.tag is not None:
                by_tag[ask.tag][ask] = ask.turn
            elif not ask.size:
                self._answer(ask)  # all its messages are final: there is nothing to ask for
            elif ask.size >= _FULL:
                yield self._read_long_list(client, ask)
            else:
                lists.append(ask)
        for tag, asks in by_tag.items():
            yield self._read_tag(client, tag, asks)
        for chunk in _chunks(lists):
            yield self._read_chunk(client, chunk)

    def _answer(self, ask: _Ask, error: Exception | None = None) -> None:
        if (due := ask.answer(error)) is not None:
            self._line_up(ask, due)

    async def _answer_all(
        self,
        asks: Mapping[_Ask, int],
        error: Exception | None = None,
        *,
        found: Mapping[MessageRef, DeliveryStatus] | None = None,
    ) -> None:
        # One call's waits after the other's, or many calls would together hold the event loop up.
        async with self._answering:
            for position, (ask, turn) in enumerate(asks.items(), start=1):
                if not ask.done.done() and ask.turn == turn and (found is None or ask.add(found)):
                    self._answer(ask, error)
                if not position % _ANSWERS_AT_ONCE:
                    await asyncio.sleep(0)

    async def _read_chunk(self, client: Client, chunk: _Chunk) -> None:
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

    async def _read_long_list(self, client: Client, ask: _Ask) -> None:
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

    async def _read_tag(self, client: Client, tag: str, asks: Mapping[_Ask, int]) -> None:
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


def _chunks(asks: Iterable[_Ask]) -> list[_Chunk]:
    """Put the asks' messages into calls, each message once."""
    chunks: list[_Chunk] = []
    homes: dict[MessageRef, _Chunk] = {}
    for ask in asks:
        parts: set[int] = set()
        for ref in ask.refs():
            home = homes.get(ref)
            if home is None:
                if not chunks or len(chunks[-1].refs) == _FULL:
                    chunks.append(_Chunk())
                home = homes[ref] = chunks[-1]
            home.refs[ref] = None
            home.asks[ask] = ask.turn
            parts.add(id(home))
        ask.parts = len(parts)
    return chunks


async def _open_client(settings: Settings, conn_id: str) -> Client:
    return await (await async_client()).open(settings, conn_id)


async def _look_up(conn_id: str) -> Settings:
    return Settings.of(await get_async_connection(conn_id))


@dataclass(slots=True)
class _LookUp:
    """
    A connection that is being looked up.

    :param found: what it says.
    :param waits: how many want to know: they go on all at once, so they must not be too many.
    """

    found: asyncio.Future[Settings]
    waits: int = 0


async def _settings_of(conn_id: str) -> Settings:
    """Look a connection up, for other waits as well that ask while the answer is on its way."""
    look_ups = _look_ups.setdefault(asyncio.get_running_loop(), {})
    current = look_ups.get(conn_id)
    if current is None or current.found.done() or current.waits == _ANSWERS_AT_ONCE:
        # A task of its own: whoever asked first may be cancelled, the others still want to know.
        current = look_ups[conn_id] = _LookUp(asyncio.ensure_future(_look_up(conn_id)))
    current.waits += 1
    try:
        return await asyncio.shield(current.found)
    except Exception:  # noqa: BLE001 - each wait meets the trouble by itself, and raises its own
        return await _look_up(conn_id)


_look_ups: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _LookUp]] = WeakKeyDictionary()

_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, Settings], SharedPolls]] = (
    WeakKeyDictionary()
)


@asynccontextmanager
async def shared_polls(conn_id: str) -> AsyncIterator[SharedPolls]:
    """
    Take part in the polls of a connection on the running event loop.

    A wait looks the connection up once. Waits that found it before and after a change share nothing.

    :param conn_id: the connection's id.
    :raises ValueError: if the connection is not as it should be.
    """
    settings = await _settings_of(conn_id)
    by_connection = _of_loop.setdefault(asyncio.get_running_loop(), {})
    key = (conn_id, settings)
    polls = by_connection.get(key)
    if polls is None:
        polls = by_connection[key] = SharedPolls(partial(_open_client, settings, conn_id))
    polls.users += 1
    try:
        yield polls
    finally:
        polls.users -= 1
        if not polls.users:
            del by_connection[key]
            await polls.close()
