"""What shared polls meet in tests: a vendor without a network, a secrets backend, and time that passes at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec

from airflow.providers.common.compat.sdk import Connection as AirflowConnection
from virtual_time import VirtualLoop, virtual_now

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._shared_polls.subscriber import Subscriber
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.goal import Goal
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, MessageStatus, Outcome
from airflow_provider_smspartner.protocol import Call, TagPage

P = ParamSpec("P")

W, D = DeliveryStatus.WAITING, DeliveryStatus.DELIVERED
STATUSES = list(DeliveryStatus)
OUTCOMES = {status: Outcome(status=status) for status in STATUSES}
DOWN = SMSPartnerUnavailableError("down", code=500, http_status=503)
WRONG_KEY = SMSPartnerCredentialsError("wrong key", code=10, http_status=200)

DAY = 86_400.0


def ref(number: int) -> MessageRef:
    return MessageRef(f"+336399{number:05}", number)


def status_of(message_id: str) -> DeliveryStatus:
    """Each message has a status of its own, so that a wait that gets another's rows is found out."""
    return STATUSES[int(message_id) % len(STATUSES)]


@dataclass
class Vendor:
    """
    A client whose vendor answers after a moment, or fails.

    :param failures: the error of each of the first calls, or None.
    :param trouble: takes what a call asks for and the settings it is sent with, and returns its error or None.
    :param pages: each tag's pages; other tags have one message.
    :param delays: seconds until some calls, by their number from 0, are answered.
    :param seconds: until the others are answered; None for one to three milliseconds.
    :param status: what has become of all messages; None for a status of each message's own.
    """

    failures: list[Exception | None] = field(default_factory=list)
    trouble: Callable[[Any, Settings | None], Exception | None] = lambda _, __: None
    pages: dict[str, list[list[DeliveryStatus]]] = field(default_factory=dict)
    delays: dict[int, float] = field(default_factory=dict)
    seconds: float | None = None
    status: DeliveryStatus | None = None
    asked: list[Any] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    answered: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    closed: int = 0

    async def send_once(self, call: Call[Any], settings: Settings | None = None) -> Any:
        number, query, body = len(self.asked), call.request.query, call.request.body
        if body is None:
            self.asked.append((query.get("tag"), int(query.get("page", 1))))
        else:
            self.asked.append([str(pair["messageId"]) for pair in body.get("SMSStatut_List", ())])
        self.sent_at.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            usual = number % 3 / 1000 if self.seconds is None else self.seconds
            await asyncio.sleep(self.delays.get(number, usual))
        finally:
            self.in_flight -= 1
        if number < len(self.failures) and (failure := self.failures[number]):
            raise failure
        if trouble := self.trouble(self.asked[number], settings):
            raise trouble
        self.answered += 1
        return self.answer(self.asked[number])

    def answer(self, asked: Any) -> Any:
        if isinstance(asked, list):
            return [MessageStatus(*ref(int(i)), OUTCOMES[self.status or status_of(i)]) for i in asked]
        tag, number = asked
        pages = self.pages.get(tag) or [[self.status or W]]
        rows = (
            MessageStatus(f"+33639{number:03}{row:04}", None, OUTCOMES[status])
            for row, status in enumerate(pages[number - 1])
        )
        return TagPage(number, sum(map(len, pages)), tuple(rows))

    async def close(self) -> None:
        self.closed += 1

    async def open(self, settings: Settings, _: str) -> Client:
        """Open a client for settings: what the package's own `open_async_client` does."""
        return Client(self, settings)


@dataclass
class Client:
    """What is opened for one connection, as it was found."""

    vendor: Vendor
    settings: Settings

    async def send_once(self, call: Call[Any]) -> Any:
        return await self.vendor.send_once(call, self.settings)

    async def close(self) -> None:
        await self.vendor.close()


@dataclass
class Backend:
    """
    A secrets backend with one connection.

    :param key: the API key, or None if it cannot be looked up.
    :param fields: the connection's other fields.
    :param seconds: how long a look-up takes.
    """

    key: str | None = "key"
    fields: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)

    async def get(self, conn_id: str) -> Any:
        self.asked.append(conn_id)
        self.asked_at.append(asyncio.get_running_loop().time())
        key = self.key
        await asyncio.sleep(self.seconds)
        if key is None:
            raise RuntimeError("vault token s3cr3t")
        return AirflowConnection(conn_id=conn_id, conn_type="smspartner", password=key, **self.fields)


def polls_of(vendor: Vendor, in_flight: int = 4, **options: Any) -> SharedPolls:
    async def open_client() -> Vendor:
        return vendor

    return SharedPolls(open_client, **{"tries": 1, "in_flight": in_flight, **options})


def wait_for(
    *numbers: int,
    tag: str | None = None,
    settled_ratio: float = 1.0,
    timeout: float = 60.0,
    poke_interval: float = 1.0,
) -> Wait:
    now = virtual_now()
    return Wait(
        campaign=Campaign(tag=tag, messages=PendingInMemory(map(ref, numbers))),
        goal=Goal(
            settled_ratio=settled_ratio,
            expected_total=None,
            started_at=now,
            deadline=now + timedelta(seconds=timeout),
            not_found_until=now,
        ),
        rhythm=Rhythm(poke_interval=poke_interval, exponential_backoff=False, max_wait=None, seed=""),
        now=virtual_now,
    )


def subscriber(
    *numbers: int,
    tag: str | None = None,
    answered: Callable[[Tally], datetime | None] = lambda _: None,
    is_polling: bool = False,
) -> Subscriber:
    outcome: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
    made = Subscriber(wait_for(*numbers, tag=tag), answered, copy_context(), outcome, deadline_at=60.0)
    if is_polling:
        made.take(0.0)
    return made


async def poll(polls: SharedPolls, wait: Wait, due_in: float = 0.0) -> Tally:
    tallies: list[Tally] = []
    await polls.poll(wait, virtual_now() + timedelta(seconds=due_in), tallies.append)
    (tally,) = tallies
    return tally


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on an event loop of its own, whose time jumps; a test that would hang fails after a day of it."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(asyncio.wait_for(test(*args, **kwargs), timeout=DAY))

    return run


def run(vendor: Vendor, work: Callable[[SharedPolls], Any], in_flight: int = 4) -> Any:
    """Return what work with the polls of a vendor returns, on an event loop of its own."""
    results: list[Any] = []

    @on_a_loop
    async def main() -> None:
        polls = polls_of(vendor, in_flight)
        try:
            results.append(await work(polls))
        finally:
            await polls.close()

    main()
    return results[0]


def seconds() -> float:
    """Return the running event loop's time."""
    return asyncio.get_running_loop().time()


def counts_of(tally: Tally) -> Counter[DeliveryStatus]:
    assert tally.summary is not None
    return Counter(tally.summary.counts)
