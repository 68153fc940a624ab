"""Finds out which wait a refusal is about: a call for many may be refused because of one of them, or of none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from airflow_provider_smspartner._shared_polls.shared_call import SharedCall
from airflow_provider_smspartner.exceptions import SMSPartnerRequestError

_SAMPLES = 5
"""How many waits are asked for alone before all get the refusal: so many bad ones by chance are not likely."""

Ask = Callable[[SharedCall], Awaitable[SMSPartnerRequestError | None]]
Refuse = Callable[[SharedCall, SMSPartnerRequestError], Awaitable[None]]


async def ask_by_parts(
    call: SharedCall, *, ask: Ask, refuse: Refuse, others_are_answered: bool = False
) -> None:
    """
    Send a call; if it is refused, find the waits that the refusal is about.

    Each half of a refused call is sent by itself, and so is each half of a half that is refused, down to single waits.
    If both halves are refused in the same way, a few waits are asked for alone. If these are refused in that way as
    well, the refusal is about none of them in particular, and all waits get it.

    :param call: the waits and their messages.
    :param ask: sends a call and hands out its answer, or returns the refusal.
    :param refuse: hands out a refusal.
    :param others_are_answered: whether the vendor has just answered a call of the same kind.
    """
    refusal = await ask(call)
    if refusal is not None:
        await _divide(call, refusal, ask, refuse, others_are_answered)


async def _divide(
    call: SharedCall, refusal: SMSPartnerRequestError, ask: Ask, refuse: Refuse, others_are_answered: bool
) -> None:
    if len(call.subscribers) == 1:
        await refuse(call, refusal)
        return
    halves = list(call.halves())
    answers = await asyncio.gather(*(ask(half) for half in halves))
    refusals = [each for each in answers if each is not None]
    if len(refusals) < len(answers):
        others_are_answered = True
    elif (
        len(call.subscribers) > len(halves)
        and not others_are_answered
        and len({_kind(each) for each in (refusal, *refusals)}) == 1
    ):
        if not await _is_answered_alone(call, refusal, ask, refuse):
            await refuse(call, refusal)
            return
        others_are_answered = True
    await asyncio.gather(
        *(
            _divide(half, refused, ask, refuse, others_are_answered)
            for half, refused in zip(halves, answers, strict=True)
            if refused is not None
        )
    )


async def _is_answered_alone(
    call: SharedCall, refusal: SMSPartnerRequestError, ask: Ask, refuse: Refuse
) -> bool:
    """Ask for some waits one by one, and return whether the vendor has answered for one."""
    wanted = call.wanted
    for each in random.sample(wanted, min(_SAMPLES, len(wanted))):
        alone = call.part_for([each])
        refused = await ask(alone)
        if refused is None:
            return True
        await refuse(alone, refused)
        if _kind(refused) != _kind(refusal):
            return True
    return False


def _kind(refusal: SMSPartnerRequestError) -> tuple[int | None, int | None]:
    return refusal.code, refusal.http_status
