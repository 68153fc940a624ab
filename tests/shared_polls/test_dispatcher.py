"""Many waits, few calls: each wait gets its own rows, and the trouble of one is no other's."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_polls.vendor import (
    D,
    Vendor,
    W,
    counts_of,
    poll,
    polls_of,
    ref,
    run,
    status_of,
    wait_for,
)

from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._shared_polls.schedule import Schedule
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef
from airflow_provider_smspartner.protocol import Call

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


@settings(max_examples=60)
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
    # Python's garbage collector searches the whole heap once it has grown by a quarter, and the event loop stands still
    # meanwhile. So a wait between two polls must not have more objects than before: 500 waits poll four times, those
    # that live after the second poll are put aside, and those that the third and fourth have added are counted.
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
    run(vendor, lambda polls: asyncio.gather(*(keep_polling(polls, number) for number in range(500))))

    # Less than one object for each wait.
    assert left[0] < 400


def test_a_message_of_several_waits_is_asked_for_once() -> None:
    vendor = Vendor()

    first, second = run(
        vendor, lambda polls: asyncio.gather(poll(polls, wait_for(1, 2)), poll(polls, wait_for(2, 3)))
    )

    assert sorted(vendor.asked[0]) == ["1", "2", "3"]
    assert counts_of(first) == Counter(map(status_of, "12"))
    assert counts_of(second) == Counter(map(status_of, "23"))


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
    class LeftUnderWay(Vendor):
        async def send_once(self, call: Call[Any]) -> Any:
            if not self.asked:
                leaving.cancel()
                messages.is_torn = True
            return await super().send_once(call)

    leaving: asyncio.Future[Tally]
    vendor = LeftUnderWay(failures=[failure], delays={0: 0.1})
    messages = Torn([ref(1)])
    messages.is_torn = False
    wait = wait_for()
    wait.campaign.messages = messages

    async def main(polls: SharedPolls) -> list[Tally]:
        nonlocal leaving
        leaving = asyncio.ensure_future(poll(polls, wait))
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


def test_a_wait_that_joins_while_failed_polls_close_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[Any]:
        is_closing, may_close = asyncio.Event(), asyncio.Event()

        class SlowToClose(Vendor):
            async def close(self) -> None:
                is_closing.set()
                await may_close.wait()

        polls = polls_of(SlowToClose())
        first = asyncio.create_task(poll(polls, wait_for(1)))
        await is_closing.wait()
        second = asyncio.create_task(poll(polls, wait_for(1)))
        await asyncio.sleep(0)
        may_close.set()
        async with asyncio.timeout(10):
            return [*await asyncio.gather(first, second, return_exceptions=True)]

    def unforeseen(_: Schedule) -> list[Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(Schedule, "take_due", unforeseen)
    assert [type(outcome) for outcome in asyncio.run(main())] == [ZeroDivisionError] * 2


def test_once_the_connection_has_changed_all_waits_go_on_elsewhere_when_they_are_due() -> None:
    vendor = Vendor(failures=[SMSPartnerUnavailableError("down")])
    answers: list[Tally] = []

    async def open_client() -> Vendor:
        return vendor

    async def has_changed(_: float, __: bool) -> bool:
        return True

    async def main() -> list[float | None]:
        polls = SharedPolls(open_client, tries=1, has_changed=has_changed)
        now = datetime.now(UTC)
        outcomes = await asyncio.gather(
            *(
                polls.poll(wait_for(n), now + timedelta(seconds=due_in), answers.append)
                for n, due_in in ((1, 0.0), (2, 0.0), (3, 1000.0), (4, 2000.0))
            )
        )
        assert polls.is_over
        outcomes.append(await polls.poll(wait_for(5), now, answers.append))
        await polls.close()
        return [round((due - now).total_seconds(), -2) if due else None for due in outcomes]

    assert asyncio.run(asyncio.wait_for(main(), timeout=20)) == [0.0, 0.0, 1000.0, 2000.0, 0.0]
    # Nobody's poll has failed.
    assert (answers, len(vendor.asked), vendor.closed) == ([], 1, True)


def test_a_long_list_is_asked_for_by_itself() -> None:
    vendor = Vendor()

    long, short = run(
        vendor, lambda polls: asyncio.gather(poll(polls, wait_for(*range(1200))), poll(polls, wait_for(5000)))
    )

    assert sorted(map(len, vendor.asked)) == [1, 200, 500, 500]
    assert counts_of(long).total() == 1200
    assert counts_of(short).total() == 1


@pytest.mark.parametrize("in_flight", [1, 3])
def test_calls_of_a_long_list_are_in_flight_as_far_as_allowed(in_flight: int) -> None:
    class Watched(Vendor):
        async def send_once(self, call: Call[Any]) -> Any:
            under_way.append(len(self.asked) - self.answered + 1)
            return await super().send_once(call)

    under_way: list[int] = []
    vendor = Watched(delays=dict.fromkeys(range(8), 0.01))

    run(vendor, lambda polls: poll(polls, wait_for(*range(4_000))), in_flight=in_flight)

    assert len(vendor.asked) == 8
    assert max(under_way) == in_flight


def test_a_long_list_is_read_only_as_its_calls_are_sent() -> None:
    class Watched(PendingInMemory):
        def __iter__(self) -> Iterator[MessageRef]:
            for taken, each in enumerate(super().__iter__(), start=1):
                ahead.append(taken - 500 * vendor.answered)
                yield each

    ahead: list[int] = []
    vendor, wait = Vendor(), wait_for()
    wait.campaign.messages = Watched(map(ref, range(4_000)))

    run(vendor, lambda polls: poll(polls, wait), in_flight=2)

    # Its messages may be in a file: two calls are in flight, a third one is ready, and one result is handed over.
    assert max(ahead) <= 4 * 500


def test_final_messages_of_a_long_list_are_asked_for_no_more() -> None:
    vendor, wait = Vendor(), wait_for(*range(1_200))

    run(vendor, lambda polls: poll(polls, wait))

    still_asked = [ref.message_id for ref in wait.campaign.messages]
    assert still_asked == [str(n) for n in range(1_200) if not status_of(str(n)).is_final]
    assert wait.campaign.settled.total() == 1_200 - len(still_asked)


@pytest.mark.parametrize("error", [SMSPartnerRequestError("x", code=9), SMSPartnerUnavailableError("down")])
def test_the_trouble_of_one_call_is_that_of_the_whole_long_list(error: Exception) -> None:
    vendor = Vendor(failures=[None, error])

    (outcome,) = run(
        vendor, lambda polls: asyncio.gather(poll(polls, wait_for(*range(1_200))), return_exceptions=True)
    )

    if isinstance(error, SMSPartnerUnavailableError):
        assert (str(outcome.trouble), outcome.summary) == ("down", None)
    else:
        assert str(outcome) == "x"
        assert outcome.code == 9


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


def test_waits_for_one_tag_share_one_reading() -> None:
    vendor = Vendor(pages={"spring": [[D, D], [D]]})

    tallies = run(
        vendor, lambda polls: asyncio.gather(*(poll(polls, wait_for(tag="spring")) for _ in range(50)))
    )

    assert vendor.asked == [("spring", 1), ("spring", 2)]
    assert [counts_of(tally) for tally in tallies] == [Counter({D: 3})] * 50


@pytest.mark.parametrize("failed_call", [0, 1])
def test_the_trouble_of_one_page_is_that_of_all_waits_for_the_tag(failed_call: int) -> None:
    failures: list[Exception | None] = [None] * failed_call
    vendor = Vendor(pages={"spring": [[D, D], [D]]}, failures=[*failures, SMSPartnerUnavailableError("down")])

    tallies = run(vendor, lambda polls: asyncio.gather(*(poll(polls, wait_for(tag="spring")) for _ in "ab")))

    assert [(str(tally.trouble), tally.summary) for tally in tallies] == [("down", None)] * 2


def test_a_refusal_of_a_tag_is_no_other_tags() -> None:
    vendor = Vendor(pages={"spring": [[D]]}, failures=[SMSPartnerRequestError("x", code=90)])

    refused, also, other = run(
        vendor,
        lambda polls: asyncio.gather(
            *(poll(polls, wait_for(tag=tag)) for tag in ("summer", "summer", "spring")),
            return_exceptions=True,
        ),
    )

    assert (type(refused), refused.code) == (type(also), also.code) == (SMSPartnerRequestError, 90)
    assert counts_of(other) == Counter({D: 1})


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
