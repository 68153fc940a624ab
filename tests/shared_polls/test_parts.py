"""The parts of the shared polls by themselves: who is due, what goes into a call, who goes on after an event."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from shared_polls.vendor import on_a_loop, ref, wait_for

from airflow_provider_smspartner._shared_polls.per_loop import PerLoop
from airflow_provider_smspartner._shared_polls.schedule import Schedule
from airflow_provider_smspartner._shared_polls.shared_call import SharedCall, shared_calls
from airflow_provider_smspartner._shared_polls.subscriber import Subscriber
from airflow_provider_smspartner._shared_polls.waiters import AT_ONCE, Waiters

LONG = range(10_000, 10_500)


def subscriber(*numbers: int, tag: str | None = None) -> Subscriber:
    outcome: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
    return Subscriber(wait_for(*numbers, tag=tag), lambda _: None, copy_context(), outcome, deadline_at=60.0)


def scheduled(*due_in: tuple[Subscriber, float]) -> Schedule:
    schedule = Schedule()
    for each, seconds in due_in:
        schedule.add(each, datetime.now(UTC) + timedelta(seconds=seconds))
    return schedule


def half_of_the_pause_passes(*subscribers: Subscriber) -> None:
    for each in subscribers:
        each.joins_from = asyncio.get_running_loop().time()


class TestSchedule:
    @on_a_loop
    async def test_an_empty_one_has_nobody(self) -> None:
        schedule = Schedule()
        assert schedule.first_due is None
        assert schedule.take_due() == []
        assert schedule.take_all() == []
        schedule.remove(subscriber(1))

    @on_a_loop
    async def test_says_when_the_first_is_due_and_when_another_is_the_first(self) -> None:
        now = asyncio.get_running_loop().time()
        schedule, changes = Schedule(), []
        for seconds in (60.0, 90.0, 30.0):
            schedule.first_changed.clear()
            schedule.add(subscriber(1), datetime.now(UTC) + timedelta(seconds=seconds))
            changes.append(schedule.first_changed.is_set())

        assert changes == [True, False, True]
        assert schedule.first_due == pytest.approx(now + 30, abs=5)

    @on_a_loop
    async def test_a_wait_may_join_after_half_of_its_pause(self) -> None:
        now = asyncio.get_running_loop().time()
        each = subscriber(1)
        scheduled((each, 100.0))

        assert each.due_at == pytest.approx(now + 100, abs=5)
        assert each.joins_from == pytest.approx(now + 50, abs=5)

    @on_a_loop
    async def test_who_is_due_is_taken_in_order_and_only_once(self) -> None:
        first, second, later = (subscriber(n) for n in range(3))
        schedule = scheduled((second, -1.0), (later, 60.0), (first, -2.0))

        assert schedule.take_due() == [first, second]
        assert schedule.take_due() == []
        assert schedule.take_all() == [later]
        assert schedule.first_due is None

    @on_a_loop
    async def test_all_of_a_tag_poll_along_once_they_may(self) -> None:
        due, may, may_not = (subscriber(tag="spring") for _ in range(3))
        other = subscriber(tag="autumn")
        schedule = scheduled((due, -1.0), (may, 60.0), (may_not, 600.0), (other, 61.0))
        half_of_the_pause_passes(may, other)

        assert schedule.take_due() == [due, may]
        assert schedule.take_all() == [other, may_not]

    @on_a_loop
    async def test_a_tag_is_forgotten_with_its_last_wait(self) -> None:
        due, removed = subscriber(tag="spring"), subscriber(tag="spring")
        schedule = scheduled((due, -1.0), (removed, -1.0))
        schedule.remove(removed)

        assert schedule.take_due() == [due]
        schedule.add(due, datetime.now(UTC) - timedelta(seconds=1))
        assert schedule.take_due() == [due]
        assert not schedule._by_tag

    @pytest.mark.parametrize("place", range(4))
    @on_a_loop
    async def test_one_of_several_that_are_due_at_the_same_time_is_removed(self, place: int) -> None:
        waits = [subscriber(n) for n in range(4)]
        # Seconds apart, so that their order does not hang on the clock; then at the same time.
        schedule = scheduled(*((each, 60.0 + n) for n, each in enumerate(waits)))
        due = waits[0].due_at
        for each in waits:
            each.due_at = due

        schedule.remove(waits[place])
        schedule.remove(waits[place])

        assert schedule.take_all() == waits[:place] + waits[place + 1 :]

    @on_a_loop
    async def test_lists_poll_along_as_far_as_the_last_call_has_room(self) -> None:
        due, long, second, too_long, fits = (
            subscriber(*numbers)
            for numbers in (range(300), LONG, range(300, 500), range(600, 950), range(500, 799))
        )
        tag = subscriber(tag="spring")
        schedule = scheduled(
            (due, -3.0), (long, -2.0), (second, -1.0), (tag, 60.0), (too_long, 61.0), (fits, 62.0)
        )
        half_of_the_pause_passes(tag, too_long, fits)

        # The call of those that are due is full, and so is that of the long list: nobody else would fit.
        assert schedule.take_due() == [due, long, second]
        schedule.add(due, datetime.now(UTC) - timedelta(seconds=1))
        # Now there is room for 200 beside the 300 that are due.
        assert schedule.take_due() == [due]
        few = subscriber(1000, 1001)
        for each, seconds in ((due, -1.0), (few, 60.0)):
            schedule.add(each, datetime.now(UTC) + timedelta(seconds=seconds))
        half_of_the_pause_passes(few)
        assert schedule.take_due() == [due, few]
        assert schedule.take_all() == [tag, too_long, fits]

    @on_a_loop
    async def test_waits_join_until_the_call_is_full(self) -> None:
        due, half, exact, more = (
            subscriber(*numbers)
            for numbers in (range(100), range(100, 300), range(300, 500), range(500, 501))
        )
        schedule = scheduled((due, -1.0), (half, 60.0), (exact, 61.0), (more, 62.0))
        half_of_the_pause_passes(half, exact, more)

        assert schedule.take_due() == [due, half, exact]

    @on_a_loop
    async def test_who_may_not_join_yet_does_not(self) -> None:
        due, early = subscriber(1), subscriber(2)

        assert scheduled((due, -1.0), (early, 600.0)).take_due() == [due]


class TestSharedCalls:
    @on_a_loop
    async def test_a_message_of_several_waits_is_in_one_call(self) -> None:
        first, second = subscriber(1, 2), subscriber(2, 3)
        second.poll_number = 7

        (call,) = shared_calls([first, second])

        assert list(call.messages) == [ref(1), ref(2), ref(3)]
        assert call.subscribers == {first: 0, second: 7}
        assert (first.calls_left, second.calls_left) == (1, 1)

    @on_a_loop
    async def test_a_call_holds_500_messages(self) -> None:
        first, second, third = subscriber(*range(300)), subscriber(*range(300, 600)), subscriber(0, 599)

        calls = shared_calls([first, second, third])

        assert [len(call.messages) for call in calls] == [500, 100]
        assert [list(call.subscribers) for call in calls] == [[first, second, third], [second, third]]
        assert [each.calls_left for each in (first, second, third)] == [1, 2, 2]

    @on_a_loop
    async def test_a_part_is_for_some_waits_and_their_messages(self) -> None:
        waits = [subscriber(n, n + 1) for n in (1, 2, 3)]
        waits[2].poll_number = 5
        (call,) = shared_calls(waits)

        part = call.part_for(iter(waits[1:]))

        assert list(part.messages) == [ref(2), ref(3), ref(4)]
        assert part.subscribers == {waits[1]: 0, waits[2]: 5}

    @pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (2, [1, 1]), (5, [2, 3]), (0, [])])
    @on_a_loop
    async def test_halves_are_of_the_waits_that_still_want_it(self, count: int, sizes: list[int]) -> None:
        waits = [subscriber(n) for n in range(count)]
        gone = subscriber(99)
        call = SharedCall()
        for each in [gone, *waits]:
            each.take(0.0)
            call.subscribers[each] = 0
        gone.outcome.cancel()

        halves = list(call.halves())

        assert [len(half.subscribers) for half in halves] == sizes
        assert [each for half in halves for each in half.subscribers] == waits


class TestWaiters:
    @on_a_loop
    async def test_go_on_in_order_a_few_at_a_time(self) -> None:
        waiters: Waiters[int] = Waiters()
        futures = [waiters.add() for _ in range(2 * AT_ONCE + 1)]
        waiters.release(7)

        released = [sum(each.done() for each in futures)]
        for _ in range(2):
            await asyncio.sleep(0)
            released.append(sum(each.done() for each in futures))

        assert released == [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1]
        assert {await each for each in futures} == {7}
        assert not waiters

    @on_a_loop
    async def test_each_has_its_own_copy_of_an_error(self) -> None:
        waiters: Waiters[int] = Waiters()
        futures = [waiters.add() for _ in range(3)]
        error = ValueError("x")
        waiters.release(error)

        errors = [each.exception() for each in futures]

        assert [str(each) for each in errors] == ["x"] * 3
        assert len({id(each) for each in [*errors, error]}) == 4

    @on_a_loop
    async def test_who_was_cancelled_is_passed_over(self) -> None:
        waiters: Waiters[int] = Waiters()
        first, second, third = (waiters.add() for _ in range(3))
        first.cancel()

        assert waiters
        assert waiters.release_first(1)
        assert await second == 1
        third.cancel()
        assert not waiters.release_first(2)
        assert not waiters

        fourth, fifth = waiters.add(), waiters.add()
        fourth.cancel()
        waiters.release(3)
        assert await fifth == 3

    @on_a_loop
    async def test_who_begins_to_wait_later_is_not_released(self) -> None:
        waiters: Waiters[int] = Waiters()
        futures = [waiters.add() for _ in range(AT_ONCE + 1)]
        waiters.release(1)
        later = waiters.add()
        await asyncio.sleep(0.01)

        assert all(each.done() for each in futures)
        assert not later.done()
        assert waiters


class TestPerLoop:
    @on_a_loop
    async def test_the_first_user_makes_the_object_and_the_last_closes_it(self) -> None:
        closed: list[Any] = []

        async def close(each: Any) -> None:
            closed.append(each)

        shared: PerLoop[str, list[str]] = PerLoop(close)
        async with shared.use("a", lambda: ["first"]) as first:
            async with (
                shared.use("a", lambda: ["second"]) as same,
                shared.use("b", lambda: ["other"]) as other,
            ):
                assert same is first
                assert other == ["other"]
            assert closed == [["other"]]
        assert closed == [["other"], ["first"]]
        async with shared.use("a", lambda: ["third"]) as again:
            assert again == ["third"]

    @on_a_loop
    async def test_a_stale_object_is_kept_by_its_users_only(self) -> None:
        closed: list[str] = []

        async def close(each: list[str]) -> None:
            closed.extend(each)

        shared: PerLoop[str, list[str]] = PerLoop(close)

        def use(name: str) -> Any:
            return shared.use("a", lambda: [name], is_stale=lambda each: each == ["old"])

        async with use("new"):
            pass
        old = use("old")
        await old.__aenter__()
        async with use("new") as new:
            assert new == ["new"]
            await old.__aexit__(None, None, None)
            assert closed == ["new", "old"]
            async with use("newer") as same:
                assert same is new
        assert closed == ["new", "old", "new"]
