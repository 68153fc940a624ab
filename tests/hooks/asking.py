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


def together(count: int, fault: Fault | None = None) -> Fault:
    """Answer no request before as many are in flight: a latency may pass before the last of them has begun."""
    barrier = asyncio.Barrier(count)

    async def apply(request: Any, proceed: Any, transport: Any) -> Any:
        await barrier.wait()
        return await fault.apply(request, proceed, transport) if fault else proceed(request)

    return Fault("together", apply)


async def azip(rows: Any, numbers: Any) -> Any:
    for number in numbers:
        yield await anext(rows), number


def refuse_page(double: SMSPartnerDouble, page: int) -> None:
    """Refuse the key where a page is asked for: the pages come in any order where calls are in flight together."""
    refused = Fault.error(10)

    async def apply(request: Any, proceed: Any, transport: Any) -> Any:
        if request.query.get("page") == str(page):
            return await refused.apply(request, proceed, transport)
        return proceed(request)

    double.misbehave(Fault(f"page {page} refused", apply), times=None)
