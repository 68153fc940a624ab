"""A vendor without a network for waits that poll together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec

from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._shared_polls.connections import connection_in_use
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._shared_polls.registry import shared_polls
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.goal import Goal
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import (
    SMSPartnerRequestError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, MessageStatus, Outcome
from airflow_provider_smspartner.protocol import Call, TagPage

P = ParamSpec("P")

STATUSES = list(DeliveryStatus)
OUTCOMES = {status: Outcome(status=status) for status in STATUSES}


def ref(number: int) -> MessageRef:
    return MessageRef(f"+336399{number:05}", number)


def status_of(message_id: str) -> DeliveryStatus:
    """Each message has a status of its own, so that a wait that gets another's rows is found out."""
    return STATUSES[int(message_id) % len(STATUSES)]


@dataclass
class Vendor:
    """
    A client whose vendor answers at once, or after a moment, and fails as told.

    :param failures: the error of each of the first calls, or None.
    :param poison: messages that the vendor refuses to be asked about.
    :param pages: each tag's pages.
    :param delays: seconds until some calls, by their number from 0, are answered.
    """

    failures: list[Exception | None] = field(default_factory=list)
    poison: frozenset[str] = frozenset()
    pages: dict[str, list[list[DeliveryStatus]]] = field(default_factory=dict)
    delays: dict[int, float] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    answered: int = 0
    closed: bool = False

    async def send_once(self, call: Call[Any]) -> Any:
        number = len(self.asked)
        request = call.request
        if request.body is None:
            self.asked.append((request.query["tag"], int(request.query.get("page", 1))))
        else:
            self.asked.append([str(pair["messageId"]) for pair in request.body["SMSStatut_List"]])
        await asyncio.sleep(self.delays.get(number, number % 3 / 1000))
        if number < len(self.failures) and (failure := self.failures[number]):
            raise failure
        self.answered += 1
        if request.body is None:
            return self._page(request.query["tag"], int(request.query.get("page", 1)))
        ids = [str(pair["messageId"]) for pair in request.body["SMSStatut_List"]]
        if self.poison & set(ids):
            raise SMSPartnerRequestError("refused", code=6)
        return [MessageStatus(*ref(int(i)), OUTCOMES[status_of(i)]) for i in ids]

    async def close(self) -> None:
        self.closed = True

    def _page(self, tag: str, number: int) -> TagPage:
        pages = self.pages[tag]
        rows = tuple(
            MessageStatus(f"+33639{number:03}{row:04}", None, OUTCOMES[status])
            for row, status in enumerate(pages[number - 1])
        )
        return TagPage(number, sum(map(len, pages)), rows)


def polls_of(vendor: Vendor, in_flight: int = 4) -> SharedPolls:
    async def open_client() -> Vendor:
        return vendor

    return SharedPolls(open_client, tries=1, in_flight=in_flight)


def wait_for(
    *numbers: int, tag: str | None = None, settled_ratio: float = 1.0, timeout: float = 60.0
) -> Wait:
    now = datetime.now(UTC)
    return Wait(
        campaign=Campaign(tag=tag, messages=PendingInMemory(map(ref, numbers))),
        goal=Goal(
            settled_ratio=settled_ratio,
            expected_total=None,
            started_at=now,
            deadline=now + timedelta(seconds=timeout),
            not_found_until=now,
        ),
        rhythm=Rhythm(poke_interval=1.0, exponential_backoff=False, max_wait=None, seed=""),
    )


async def poll(polls: SharedPolls, wait: Wait, due_in: float = 0.0) -> Tally:
    tallies: list[Tally] = []
    await polls.poll(wait, datetime.now(UTC) + timedelta(seconds=due_in), tallies.append)
    (tally,) = tallies
    return tally


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on an event loop of its own."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), timeout=20))

    return run


def run(vendor: Vendor, work: Callable[[SharedPolls], Any], in_flight: int = 4) -> Any:
    async def main() -> Any:
        polls = polls_of(vendor, in_flight)
        try:
            return await asyncio.wait_for(work(polls), timeout=20)
        finally:
            await polls.close()

    return asyncio.run(main())


def counts_of(tally: Tally) -> Counter[DeliveryStatus]:
    assert tally.summary is not None
    return Counter(tally.summary.counts)


@asynccontextmanager
async def taking_part(conn_id: str) -> AsyncIterator[SharedPolls]:
    async with (
        connection_in_use(conn_id) as connection,
        shared_polls(connection, await connection.look_up()) as polls,
    ):
        yield polls


W, D = DeliveryStatus.WAITING, DeliveryStatus.DELIVERED


async def take_part(conn_id: str) -> SharedPolls:
    async with taking_part(conn_id) as polls:
        await asyncio.sleep(0.1)
        return polls
