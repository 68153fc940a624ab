"""How it is found out which wait a refusal is about: the calls by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from shared_polls.vendor import on_a_loop, subscriber

from airflow_provider_smspartner._shared_polls.refusals import ask_by_parts
from airflow_provider_smspartner._shared_polls.shared_call import SharedCall, shared_calls
from airflow_provider_smspartner._shared_polls.subscriber import Subscriber
from airflow_provider_smspartner.exceptions import SMSPartnerRequestError

BAD_NUMBER = SMSPartnerRequestError("bad", code=9, http_status=200)
MALFORMED = SMSPartnerRequestError("malformed", code=90, http_status=200)

Answer = Callable[[set[int]], SMSPartnerRequestError | None]


class Vendor:
    """
    Answers calls for waits, each of which asks for the message with its number.

    :param answer: takes the numbers of a call, and returns the refusal or None.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[set[int]] = []
        self.answered: set[int] = set()
        self.refused: dict[int, SMSPartnerRequestError] = {}
        self._number_of: dict[Subscriber, int] = {}

    async def ask_for(self, count: int, **options: bool) -> None:
        """Ask for so many waits, from 0."""
        self._number_of = {subscriber(number, is_polling=True): number for number in range(count)}
        (call,) = shared_calls(self._number_of)
        await ask_by_parts(call, ask=self._ask, refuse=self._refuse, **options)
        assert self.answered | self.refused.keys() == set(range(count))

    async def _ask(self, call: SharedCall) -> SMSPartnerRequestError | None:
        await asyncio.sleep(0)
        numbers = {int(ref.message_id) for ref in call.messages}
        self.asked.append(numbers)
        refusal = self.answer(numbers)
        if refusal is None:
            self._end(call, self.answered.add)
        return refusal

    async def _refuse(self, call: SharedCall, refusal: SMSPartnerRequestError) -> None:
        self._end(call, lambda number: self.refused.setdefault(number, refusal))

    def _end(self, call: SharedCall, note: Callable[[int], object]) -> None:
        for each in call.wanted:
            note(self._number_of[each])
            each.answer()


def about(*bad: int) -> Answer:
    return lambda numbers: BAD_NUMBER if numbers & set(bad) else None


def with_codes_of_their_own(numbers: set[int]) -> SMSPartnerRequestError:
    return SMSPartnerRequestError("x", code=min(numbers))


def another_reason_alone(numbers: set[int]) -> SMSPartnerRequestError | None:
    if len(numbers) == 1:
        return BAD_NUMBER if 0 in numbers else None
    return MALFORMED if len(numbers) > 4 else about(0)(numbers)


@pytest.mark.parametrize(
    ("count", "answer", "codes"),
    [
        (64, about(3, 60), dict.fromkeys((3, 60), 9)),
        # Where others were answered, or refusals have differed, none is refused with the rest.
        (400, about(*range(199)), dict.fromkeys(range(199), 9)),
        (
            400,
            lambda numbers: MALFORMED if len(numbers) >= 200 else about(*range(399))(numbers),
            dict.fromkeys(range(399), 9),
        ),
        (16, another_reason_alone, {0: 9}),
        (16, with_codes_of_their_own, {n: n for n in range(16)}),
        (
            16,
            lambda numbers: MALFORMED if len(numbers) > 1 else with_codes_of_their_own(numbers),
            {n: n for n in range(16)},
        ),
    ],
    ids=["two", "the first half", "all but one", "one alone", "reasons of their own", "of their own alone"],
)
@on_a_loop
async def test_each_wait_gets_its_own_refusal_or_answer(
    count: int, answer: Answer, codes: dict[int, int]
) -> None:
    vendor = Vendor(answer)
    await vendor.ask_for(count)

    assert {number: refusal.code for number, refusal in vendor.refused.items()} == codes
    assert vendor.answered == set(range(count)) - codes.keys()


@pytest.mark.parametrize(
    ("count", "bad", "asked"),
    [
        (1, [0], [1]),
        (2, [0], [2, 1, 1]),
        (2, [0, 1], [2, 1, 1]),
        (64, [37], [64, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 1, 1]),
        # A refusal of everything is about none in particular: the whole, its halves, and up to five waits alone.
        (64, range(64), [64, 32, 32, 1, 1, 1, 1, 1]),
        (3, range(3), [3, 1, 2, 1, 1, 1]),
    ],
)
@on_a_loop
async def test_few_calls_are_asked_for_to_find_the_bad_ones(count: int, bad: Any, asked: list[int]) -> None:
    vendor = Vendor(about(*bad))
    await vendor.ask_for(count)

    assert vendor.refused == dict.fromkeys(bad, BAD_NUMBER)
    assert [len(numbers) for numbers in vendor.asked] == asked
    assert len(set(map(frozenset, vendor.asked[3:]))) == len(asked[3:])


@pytest.mark.parametrize(
    "other",
    [SMSPartnerRequestError("x", code=9, http_status=400), SMSPartnerRequestError("x", code=6)],
    ids=["status", "code"],
)
@on_a_loop
async def test_refusals_with_another_code_or_status_are_of_another_kind(
    other: SMSPartnerRequestError,
) -> None:
    vendor = Vendor(lambda numbers: BAD_NUMBER if 0 in numbers else other)
    await vendor.ask_for(4)

    assert vendor.refused == {0: BAD_NUMBER, 1: other, 2: other, 3: other}
    assert len(vendor.asked) == 7


@on_a_loop
async def test_where_others_have_been_answered_each_wait_is_asked_for() -> None:
    vendor = Vendor(about(*range(8)))
    await vendor.ask_for(8, others_are_answered=True)

    assert set(vendor.refused) == set(range(8))
    assert len(vendor.asked) == 15
