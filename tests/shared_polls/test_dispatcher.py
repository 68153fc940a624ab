"""Many waits, few calls: each wait gets its own rows in time, and the trouble of one is no other's."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_polls.vendor import (
    DOWN,
    WRONG_KEY,
    D,
    Vendor,
    W,
    counts_of,
    on_a_loop,
    poll,
    polls_of,
    ref,
    run,
    seconds,
    status_of,
    wait_for,
)
from virtual_time import virtual_now

from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._shared_polls.schedule import Schedule
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerRequestError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef
from airflow_provider_smspartner.protocol import Call

REFUSED = SMSPartnerRequestError("refused", code=6)
FAILURES = st.sampled_from(
    [None, None, DOWN, REFUSED, SMSPartnerNotFoundError("x", code=4), WRONG_KEY, RuntimeError("x")]
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
task_of_the_log: ContextVar[str] = ContextVar("task_of_the_log", default="none")


def refusing(*numbers: int) -> Any:
    return lambda asked, _: REFUSED if {*map(str, numbers)} & {*asked} else None


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
    vendor = Vendor(failures=failures, trouble=refusing(*poison))

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


@pytest.mark.parametrize(
    ("lists", "calls"),
    [
        ([[n] for n in range(1000)], [500, 500]),
        ([range(start, start + 300) for start in (0, 300, 600)], [400, 500]),
        ([range(1200), [5000]], [1, 200, 500, 500]),
        ([[]], []),
    ],
    ids=["of one message", "in two calls", "a long list by itself", "without messages"],
)
def test_waits_are_answered_in_full_by_as_few_calls_as_there_may_be(lists: Any, calls: list[int]) -> None:
    vendor = Vendor()

    tallies = run(vendor, lambda polls: asyncio.gather(*(poll(polls, wait_for(*each)) for each in lists)))

    assert sorted(map(len, vendor.asked)) == calls
    assert [counts_of(tally) for tally in tallies] == [
        Counter(status_of(str(number)) for number in each) for each in lists
    ]


def test_a_late_answer_to_a_poll_that_has_failed_is_nobodys() -> None:
    vendor = Vendor(failures=[DOWN], delays={1: 0.2, 2: 0.3, 3: 0.5})
    lists = [range(300), range(300, 600)]

    async def poll_twice(polls: SharedPolls, numbers: range) -> list[Tally]:
        tallies: list[Tally] = []

        def answered(tally: Tally) -> datetime | None:
            tallies.append(tally)
            return virtual_now() if len(tallies) < 2 else None

        await polls.poll(wait_for(*numbers), virtual_now(), answered)
        return tallies

    for failed, whole in run(
        vendor, lambda polls: asyncio.gather(*(poll_twice(polls, each) for each in lists))
    ):
        assert str(failed.trouble) == "down"
        assert counts_of(whole).total() == 300
    # The second poll took both calls of its own: neither could be spared for the late one.
    assert (len(vendor.asked), vendor.answered) == (4, 3)


def test_a_poll_leaves_nothing_for_the_collector() -> None:
    # Python's garbage collector searches the whole heap once it has grown by a quarter, and the event loop stands still
    # meanwhile. So a wait between two polls must not have more objects than before: 500 waits poll four times, those
    # that live after the second poll are put aside, and those that the third and fourth have added are counted.
    polled: Counter[int] = Counter()
    left: list[int] = []

    async def keep_polling(polls: SharedPolls, number: int) -> None:
        wait = wait_for(number)

        def answered(tally: Tally) -> datetime | None:
            wait.conclude(tally)
            polled[number] += 1
            if number == 499 and polled[number] == 2:
                gc.freeze()
            if number == 499 and polled[number] == 4:
                left.append(len(gc.get_objects()))
            return virtual_now() + timedelta(seconds=1) if polled[number] < 4 else None

        await polls.poll(wait, virtual_now(), answered)

    run(Vendor(status=W), lambda polls: asyncio.gather(*(keep_polling(polls, n) for n in range(500))))

    # Less than one object for each wait.
    assert left[0] < 400


def test_waits_out_of_step_come_into_step_and_stay_there() -> None:
    vendor = Vendor()

    async def keep_polling(polls: SharedPolls, number: int) -> None:
        tallies: list[Tally] = []

        def answered(tally: Tally) -> datetime | None:
            tallies.append(tally)
            return virtual_now() + timedelta(seconds=60) if len(tallies) < 5 else None

        await polls.poll(
            wait_for(number, timeout=900), virtual_now() + timedelta(seconds=0.6 * number), answered
        )
        assert [counts_of(tally).total() for tally in tallies] == [1] * 5

    run(vendor, lambda polls: asyncio.gather(*(keep_polling(polls, n) for n in range(100))))

    # 100 waits, 5 polls each, alone: 500 calls.
    assert len(vendor.asked) <= 12


class Torn(PendingInMemory):
    """Messages that can't be read any more, as those of a file whose wait was cancelled, or whose disk has failed."""

    is_torn = True

    def __iter__(self) -> Iterator[MessageRef]:
        if self.is_torn:
            raise OSError("torn")
        return super().__iter__()


def test_messages_that_cannot_be_read_are_the_trouble_of_one_wait() -> None:
    async def main(polls: SharedPolls) -> list[Any]:
        torn = wait_for()
        torn.campaign.messages = Torn([ref(1)])
        return [*await asyncio.gather(poll(polls, torn), poll(polls, wait_for(2)), return_exceptions=True)]

    error, tally = run(Vendor(), main)

    assert str(error) == "torn"
    assert counts_of(tally) == Counter({status_of("2"): 1})


@pytest.mark.parametrize("size", [1, 600], ids=["shared", "long"])
@pytest.mark.parametrize(("status", "is_silent"), [(DeliveryStatus.NOT_FOUND, True), (W, False)])
def test_a_wait_is_told_of_messages_that_were_left_unanswered(
    size: int, status: DeliveryStatus, is_silent: bool
) -> None:
    async def main(polls: SharedPolls) -> list[Tally]:
        return [*await asyncio.gather(poll(polls, wait_for(*range(size))), poll(polls, wait_for(size)))]

    vendor = Vendor()
    vendor.status = status

    assert [tally.is_silent for tally in run(vendor, main)] == [is_silent] * 2


@pytest.mark.parametrize(("failure", "others"), [(None, 1), (REFUSED, 1), (REFUSED, 3)])
def test_a_wait_that_lets_go_of_its_messages_under_way_leaves_the_others(
    failure: Exception | None, others: int
) -> None:
    async def main(polls: SharedPolls) -> list[Tally]:
        def let_go() -> None:
            leaving.cancel()
            messages.is_torn = True

        wait, messages = wait_for(), Torn([ref(1)])
        messages.is_torn = False
        wait.campaign.messages = messages
        leaving = asyncio.ensure_future(poll(polls, wait))
        asyncio.get_running_loop().call_later(1, let_go)
        tallies = await asyncio.gather(*(poll(polls, wait_for(n)) for n in range(2, 2 + others)))
        assert leaving.cancelled()
        return tallies

    vendor = Vendor(failures=[failure], delays={0: 2.0})
    assert [counts_of(tally).total() for tally in run(vendor, main)] == [1] * others


@pytest.mark.parametrize(
    ("vendor", "subjects", "outcomes", "calls"),
    [
        (Vendor(failures=[DOWN]), [[1], [2], [3]], ["down"] * 3, 1),
        (Vendor(failures=[WRONG_KEY]), [[1], [2], [3]], [WRONG_KEY] * 3, 1),
        (Vendor(trouble=refusing(2)), [[1], [2], [3]], [None, REFUSED, None], 5),
        (Vendor(failures=[None, DOWN]), [range(1_200)], ["down"], 3),
        (Vendor(failures=[None, REFUSED]), [range(1_200)], [REFUSED], 3),
        (Vendor(failures=[DOWN]), ["spring", "spring", "autumn"], ["down", "down", None], 2),
        (Vendor(pages={"spring": [[D], [D]]}, failures=[None, DOWN]), ["spring"] * 2, ["down"] * 2, 2),
        (Vendor(failures=[REFUSED]), ["spring", "spring", "autumn"], [REFUSED, REFUSED, None], 2),
    ],
    ids=[
        *("a call down", "a key", "a message refused", "a long list down", "a long list refused"),
        *("a tag down", "a second page down", "a tag refused"),
    ],
)
def test_trouble_is_that_of_the_waits_it_is_about_and_each_has_its_own(
    vendor: Vendor, subjects: list[Any], outcomes: list[Any], calls: int
) -> None:
    async def main(polls: SharedPolls) -> list[Any]:
        waits = [
            wait_for(tag=subject) if isinstance(subject, str) else wait_for(*subject) for subject in subjects
        ]
        return await asyncio.gather(*(poll(polls, wait) for wait in waits), return_exceptions=True)

    found = run(vendor, main)

    errors = [each if isinstance(each, Exception) else each.trouble for each in found]
    expected = [DOWN if each == "down" else each for each in outcomes]
    assert [(type(each), str(each)) for each in errors] == [(type(each), str(each)) for each in expected]
    assert [isinstance(each, Tally) for each in found] == [each in ("down", None) for each in outcomes]
    troubles = [id(each) for each in errors if each is not None]
    assert len({*troubles}) == len(troubles)
    assert len(vendor.asked) == calls


@on_a_loop
async def test_a_client_that_cannot_be_opened_fails_all_and_hangs_none() -> None:
    async def open_client() -> Any:
        raise ValueError("no certificates")

    polls = SharedPolls(open_client)
    outcomes = await asyncio.gather(*(poll(polls, wait_for(n)) for n in range(3)), return_exceptions=True)

    assert list(map(str, outcomes)) == ["no certificates"] * 3


@on_a_loop
async def test_a_wait_that_joins_while_failed_polls_close_does_not_hang() -> None:
    is_closing, may_close = asyncio.Event(), asyncio.Event()

    class SlowToClose(Vendor):
        async def close(self) -> None:
            is_closing.set()
            await may_close.wait()

    def unforeseen(_: Schedule) -> list[Any]:
        raise ZeroDivisionError

    polls = polls_of(SlowToClose())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Schedule, "take_due", unforeseen)
        first = asyncio.create_task(poll(polls, wait_for(1)))
        await is_closing.wait()
        second = asyncio.create_task(poll(polls, wait_for(1)))
        await asyncio.sleep(0)
        may_close.set()
        outcomes = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 2


async def _has_changed(_: float, __: bool) -> bool:
    return True


@on_a_loop
async def test_once_the_connection_has_changed_all_waits_go_on_elsewhere_when_they_are_due() -> None:
    vendor = Vendor(trouble=lambda asked, _: None if asked == ("late", 1) else DOWN, delays={0: 1.0, 1: 2.0})
    polls = polls_of(vendor, has_changed=_has_changed)
    now = virtual_now()
    answers: list[Tally] = []

    def answered(tally: Tally) -> datetime:
        answers.append(tally)
        return now + timedelta(seconds=500)

    outcomes = await asyncio.gather(
        polls.poll(wait_for(tag="down"), now, answered),
        polls.poll(wait_for(tag="late"), now, answered),
        *(
            polls.poll(wait_for(n), now + timedelta(seconds=due_in), answered)
            for n, due_in in ((3, 1000), (4, 2000))
        ),
    )
    assert polls.is_over
    outcomes.append(await polls.poll(wait_for(5), now, answered))
    await polls.close()

    # The poll that failed is made again at once, and the one that was answered late is not.
    assert [(due - now).total_seconds() for due in outcomes if due] == pytest.approx(
        [1.05, 500, 1000, 2000, 0]
    )
    assert (len(answers), vendor.asked, vendor.closed) == (1, [("down", 1), ("late", 1)], 1)


@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_long_list_is_read_as_its_calls_are_sent_as_many_at_once_as_allowed(in_flight: int) -> None:
    class Watched(PendingInMemory):
        def __iter__(self) -> Iterator[MessageRef]:
            for taken, each in enumerate(super().__iter__(), start=1):
                ahead.append(taken - 500 * vendor.answered)
                yield each

    async def main(polls: SharedPolls) -> list[MessageRef]:
        wait = wait_for()
        wait.campaign.messages = Watched(map(ref, range(4_000)))
        await poll(polls, wait)
        assert wait.campaign.settled.total() == 4_000 - len(wait.campaign.messages)
        return [*wait.campaign.messages]

    ahead: list[int] = []
    vendor = Vendor(seconds=1.0)

    still_asked = run(vendor, main, in_flight=in_flight)

    assert (len(vendor.asked), vendor.most_in_flight) == (8, in_flight)
    # Its messages may be in a file: beside the calls in flight one is ready, and one result is handed over.
    assert max(ahead) <= (in_flight + 2) * 500
    assert still_asked == [ref(n) for n in range(4_000) if not status_of(str(n)).is_final]


def test_a_long_list_that_is_let_go_of_while_it_is_read_is_asked_for_no_further() -> None:
    vendor = Vendor(seconds=1.0)

    async def main(polls: SharedPolls) -> Tally:
        abandoned, backlog = wait_for(), PendingOnDisk()
        backlog.load(map(ref, range(3_000)))
        abandoned.campaign.messages = backlog
        with closing(backlog):
            task = asyncio.ensure_future(poll(polls, abandoned))
            await asyncio.sleep(2.5)
            task.cancel()
            await asyncio.wait([task])
        return await poll(polls, wait_for(5_000))

    assert counts_of(run(vendor, main, in_flight=1)).total() == 1
    assert list(map(len, vendor.asked)) == [500, 500, 500, 1]


def test_a_tag_is_read_only_as_far_as_its_verdict_needs() -> None:
    pages = {"spring": [[D, D], [D, W], [W, D]]}
    vendor = Vendor(pages=pages)

    tallies: list[Tally] = []

    def answered(tally: Tally) -> datetime | None:
        tallies.append(tally)
        if len(tallies) in (2, 3):
            pages["spring"][len(tallies) - 1] = [D, D]
        return virtual_now() if len(tallies) < 4 else None

    async def main(polls: SharedPolls) -> None:
        await polls.poll(wait_for(tag="spring"), virtual_now(), answered)
        pages["spring"][1] = [D, W]
        for _ in range(2):  # nothing is kept of a wait that has ended
            await poll(polls, wait_for(tag="spring"))

    run(vendor, main)
    first, second, third, last = tallies

    pages_asked = [page for _, page in vendor.asked]
    assert pages_asked == [1, 2, 2, 2, 1, 2, 3, 1, 2, 3, *[1, 2] * 2]
    assert [(each.waiting_on_page, each.counts.total(), each.total) for each in (first, second)] == [
        (2, 4, 6),
        (2, 2, 6),
    ]
    assert counts_of(third) == Counter({D: 5, W: 1})
    assert counts_of(last) == Counter({D: 6})


@pytest.mark.parametrize(
    ("pages", "needs"),
    [([[W], [D]], {"settled_ratio": 0.5}), ([[W], [D]], {"timeout": -1.0}), ([[W, D]], {})],
    ids=["a ratio", "a passed deadline", "one page"],
)
def test_a_whole_tag_is_counted_where_the_wait_needs_it_or_it_has_one_page(pages: Any, needs: Any) -> None:
    tally = run(Vendor(pages={"spring": pages}), lambda polls: poll(polls, wait_for(tag="spring", **needs)))

    assert counts_of(tally) == Counter({D: 1, W: 1})


def test_polls_end_soon_after_the_deadlines_of_their_waits_one_after_the_other() -> None:
    async def main(polls: SharedPolls) -> list[Any]:
        ended = []
        for number in range(2):
            began = seconds()
            tally = await poll(polls, wait_for(number, timeout=30))
            ended.append((str(tally.trouble), seconds() - began))
            await asyncio.sleep(100)  # the sweeper has found nothing under way
        assert not polls._polling | polls._subscribers
        return ended

    # A call that is on its way may take two seconds more, and polls are looked through four times a second.
    for trouble, took in run(Vendor(seconds=300), main):
        assert "The time was over" in trouble
        assert 32 <= took <= 32.25


def test_a_poll_of_a_wait_that_has_time_is_not_given_up() -> None:
    assert counts_of(run(Vendor(seconds=50), lambda polls: poll(polls, wait_for(1)))).total() == 1


def test_calls_are_sent_in_the_context_of_no_wait_and_answered_in_that_of_each() -> None:
    class Watched(Vendor):
        async def send_once(self, call: Call[Any], *_: Any) -> Any:
            seen.append(task_of_the_log.get())
            return await super().send_once(call)

    seen: list[str] = []

    async def main(polls: SharedPolls) -> None:
        task_of_the_log.set("a task's")
        await polls.poll(wait_for(1), virtual_now(), lambda _: seen.append(task_of_the_log.get()))

    run(Watched(), main)

    assert seen == ["none", "a task's"]
