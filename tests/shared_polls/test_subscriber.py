"""The states of a wait that polls with others: what the table allows, and that nothing else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime

import pytest
from shared_polls.vendor import ref, wait_for

from airflow_provider_smspartner._shared_polls.subscriber import (
    TRANSITIONS,
    ImpossibleStepError,
    State,
    Step,
    Subscriber,
)
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)

Act = Callable[[Subscriber], object]

ACTS: dict[Step, Act] = {
    Step.TAKE: lambda subscriber: subscriber.take(0.0),
    Step.POLL_AGAIN: lambda subscriber: subscriber.answer(),
    Step.FINISH: lambda subscriber: subscriber.answer(),
    Step.FAIL: lambda subscriber: subscriber.fail(SMSPartnerCredentialsError("x")),
    Step.MOVE: lambda subscriber: subscriber.move(NOW),
}


async def subscriber_in(state: State, *, next_poll: datetime | None = None) -> Subscriber:
    def answered(_: Tally) -> datetime | None:
        return next_poll

    outcome: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
    subscriber = Subscriber(wait_for(1), answered, copy_context(), outcome, deadline_at=60.0)
    if state is not State.SCHEDULED:
        subscriber.take(0.0)
    if state is State.ENDED:
        subscriber.answer()
    return subscriber


@pytest.mark.parametrize(("state", "step"), TRANSITIONS, ids=lambda value: value.name)
def test_each_step_of_the_table_is_taken(state: State, step: Step) -> None:
    async def main() -> State:
        subscriber = await subscriber_in(state, next_poll=NOW if step is Step.POLL_AGAIN else None)
        ACTS[step](subscriber)
        if subscriber.outcome.done():
            subscriber.outcome.exception()
        return subscriber.state

    assert asyncio.run(main()) is TRANSITIONS[state, step]


@pytest.mark.parametrize("state", [State.POLLING, State.ENDED], ids=lambda state: state.name)
def test_a_poll_begins_only_once(state: State) -> None:
    async def main() -> None:
        (await subscriber_in(state)).take(0.0)

    with pytest.raises(ImpossibleStepError, match=f"^TAKE while {state.name}$"):
        asyncio.run(main())


def test_an_answer_without_a_poll_is_impossible() -> None:
    async def main() -> None:
        (await subscriber_in(State.SCHEDULED)).answer()

    with pytest.raises(ImpossibleStepError, match=r"^FINISH while SCHEDULED$"):
        asyncio.run(main())


def test_what_comes_after_the_end_changes_nothing() -> None:
    async def main() -> datetime | None:
        subscriber = await subscriber_in(State.ENDED)
        subscriber.fail(SMSPartnerUnavailableError("x"))
        subscriber.move(NOW)
        assert subscriber.answer() is None
        return await subscriber.outcome

    assert asyncio.run(main()) is None


def test_a_cancelled_wait_has_ended_at_once() -> None:
    async def main() -> tuple[State, bool, bool]:
        subscriber = await subscriber_in(State.POLLING)
        wanted = subscriber.wants(0)
        subscriber.outcome.cancel()
        subscriber.move(NOW)
        return subscriber.state, wanted, subscriber.wants(0)

    assert asyncio.run(main()) == (State.ENDED, True, False)


def test_an_answer_to_an_earlier_poll_does_not_count() -> None:
    async def main() -> list[bool]:
        subscriber = await subscriber_in(State.POLLING, next_poll=NOW)
        before = [subscriber.wants(0)]
        subscriber.answer()
        between = [subscriber.wants(0), subscriber.wants(1)]
        subscriber.take(0.0)
        return [*before, *between, subscriber.wants(0), subscriber.wants(1)]

    assert asyncio.run(main()) == [True, False, False, False, True]


def test_a_move_forgets_what_the_poll_has_read() -> None:
    async def main() -> tuple[int, datetime | None]:
        subscriber = await subscriber_in(State.POLLING)
        subscriber.calls_left = 2
        subscriber.add({ref(1): DeliveryStatus.DELIVERED})
        subscriber.move(NOW)
        return subscriber.size, await subscriber.outcome

    assert asyncio.run(main()) == (1, NOW)


def test_a_message_that_is_final_is_asked_for_no_more() -> None:
    async def main() -> list[str]:
        outcome: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
        subscriber = Subscriber(wait_for(1, 2), lambda _: NOW, copy_context(), outcome, deadline_at=60.0)
        subscriber.take(0.0)
        subscriber.calls_left = 1
        assert subscriber.add({ref(1): DeliveryStatus.DELIVERED, ref(2): DeliveryStatus.WAITING})
        assert subscriber.answer() == NOW
        return [each.message_id for each in subscriber.messages()]

    assert asyncio.run(main()) == ["2"]


def test_an_error_of_who_takes_the_answer_is_the_waits() -> None:
    def answered(_: Tally) -> datetime | None:
        raise ValueError("a fault of the trigger")

    async def main() -> None:
        outcome: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
        subscriber = Subscriber(wait_for(1), answered, copy_context(), outcome, deadline_at=60.0)
        subscriber.take(0.0)
        assert subscriber.answer() is None
        await outcome

    with pytest.raises(ValueError, match="a fault of the trigger"):
        asyncio.run(main())


def test_each_poll_has_a_number_of_its_own() -> None:
    async def main() -> list[int]:
        subscriber = await subscriber_in(State.POLLING, next_poll=NOW)
        numbers = []
        for _ in range(4):
            numbers.append(subscriber.poll_number)
            subscriber.answer()
            subscriber.take(0.0)
        return numbers

    assert asyncio.run(main()) == [0, 1, 2, 3]
