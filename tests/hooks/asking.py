"""What the tests of the hook share."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "STATUS_BY_TAG"


def endless() -> Iterator[tuple[str, int]]:
    return (("+33639980000", number) for number in itertools.count(1))


class Counting(Iterator[Any]):
    """Counts what has been taken from an iterable."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self.taken = 0

    def __next__(self) -> Any:
        item = next(self._items)
        self.taken += 1
        return item


def slow(seconds: float) -> Fault:
    async def apply(request: Any, proceed: Any, _: Any) -> Any:
        await asyncio.sleep(seconds)
        return proceed(request)

    return Fault("slow", apply)


async def azip(rows: Any, numbers: Any) -> Any:
    for number in numbers:
        yield await anext(rows), number


def behave_then_refuse(double: SMSPartnerDouble, *, after: int) -> None:
    double.misbehave(slow(0), times=after)
    double.misbehave(Fault.error(10), times=None)
