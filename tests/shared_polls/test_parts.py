"""The parts of the shared polls by themselves: who is due, what goes into a call, who goes on after an event."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from shared_polls.vendor import OUTCOMES, on_a_loop, ref, subscriber
from virtual_time import EPOCH, virtual_now

from airflow_provider_smspartner._shared_polls.per_loop import PerLoop
from airflow_provider_smspartner._shared_polls.schedule import Schedule
from airflow_provider_smspartner._shared_polls.shared_call import shared_calls
from airflow_provider_smspartner._shared_polls.subscriber import ImpossibleStepError, State, Subscriber
from airflow_provider_smspartner._shared_polls.waiters import AT_ONCE, Waiters
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.models import DeliveryStatus


def scheduled(*due_in: tuple[Subscriber, float]) -> Schedule:
    schedule = Schedule()
    for each, delay in due_in:
        schedule.add(each, virtual_now() + timedelta(seconds=delay))
    return schedule


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
        await asyncio.sleep(1_000)
        schedule, changes = Schedule(), []
        for delay in (60.0, 90.0, 30.0):
            schedule.first_changed.clear()
            schedule.add(subscriber(1), virtual_now() + timedelta(seconds=delay))
            changes.append(schedule.first_changed.is_set())

        assert changes == [True, False, True]
        assert schedule.first_due == 1_030

    @on_a_loop
    async def test_who_is_due_is_taken_in_order_and_only_once(self) -> None:
        first, second, later = (subscriber(n) for n in range(3))
        schedule = scheduled((second, -1.0), (later, 60.0), (first, -2.0))

        assert schedule.take_due() == [first, second]
        assert schedule.take_due() == []
        assert schedule.take_all() == [later]
        assert schedule.first_due is None

    @on_a_loop
    async def test_all_of_a_tag_poll_along_once_half_of_their_pause_has_passed(self) -> None:
        due, may, may_not = (subscriber(tag="spring") for _ in range(3))
        other = subscriber(tag="autumn")
        schedule = scheduled((due, 30.0), (may, 59.0), (may_not, 61.0), (other, 31.0))
        await asyncio.sleep(30)

        assert schedule.take_due() == [due, may]
        assert schedule.take_all() == [other, may_not]

    @on_a_loop
    async def test_a_tag_is_forgotten_with_its_last_wait(self) -> None:
        due, removed = subscriber(tag="spring"), subscriber(tag="spring")
        schedule = scheduled((due, -1.0), (removed, -1.0))
        schedule.remove(removed)

        assert schedule.take_due() == [due]
        schedule.add(due, virtual_now())
        assert schedule.take_due() == [due]
        assert not schedule._by_tag

    @pytest.mark.parametrize("place", [0, 2, 3])
    @on_a_loop
    async def test_one_of_several_that_are_due_at_the_same_time_is_removed(self, place: int) -> None:
        waits = [subscriber(n) for n in range(4)]
        schedule = scheduled(*((each, 60.0) for each in waits))

        schedule.remove(waits[place])
        schedule.remove(waits[place])

        assert schedule.take_all() == waits[:place] + waits[place + 1 :]

    @on_a_loop
    async def test_lists_poll_along_as_far_as_the_last_call_has_room(self) -> None:
        due, long, second, too_long, fits = (
            subscriber(*numbers)
            for numbers in (
                range(300),
                range(1_000, 1_500),
                range(300, 500),
                range(600, 950),
                range(500, 799),
            )
        )
        tag = subscriber(tag="spring")
        schedule = scheduled(
            (due, 30.0), (long, 30.0), (second, 30.0), (tag, 40.0), (too_long, 41.0), (fits, 42.0)
        )
        await asyncio.sleep(30)

        # The call of those that are due is full, and so is that of the long list: nobody else would fit.
        assert schedule.take_due() == [due, long, second]
        few = subscriber(1000, 1001)
        schedule.add(few, virtual_now() + timedelta(seconds=8))
        schedule.add(due, virtual_now() + timedelta(seconds=5))
        await asyncio.sleep(5)
        # Now there is room for 200 beside the 300 that are due.
        assert schedule.take_due() == [due, few]
        assert schedule.take_all() == [tag, too_long, fits]

    @on_a_loop
    async def test_waits_join_until_the_call_is_full(self) -> None:
        due, half, exact, more = (
            subscriber(*numbers)
            for numbers in (range(100), range(100, 300), range(300, 500), range(500, 501))
        )
        schedule = scheduled((due, 30.0), (half, 40.0), (exact, 41.0), (more, 42.0))
        await asyncio.sleep(30)

        assert schedule.take_due() == [due, half, exact]


class TestSubscriber:
    @on_a_loop
    async def test_a_poll_begins_and_is_answered_once(self) -> None:
        each = subscriber(1)
        with pytest.raises(ImpossibleStepError, match=r"^FINISH while SCHEDULED$"):
            each.answer()
        each.take(0.0)
        with pytest.raises(ImpossibleStepError, match=r"^TAKE while POLLING$"):
            each.take(0.0)

    @on_a_loop
    async def test_only_an_answer_to_the_poll_under_way_counts(self) -> None:
        each = subscriber(1, answered=lambda _: EPOCH, is_polling=True)
        for number in range(3):
            assert [each.wants(poll) for poll in range(4)] == [poll == number for poll in range(4)]
            assert each.answer() == EPOCH
            assert not any(each.wants(poll) for poll in range(4))
            each.take(0.0)

    @pytest.mark.parametrize("ends", ["answered", "cancelled"])
    @on_a_loop
    async def test_what_comes_after_the_end_changes_nothing(self, ends: str) -> None:
        each = subscriber(1, is_polling=True)
        each.answer() if ends == "answered" else each.outcome.cancel()
        each.fail(ValueError("x"))
        each.move(EPOCH)

        assert each.answer() is None
        assert (each.state, each.wants(0), each.outcome.cancelled()) == (
            State.ENDED,
            False,
            ends == "cancelled",
        )

    @on_a_loop
    async def test_a_move_forgets_what_the_poll_has_read(self) -> None:
        each = subscriber(1, is_polling=True)
        each.calls_left = 2
        each.add({ref(1): OUTCOMES[DeliveryStatus.DELIVERED]})
        each.move(EPOCH)

        assert (each.size, await each.outcome) == (1, EPOCH)

    @on_a_loop
    async def test_an_error_of_who_takes_the_answer_is_the_waits(self) -> None:
        def answered(_: Tally) -> None:
            raise ValueError("a fault of the trigger")

        each = subscriber(1, answered=answered, is_polling=True)

        assert each.answer() is None
        with pytest.raises(ValueError, match="a fault of the trigger"):
            await each.outcome


class TestSharedCalls:
    @on_a_loop
    async def test_a_call_holds_500_messages_each_once_whosever_they_are(self) -> None:
        first, second, third = subscriber(*range(300)), subscriber(*range(300, 600)), subscriber(0, 599)
        second.poll_number = 7

        calls = shared_calls([first, second, third])

        assert [list(call.messages) for call in calls] == [
            [ref(n) for n in range(500)],
            [ref(n) for n in range(500, 600)],
        ]
        assert [call.subscribers for call in calls] == [
            {first: 0, second: 7, third: 0},
            {second: 7, third: 0},
        ]
        assert [each.calls_left for each in (first, second, third)] == [1, 2, 2]

    @on_a_loop
    async def test_a_part_is_for_some_waits_and_their_messages(self) -> None:
        waits = [subscriber(n, n + 1) for n in (1, 2, 3)]
        waits[2].poll_number = 5
        (call,) = shared_calls(waits)

        part = call.part_for(iter(waits[1:]))

        assert list(part.messages) == [ref(2), ref(3), ref(4)]
        assert part.subscribers == {waits[1]: 0, waits[2]: 5}


class TestWaiters:
    @on_a_loop
    async def test_go_on_in_order_a_few_at_a_time(self) -> None:
        waiters: Waiters[int] = Waiters()
        futures = [waiters.add() for _ in range(2 * AT_ONCE + 1)]
        waiters.release(7)
        later = waiters.add()

        released = [sum(each.done() for each in futures)]
        for _ in range(2):
            await asyncio.sleep(0)
            released.append(sum(each.done() for each in futures))

        assert released == [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1]
        assert {await each for each in futures} == {7}
        # Who begins to wait later is not released.
        await asyncio.sleep(1)
        assert not later.done()
        assert waiters

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


class TestPerLoop:
    @on_a_loop
    async def test_a_stale_object_is_kept_by_its_users_only(self) -> None:
        closed: list[str] = []

        async def close(each: list[str]) -> None:
            closed.extend(each)

        shared: PerLoop[str, list[str]] = PerLoop(close)

        def use(name: str) -> Any:
            return shared.use("a", lambda: [name], is_stale=lambda each: each == ["old"])

        old = use("old")
        await old.__aenter__()
        async with use("new") as new:
            assert new == ["new"]
            await old.__aexit__(None, None, None)
            assert closed == ["old"]
            async with use("newer") as same:
                assert same is new
        assert closed == ["old", "new"]
