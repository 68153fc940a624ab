"""Waits that poll together: each is answered once, with its own rows, whatever happens to the others."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.connection import get_async_connection
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._shared_polls import connections
from airflow_provider_smspartner._shared_polls.connections import connection_in_use
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._shared_polls.registry import shared_polls
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.goal import Goal
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, MessageStatus, Outcome
from airflow_provider_smspartner.protocol import Call, TagPage
from airflow_provider_smspartner.testing import SMSPartnerDouble

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


FAILURES = st.sampled_from(
    [
        None,
        None,
        SMSPartnerUnavailableError("x"),
        SMSPartnerRequestError("x", code=50),
        SMSPartnerNotFoundError("x", code=4),
        SMSPartnerCredentialsError("x", code=10),
        RuntimeError("x"),
    ]
)
WAITS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 1500), min_size=1, max_size=30, unique=True),
        st.sampled_from([0.0, 0.0, 0.01, 0.08]),
        st.sampled_from([None, None, None, 0.0, 0.03, 0.06]),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(
    waits=WAITS,
    failures=st.lists(FAILURES, max_size=8),
    poison=st.frozensets(st.integers(0, 1500), max_size=3),
)
def test_every_wait_is_answered_once_with_its_own_rows(
    waits: list[tuple[list[int], float, float | None]],
    failures: list[Exception | None],
    poison: frozenset[int],
) -> None:
    vendor = Vendor(failures=failures, poison=frozenset(map(str, poison)))

    async def one(polls: SharedPolls, numbers: list[int], due_in: float, cancel_in: float | None) -> Tally:
        task = asyncio.ensure_future(poll(polls, wait_for(*numbers), due_in))
        if cancel_in is not None:
            asyncio.get_running_loop().call_later(cancel_in, task.cancel)
        return await task

    async def all_of_them(polls: SharedPolls) -> list[Any]:
        return await asyncio.gather(*(one(polls, *wait) for wait in waits), return_exceptions=True)

    for (numbers, _, cancel_in), outcome in zip(waits, run(vendor, all_of_them), strict=True):
        if isinstance(outcome, asyncio.CancelledError):
            assert cancel_in is not None
        elif isinstance(outcome, SMSPartnerRequestError) and not any(failures):
            assert poison & set(numbers)
        elif isinstance(outcome, Exception) or outcome.trouble is not None:
            assert any(failures)
        elif outcome.summary.counts.get(DeliveryStatus.NOT_FOUND) == len(numbers) and any(failures):
            pass  # an answer of "not found" to a whole call
        else:
            assert counts_of(outcome) == Counter(status_of(str(number)) for number in numbers)


def test_a_thousand_waits_of_one_message_cost_two_calls() -> None:
    vendor = Vendor()

    run(vendor, lambda polls: asyncio.gather(*(poll(polls, wait_for(n)) for n in range(1000))))

    assert sorted(map(len, vendor.asked)) == [500, 500]


def test_a_wait_whose_messages_are_in_two_calls_is_answered_by_both() -> None:
    vendor = Vendor()
    lists = [range(start, start + 300) for start in (0, 300, 600)]

    tallies = run(vendor, lambda polls: asyncio.gather(*(poll(polls, wait_for(*each)) for each in lists)))

    assert sorted(map(len, vendor.asked)) == [400, 500]
    assert [counts_of(tally).total() for tally in tallies] == [300] * 3


def test_a_late_answer_to_a_poll_that_has_failed_is_nobodys() -> None:
    vendor = Vendor(failures=[SMSPartnerUnavailableError("down")], delays={1: 0.2, 2: 0.3, 3: 0.5})
    lists = [range(300), range(300, 600)]

    async def poll_twice(polls: SharedPolls, numbers: range) -> list[Tally]:
        tallies: list[Tally] = []

        def answered(tally: Tally) -> datetime | None:
            tallies.append(tally)
            return datetime.now(UTC) if len(tallies) < 2 else None

        await polls.poll(wait_for(*numbers), datetime.now(UTC), answered)
        return tallies

    for failed, whole in run(
        vendor, lambda polls: asyncio.gather(*(poll_twice(polls, each) for each in lists))
    ):
        assert str(failed.trouble) == "down"
        assert counts_of(whole).total() == 300
    # The second poll took both calls of its own: neither could be spared for the late one.
    assert (len(vendor.asked), vendor.answered) == (4, 3)


def test_a_wait_without_messages_is_answered_without_a_call() -> None:
    vendor = Vendor()

    tally = run(vendor, lambda polls: poll(polls, wait_for()))

    assert counts_of(tally).total() == 0
    assert vendor.asked == []


def test_a_poll_leaves_nothing_for_the_collector() -> None:
    vendor = Vendor()
    polled: Counter[int] = Counter()
    left: list[int] = []

    async def keep_polling(polls: SharedPolls, number: int) -> None:
        wait = wait_for(6 * number + 2)

        def answered(tally: Tally) -> datetime | None:
            wait.conclude(tally)
            polled[number] += 1
            if number == 499 and polled[number] == 2:
                gc.freeze()
            if number == 499 and polled[number] == 4:
                left.append(len(gc.get_objects()))
            return datetime.now(UTC) + timedelta(seconds=0.05) if polled[number] < 4 else None

        await polls.poll(wait, datetime.now(UTC), answered)

    assert status_of("2") is DeliveryStatus.WAITING  # as is that of each of the messages
    try:
        run(vendor, lambda polls: asyncio.gather(*(keep_polling(polls, number) for number in range(500))))
    finally:
        gc.unfreeze()

    # What two polls have made, and is not gone: less than one object for each wait.
    assert left[0] < 400


def test_waits_out_of_step_come_into_step_and_stay_there() -> None:
    vendor = Vendor()

    async def keep_polling(polls: SharedPolls, number: int) -> None:
        tallies: list[Tally] = []

        def answered(tally: Tally) -> datetime | None:
            tallies.append(tally)
            return datetime.now(UTC) + timedelta(seconds=0.4) if len(tallies) < 5 else None

        await polls.poll(
            wait_for(number), datetime.now(UTC) + timedelta(seconds=0.4 * number / 100), answered
        )
        assert [counts_of(tally).total() for tally in tallies] == [1] * 5

    run(vendor, lambda polls: asyncio.gather(*(keep_polling(polls, n) for n in range(100))))

    # 100 waits, 5 polls each, alone: 500 calls.
    assert len(vendor.asked) <= 20


def test_a_message_of_several_waits_is_asked_for_once() -> None:
    vendor = Vendor()

    first, second = run(
        vendor, lambda polls: asyncio.gather(poll(polls, wait_for(1, 2)), poll(polls, wait_for(2, 3)))
    )

    assert sorted(vendor.asked[0]) == ["1", "2", "3"]
    assert counts_of(first) == Counter(map(status_of, "12"))
    assert counts_of(second) == Counter(map(status_of, "23"))


def test_a_wait_joins_once_half_its_time_has_passed_and_not_before() -> None:
    vendor = Vendor()

    async def main(polls: SharedPolls) -> None:
        early, late = (
            asyncio.ensure_future(poll(polls, wait_for(n), due)) for n, due in ((1, 0.3), (2, 5.0))
        )
        await poll(polls, wait_for(3), 0.2)
        await early
        assert not late.done()
        late.cancel()

    run(vendor, main)

    assert sorted(vendor.asked[0]) == ["1", "3"]
    assert len(vendor.asked) == 1


class Torn(PendingInMemory):
    """Messages that can't be read any more, as those of a file whose wait was cancelled, or whose disk has failed."""

    is_torn = True

    def __iter__(self) -> Iterator[MessageRef]:
        if self.is_torn:
            raise OSError("torn")
        return super().__iter__()


def test_messages_that_cannot_be_read_are_the_trouble_of_one_wait() -> None:
    vendor = Vendor()
    torn = wait_for()
    torn.campaign.messages = Torn([ref(1)])

    error, tally = run(
        vendor,
        lambda polls: asyncio.gather(poll(polls, torn), poll(polls, wait_for(2)), return_exceptions=True),
    )

    assert str(error) == "torn"
    assert counts_of(tally) == Counter({status_of("2"): 1})


@pytest.mark.parametrize("others", [1, 3])
@pytest.mark.parametrize("failure", [None, SMSPartnerRequestError("x", code=50)], ids=["answered", "refused"])
def test_a_wait_that_lets_go_of_its_messages_under_way_leaves_the_others(
    failure: Exception | None, others: int
) -> None:
    vendor = Vendor(failures=[failure], delays={0: 0.1})
    messages = Torn([ref(1)])
    messages.is_torn = False
    wait = wait_for()
    wait.campaign.messages = messages

    async def main(polls: SharedPolls) -> list[Tally]:
        leaving = asyncio.ensure_future(poll(polls, wait))
        asyncio.get_running_loop().call_later(0.05, leaving.cancel)
        asyncio.get_running_loop().call_later(0.05, setattr, messages, "is_torn", True)
        tallies = await asyncio.gather(*(poll(polls, wait_for(n)) for n in range(2, 2 + others)))
        assert leaving.cancelled()
        return tallies

    assert [counts_of(tally).total() for tally in run(vendor, main)] == [1] * others


def test_what_the_vendor_refuses_of_one_wait_is_no_trouble_of_the_others() -> None:
    vendor = Vendor(poison=frozenset({"7"}))

    outcomes = run(
        vendor,
        lambda polls: asyncio.gather(*(poll(polls, wait_for(n)) for n in range(20)), return_exceptions=True),
    )

    assert isinstance(outcomes.pop(7), SMSPartnerRequestError)
    assert [isinstance(outcome, Tally) for outcome in outcomes] == [True] * 19


def test_a_failed_call_is_passing_trouble_of_each() -> None:
    vendor = Vendor(failures=[SMSPartnerUnavailableError("down")])

    tallies = run(vendor, lambda polls: asyncio.gather(*(poll(polls, wait_for(n)) for n in range(3))))

    troubles = [tally.trouble for tally in tallies]
    assert [str(trouble) for trouble in troubles] == ["down"] * 3
    assert len({id(trouble) for trouble in troubles}) == 3


def test_refused_credentials_are_everybodys() -> None:
    vendor = Vendor(failures=[SMSPartnerCredentialsError("no", code=10)])

    outcomes = run(
        vendor,
        lambda polls: asyncio.gather(*(poll(polls, wait_for(n)) for n in range(3)), return_exceptions=True),
    )

    assert [(type(outcome), outcome.code) for outcome in outcomes] == [(SMSPartnerCredentialsError, 10)] * 3
    assert len(vendor.asked) == 1


def test_a_client_that_cannot_be_opened_fails_all_and_hangs_none() -> None:
    async def main() -> list[Any]:
        async def open_client() -> Any:
            raise ValueError("no certificates")

        polls = SharedPolls(open_client)
        return await asyncio.gather(*(poll(polls, wait_for(n)) for n in range(3)), return_exceptions=True)

    assert [str(outcome) for outcome in asyncio.run(main())] == ["no certificates"] * 3


def test_a_long_list_is_asked_for_by_itself() -> None:
    vendor = Vendor()

    long, short = run(
        vendor, lambda polls: asyncio.gather(poll(polls, wait_for(*range(1200))), poll(polls, wait_for(5000)))
    )

    assert sorted(map(len, vendor.asked)) == [1, 200, 500, 500]
    assert counts_of(long).total() == 1200
    assert counts_of(short).total() == 1


def test_a_long_list_that_is_let_go_of_while_it_is_read_is_asked_for_no_further() -> None:
    class Watched(Vendor):
        async def send_once(self, call: Call[Any]) -> Any:
            if len(self.asked) == 2:
                third_call.set()
            return await super().send_once(call)

    vendor, third_call = Watched(), asyncio.Event()
    abandoned, backlog = wait_for(), PendingOnDisk()
    backlog.load(map(ref, range(3_000)))
    abandoned.campaign.messages = backlog

    async def main(polls: SharedPolls) -> Tally:
        with closing(backlog):
            task = asyncio.ensure_future(poll(polls, abandoned))
            await third_call.wait()
            task.cancel()
            await asyncio.wait([task])
        return await poll(polls, wait_for(5_000))

    assert counts_of(run(vendor, main, in_flight=1)).total() == 1
    assert list(map(len, vendor.asked)) == [500, 500, 500, 1]


@asynccontextmanager
async def taking_part(conn_id: str) -> AsyncIterator[SharedPolls]:
    async with (
        connection_in_use(conn_id) as connection,
        shared_polls(connection, await connection.look_up()) as polls,
    ):
        yield polls


W, D = DeliveryStatus.WAITING, DeliveryStatus.DELIVERED


def test_waits_for_one_tag_share_one_reading() -> None:
    vendor = Vendor(pages={"spring": [[D, D], [D]]})

    tallies = run(
        vendor, lambda polls: asyncio.gather(*(poll(polls, wait_for(tag="spring")) for _ in range(50)))
    )

    assert vendor.asked == [("spring", 1), ("spring", 2)]
    assert [counts_of(tally) for tally in tallies] == [Counter({D: 3})] * 50


def test_a_tag_is_read_only_as_far_as_its_verdict_needs() -> None:
    pages = {"spring": [[D, D], [D, W], [W, D]]}
    vendor = Vendor(pages=pages)

    async def main(polls: SharedPolls) -> list[Tally]:
        first = await poll(polls, wait_for(tag="spring"))
        second = await poll(polls, wait_for(tag="spring"))
        pages["spring"][1] = [D, D]
        third = await poll(polls, wait_for(tag="spring"))
        pages["spring"][2] = [D, D]
        return [first, second, third, await poll(polls, wait_for(tag="spring"))]

    first, second, third, last = run(vendor, main)

    pages_asked = [page for _, page in vendor.asked]
    assert pages_asked == [1, 2, 2, 2, 1, 2, 3, 1, 2, 3]
    assert (first.waiting_on_page, second.waiting_on_page) == (2, 2)
    assert counts_of(third) == Counter({D: 5, W: 1})
    assert counts_of(last) == Counter({D: 6})


def test_a_ratio_or_a_passed_deadline_needs_the_whole_tag() -> None:
    vendor = Vendor(pages={"spring": [[W], [D]]})

    async def main(polls: SharedPolls) -> list[Tally]:
        return [
            await poll(polls, wait_for(tag="spring", settled_ratio=0.5)),
            await poll(polls, wait_for(tag="spring", timeout=-1)),
        ]

    for tally in run(vendor, main):
        assert counts_of(tally) == Counter({D: 1, W: 1})


def test_a_tag_of_one_page_is_always_counted() -> None:
    vendor = Vendor(pages={"spring": [[W, D]]})

    tally = run(vendor, lambda polls: poll(polls, wait_for(tag="spring")))

    assert counts_of(tally) == Counter({D: 1, W: 1})


def test_waits_share_on_one_connection_as_it_was_found_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with SMSPartnerDouble(api_key="old") as double:

        def connection(conn_id: str, **extra: Any) -> None:
            for name, value in double.connection_env(conn_id, requests_per_minute=0, **extra).items():
                monkeypatch.setenv(name, value)

        connection("one")
        connection("other")

        async def main() -> None:
            async with (
                taking_part("one") as first,
                taking_part("one") as same,
                taking_part("other") as other,
            ):
                assert first is same
                assert first is not other
                connection("one", timeout=3)
                async with taking_part("one") as changed:
                    assert changed is not first
            async with taking_part("other") as again:
                assert again is not other

        asyncio.run(main())


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that are looked up, each of which takes a moment."""
    seen: list[str] = []

    async def look_up(conn_id: str) -> Any:
        seen.append(conn_id)
        await asyncio.sleep(0.05)
        return await get_async_connection(conn_id)

    monkeypatch.setattr(connections, "get_async_connection", look_up)
    return seen


async def take_part(conn_id: str) -> SharedPolls:
    async with taking_part(conn_id) as polls:
        await asyncio.sleep(0.1)
        return polls


def test_waits_that_begin_together_look_the_connection_up_together(
    double: SMSPartnerDouble, look_ups: list[str]
) -> None:
    async def main() -> None:
        waits = [asyncio.ensure_future(take_part("smspartner_default")) for _ in range(60)]
        await asyncio.sleep(0.01)
        waits[0].cancel()
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert len(set(outcomes[1:])) == 1
        await take_part("smspartner_default")

    asyncio.run(main())
    # Who comes later looks it up anew.
    assert look_ups == ["smspartner_default"] * 2


def test_each_wait_has_its_own_error_of_a_missing_connection(look_ups: list[str]) -> None:
    async def main() -> list[Any]:
        return await asyncio.gather(*(take_part("nowhere") for _ in range(3)), return_exceptions=True)

    errors = asyncio.run(main())

    assert [type(error) for error in errors] == [SMSPartnerUnavailableError] * 3
    assert ["nowhere" in str(error) for error in errors] == [True] * 3
    assert len({id(error) for error in errors}) == 3


def test_one_connection_keeps_to_its_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    with SMSPartnerDouble(api_key="key", latency=0.02) as double:
        for name, value in double.connection_env("one", requests_per_minute=0, max_connections=2).items():
            monkeypatch.setenv(name, value)
        for number in range(3000):
            double.add_message(*map(str, ref(number)), "Delivered")

        async def one(number: int) -> Tally:
            async with taking_part("one") as polls:
                return await poll(polls, wait_for(number), due_in=0.5)

        async def main() -> list[Tally]:
            return await asyncio.gather(*(one(number) for number in range(3000)))

        tallies = asyncio.run(main())

    assert [counts_of(tally) for tally in tallies] == [Counter({D: 1})] * 3000
    assert double.max_in_flight <= 2
    assert len({request.peer_port for request in double.requests}) <= 2
