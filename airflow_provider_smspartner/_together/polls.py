"""Shared polls: sends what is due, and gives each wait its own answers."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, suppress
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._http.in_order import in_order
from airflow_provider_smspartner._http.paging import aread_pages
from airflow_provider_smspartner._together.ask import FULL, Ask, Chunk, chunks_of, still_wanted
from airflow_provider_smspartner._together.line import Line
from airflow_provider_smspartner._together.outage import Outage, without_header
from airflow_provider_smspartner._together.refusals import read_by_parts
from airflow_provider_smspartner._together.waiters import AT_ONCE
from airflow_provider_smspartner._waiting.tally import Tally, out_of_time
from airflow_provider_smspartner._waiting.wait import OVERTIME_SECONDS, Wait
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, MessageStatus, to_ref

T = TypeVar("T")

# How long what is due waits for more: triggers that a restarted triggerer takes up arrive one after the other.
_GATHER_SECONDS = 0.05

# How often the waits whose polls are on their way are looked through for those that are out of time.
_SWEEP_SECONDS = 0.25


class Client(Protocol):
    """What sends calls."""

    async def send_once(self, call: protocol.Call[T]) -> T:
        """Send a call once and read its answer."""

    async def close(self) -> None:
        """Close the connections."""


class ConnectionChangedError(Exception):
    """The Airflow connection says something else than what the polls are made with."""


async def _never_changes(_: float, __: bool) -> bool:
    return False


class SharedPolls:
    """
    The polls of all waits that use one connection on one event loop.

    :param open_client: opens what sends the calls.
    :param tries: tries of one call, the first included.
    :param in_flight: calls on their way at once.
    :param has_changed: looks up, after a call has failed, whether the connection says something else by now. It takes
        when the call was sent, and whether that must be known; it raises where it must be known and cannot be.
    """

    def __init__(
        self,
        open_client: Callable[[], Coroutine[Any, Any, Client]],
        *,
        tries: int = 5,
        in_flight: int = 4,
        has_changed: Callable[[float, bool], Coroutine[Any, Any, bool]] = _never_changes,
    ) -> None:
        self._open_client = open_client
        self._tries = tries
        self._in_flight = in_flight
        self._has_changed = has_changed
        self._slots = asyncio.Semaphore(in_flight)
        self._outage = Outage(tries=tries)
        self._line = Line()
        self._open: set[Ask] = set()
        self._polled: set[Ask] = set()
        self._some_polled = asyncio.Event()
        self._waiting_page: dict[str, int] = {}
        self._answering = asyncio.Lock()
        self._dispatcher: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self.users = 0
        self.is_over = False
        """Whether the connection has changed: the waits go on elsewhere."""

    async def poll(
        self, wait: Wait, due: datetime, answered: Callable[[Tally], datetime | None]
    ) -> datetime | None:
        """
        Poll again and again, together with others, for as long as the wait wants to.

        :param wait: whose polls these are.
        :param due: when to poll first, at the latest; aware.
        :param answered: takes each poll's tally, and gives when to poll next at the latest, or None for no more.
        :return: None once there is no next poll, or when to poll next with what the connection says by now.
        :raises SMSPartnerError: if a poll failed for good; no other wait's trouble is this one's.
        """
        if self.is_over:
            return due
        loop = asyncio.get_running_loop()
        left = (wait.goal.deadline - datetime.now(UTC)).total_seconds()
        ask = Ask(wait, answered, copy_context(), loop.create_future(), loop.time() + left)
        self._open.add(ask)
        self._line.join(ask, due)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = self._start(self._dispatch())
        if self._sweeper is None:
            self._sweeper = self._start(self._sweep())
        try:
            return await ask.done
        finally:
            self._open.discard(ask)
            self._polled.discard(ask)
            self._line.leave(ask)

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        tasks = [*self._calls, *filter(None, (self._dispatcher, self._sweeper))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In no wait's context: what is logged here is of no single task.
        return asyncio.get_running_loop().create_task(work, context=Context())

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._start(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _dispatch(self) -> None:
        client = None
        try:
            client = await self._open_client()
            while True:
                await self._until_due()
                taken = self._line.take_due()
                self._time(taken)
                for position, work in enumerate(self._plan(client, taken), start=1):
                    self._work(work)
                    if not position % AT_ONCE:
                        await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            for ask in self._open:
                ask.fail(error)
        finally:
            if client is not None:
                await client.close()

    def _time(self, taken: list[Ask]) -> None:
        """Say of waits whose polls begin how long these may take."""
        now = asyncio.get_running_loop().time()
        for ask in taken:
            ask.cut_at = now + ask.wait.time_to_read(left=ask.deadline_at - now)
        self._polled.update(taken)
        self._some_polled.set()

    async def _sweep(self) -> None:
        """End the polls that are on their way when their time is over, however long the calls still take."""
        loop = asyncio.get_running_loop()
        while True:
            await self._some_polled.wait()
            await asyncio.sleep(_SWEEP_SECONDS)
            now = loop.time()
            # No answer is about to come during an outage.
            overdue = now - OVERTIME_SECONDS if self._outage.is_on else -math.inf
            late = {ask: ask.turn for ask in self._polled if ask.cut_at < now or ask.deadline_at < overdue}
            if late:
                await self._answer_all(late, out_of_time())
            if not self._polled:
                self._some_polled.clear()

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
        self._polled.discard(ask)
        if isinstance(error, ConnectionChangedError):
            ask.move(datetime.now(UTC))
        elif (due := ask.answer(error)) is None:
            return
        elif self.is_over:
            ask.move(due)
        else:
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
                if not position % AT_ONCE:
                    await asyncio.sleep(0)

    async def _send(self, client: Client, call: protocol.Call[T], asks: Mapping[Ask, int]) -> T:
        """
        Send a call, again where that may help, for as long as somebody wants its answer.

        :raises ConnectionChangedError: if it is to be sent with other settings.
        :raises SMSPartnerError: as the protocol reads its answer, or after the last try.
        """
        loop, tries = asyncio.get_running_loop(), 0
        interval = min(ask.wait.rhythm.poke_interval for ask in asks)
        while True:
            is_asking = await self._outage.turn(interval)
            try:
                async with self._slots:
                    self._check_use(asks)
                    if self._outage.is_on and not is_asking:
                        continue
                    tries, sent_at = tries + 1, loop.time()
                    result = await self._send_once(client, call)
            except _SentInVainError as failure:
                error = failure.error
                self._outage.failed(error, was_asking=is_asking, interval=interval)
                may_try_again = policy.may_try_again(call.request, error) and tries < self._tries
                if may_try_again and not self._outage.is_lasting:
                    continue
                await self._end_if_changed(sent_at, must_know=False)
                self._outage.give_up(error)
                raise without_header(error) from None
            except SMSPartnerCredentialsError as refusal:
                self._outage.answered()
                await self._end_refused(refusal, sent_at)
                raise
            except BaseException as error:
                self._outage.settle(error, was_asking=is_asking)
                raise
            else:
                self._outage.answered()
                return result

    async def _end_refused(self, refusal: SMSPartnerCredentialsError, sent_at: float) -> None:
        """Raise what ends a refused poll, unless it is the refusal."""
        try:
            await self._end_if_changed(sent_at, must_know=True)
        except SMSPartnerUnavailableError as unknown:
            # Perhaps the key was changed: not knowing is no reason to give up.
            raise SMSPartnerUnavailableError(f"{refusal} {unknown}") from None

    def _check_use(self, asks: Mapping[Ask, int]) -> None:
        """Raise if a call that is about to go out is of no use any more."""
        if self.is_over:
            raise ConnectionChangedError
        if not still_wanted(asks):
            raise out_of_time()

    async def _send_once(self, client: Client, call: protocol.Call[T]) -> T:
        try:
            return await client.send_once(call)
        except SMSPartnerUnavailableError as error:
            raise _SentInVainError(error) from None

    async def _end_if_changed(self, sent_at: float, *, must_know: bool) -> None:
        """Let all waits go on with what the connection says now, if that is something else."""
        if not self.is_over:
            if not await self._has_changed(sent_at, must_know):
                return
            self.is_over = True
            self._outage.abandon(ConnectionChangedError())
            self._work(self._move_line())
        raise ConnectionChangedError

    async def _move_line(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._answering:
            for position, ask in enumerate(self._line.take_all(), start=1):
                ask.move(datetime.now(UTC) + timedelta(seconds=ask.due - loop.time()))
                if not position % AT_ONCE:
                    await asyncio.sleep(0)

    async def _read_chunk(self, client: Client, chunk: Chunk) -> None:
        await read_by_parts(
            chunk,
            ask=partial(self._ask_chunk, client),
            refuse=lambda part, refusal: self._answer_all(part.asks, refusal),
        )

    async def _ask_chunk(self, client: Client, chunk: Chunk) -> SMSPartnerRequestError | None:
        """Ask for a chunk and answer its waits, or return the refusal."""
        if not chunk.refs:
            return None
        try:
            statuses = await self._send(client, _or_none(next(protocol.batches(chunk.refs))), chunk.asks)
        except SMSPartnerRequestError as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(chunk.asks, error)
            return None
        if statuses is None:
            found = dict.fromkeys(chunk.refs, DeliveryStatus.NOT_FOUND)
        else:
            found = {ref: status.status for ref, status in zip(chunk.refs, statuses, strict=True)}
        await self._answer_all(chunk.asks, found=found)
        return None

    async def _read_long_list(self, client: Client, ask: Ask) -> None:
        """Ask for a list that fills calls by itself, a few of them in flight."""
        refs, tally, turn = iter(ask.wait.campaign.messages), ask.begin(), {ask: ask.turn}

        async def send(
            call: protocol.Call[list[MessageStatus]],
        ) -> tuple[protocol.Call[list[MessageStatus]], list[MessageStatus] | None]:
            return call, await self._send(client, _or_none(call), turn)

        try:
            batches = in_order(send, protocol.batches(refs), in_flight=self._in_flight)
            async with aclosing(batches):
                async for call, batch in batches:
                    if not still_wanted(turn):
                        return  # cancelled, or out of time
                    if batch is None:
                        tally.add_counts({DeliveryStatus.NOT_FOUND: _size_of(call)})
                        continue
                    for status in batch:
                        tally.add(status.status, to_ref((status.phone_number, status.message_id or "")))
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(turn, error)
        else:
            await self._answer_all(turn)

    async def _read_tag(self, client: Client, tag: str, asks: Mapping[Ask, int]) -> None:
        try:
            counts = await self._count_tag(client, tag, asks)
        except Exception as error:  # noqa: BLE001 - whatever it is, no wait may wait for ever
            await self._answer_all(asks, error)
            return
        for ask in still_wanted(asks):
            if isinstance(counts, int):
                ask.begin().stop_at_waiting(page=counts)
            else:
                ask.begin().add_counts(counts)
        await self._answer_all(asks)

    async def _count_tag(
        self, client: Client, tag: str, asks: Mapping[Ask, int]
    ) -> Counter[DeliveryStatus] | int:
        """Count a tag's statuses, or give the number of the page that still shows Waiting."""
        whole = any(ask.wait.needs_whole_tag for ask in asks)
        seen = self._waiting_page.pop(tag, 1)
        if seen > 1 and not whole:
            page = await self._send(client, protocol.tag_page(tag, seen), asks)
            if page.number == seen and _shows_waiting(page):
                self._waiting_page[tag] = seen
                return seen
        counts: Counter[DeliveryStatus] = Counter()
        number = 0
        async with aclosing(aread_pages(lambda call: self._send(client, call, asks), tag)) as pages:
            async for page, is_last in pages:
                number += 1
                counts.update(page.counts)
                if not is_last and not whole and _shows_waiting(page):
                    self._waiting_page[tag] = number
                    return number
        return counts


class _SentInVainError(Exception):
    """A try that failed: the same kind of error also stands for what was never sent."""

    def __init__(self, error: SMSPartnerUnavailableError) -> None:
        super().__init__()
        self.error = error


def _or_none(call: protocol.Call[list[MessageStatus]]) -> protocol.Call[list[MessageStatus] | None]:
    """Return the call such that an answer of "not found" to all of it reads as None: none of its messages is known."""

    def read(answer: protocol.Answer) -> list[MessageStatus] | None:
        try:
            return call.read(answer)
        except SMSPartnerNotFoundError:
            return None

    return protocol.Call(call.request, read)


def _size_of(call: protocol.Call[Any]) -> int:
    return len((call.request.body or {})["SMSStatut_List"])


def _shows_waiting(page: protocol.TagPage) -> bool:
    return DeliveryStatus.WAITING in page.counts
