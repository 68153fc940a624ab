"""The states of a wait that polls with others: what may happen, and that nothing else does."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from shared_polls.vendor import D, W, on_a_loop, ref, subscriber
from virtual_time import EPOCH

from airflow_provider_smspartner._shared_polls.subscriber import ImpossibleStepError, State, Subscriber
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError


def subscriber_in(state: State, *, next_poll: datetime | None = None) -> Subscriber:
    made = subscriber(1, answered=lambda _: next_poll, is_polling=state is not State.SCHEDULED)
    if state is State.ENDED:
        made.answer()
    return made


@pytest.mark.parametrize(
    ("state", "step"),
    [(State.POLLING, "TAKE"), (State.ENDED, "TAKE"), (State.SCHEDULED, "FINISH")],
)
@on_a_loop
async def test_other_steps_are_impossible(state: State, step: str) -> None:
    each = subscriber_in(state)

    with pytest.raises(ImpossibleStepError, match=f"^{step} while {state.name}$"):
        each.take(0.0) if step == "TAKE" else each.answer()


@on_a_loop
async def test_what_comes_after_the_end_changes_nothing() -> None:
    each = subscriber_in(State.ENDED)
    each.fail(SMSPartnerUnavailableError("x"))
    each.move(EPOCH)

    assert each.answer() is None
    assert await each.outcome is None


@on_a_loop
async def test_a_cancelled_wait_has_ended_at_once() -> None:
    each = subscriber_in(State.POLLING)
    assert each.wants(0)
    each.outcome.cancel()
    each.move(EPOCH)

    assert (each.state, each.wants(0)) == (State.ENDED, False)


@on_a_loop
async def test_only_an_answer_to_the_poll_under_way_counts() -> None:
    each = subscriber_in(State.POLLING, next_poll=EPOCH)
    for number in range(4):
        assert [each.wants(poll) for poll in range(5)] == [poll == number for poll in range(5)]
        each.answer()
        assert not any(each.wants(poll) for poll in range(5))
        each.take(0.0)


@on_a_loop
async def test_a_move_forgets_what_the_poll_has_read() -> None:
    each = subscriber_in(State.POLLING)
    each.calls_left = 2
    each.add({ref(1): D})
    each.move(EPOCH)

    assert (each.size, await each.outcome) == (1, EPOCH)


@on_a_loop
async def test_a_message_that_is_final_is_asked_for_no_more() -> None:
    each = subscriber(1, 2, answered=lambda _: EPOCH, is_polling=True)
    each.calls_left = 1

    assert each.add({ref(1): D, ref(2): W})
    assert each.answer() == EPOCH
    assert each.messages() == [ref(2)]


@on_a_loop
async def test_an_error_of_who_takes_the_answer_is_the_waits() -> None:
    def answered(_: Tally) -> datetime | None:
        raise ValueError("a fault of the trigger")

    each = subscriber(1, answered=answered, is_polling=True)

    assert each.answer() is None
    with pytest.raises(ValueError, match="a fault of the trigger"):
        await asyncio.wait_for(each.outcome, 1)
