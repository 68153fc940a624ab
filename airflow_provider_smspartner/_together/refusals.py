"""Whose a refusal is: that of a call for many waits may be the fault of one of them, or of none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from airflow_provider_smspartner._together.ask import Chunk
from airflow_provider_smspartner.exceptions import SMSPartnerRequestError

_SAMPLES = 5
"""How many waits are asked for alone before a refusal is everybody's: so many bad ones by chance are not likely."""

Ask = Callable[[Chunk], Awaitable[SMSPartnerRequestError | None]]
Refuse = Callable[[Chunk, SMSPartnerRequestError], Awaitable[None]]


async def read_by_parts(chunk: Chunk, *, ask: Ask, refuse: Refuse, others_are_answered: bool = False) -> None:
    """
    Read a chunk; where it is refused, find whose fault that is.

    Halves of the chunk are asked for by themselves, and halves of what is refused again, down to single waits. Where
    both halves are refused alike, a few single waits tell whether it is anybody's in particular: if they are
    refused in the same way, the refusal is everybody's.

    :param chunk: the waits and their messages.
    :param ask: asks for a chunk and hands out its answer, or returns the refusal.
    :param refuse: hands out a refusal.
    :param others_are_answered: the vendor has just answered calls of the same kind.
    """
    refusal = await ask(chunk)
    if refusal is not None:
        await _divide(chunk, refusal, ask, refuse, others_are_answered)


async def _divide(
    chunk: Chunk, refusal: SMSPartnerRequestError, ask: Ask, refuse: Refuse, others_are_answered: bool
) -> None:
    if len(chunk.asks) == 1:
        await refuse(chunk, refusal)
        return
    halves = list(chunk.halves())
    refusals = await asyncio.gather(*(ask(half) for half in halves))
    if None in refusals:
        others_are_answered = True
    elif (
        len(chunk.asks) > len(halves)
        and not others_are_answered
        and len({_kind(each) for each in (refusal, *refusals)}) == 1
    ):
        if not await _is_answered_alone(chunk, refusal, ask, refuse):
            await refuse(chunk, refusal)
            return
        others_are_answered = True
    await asyncio.gather(
        *(
            _divide(half, refused, ask, refuse, others_are_answered)
            for half, refused in zip(halves, refusals, strict=True)
            if refused is not None
        )
    )


async def _is_answered_alone(chunk: Chunk, refusal: SMSPartnerRequestError, ask: Ask, refuse: Refuse) -> bool:
    """Ask for some waits one by one, and return whether the vendor has answered for one."""
    wanted = chunk.wanted
    for each in random.sample(wanted, min(_SAMPLES, len(wanted))):
        alone = chunk.of([each])
        refused = await ask(alone)
        if refused is None:
            return True
        await refuse(alone, refused)
        if _kind(refused) != _kind(refusal):
            return True
    return False


def _kind(refusal: SMSPartnerRequestError | None) -> tuple[object, ...]:
    return (type(refusal), refusal and refusal.code, refusal and refusal.http_status)
