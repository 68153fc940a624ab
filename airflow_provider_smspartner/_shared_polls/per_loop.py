"""Objects that all users on one event loop share, for as long as there is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

K = TypeVar("K")
V = TypeVar("V")


@dataclass(eq=False, slots=True)
class _Shared(Generic[V]):
    value: V
    users: int = 0


class PerLoop(Generic[K, V]):
    """
    Objects by event loop and key: made by the first user, and closed after the last.

    :param close: closes an object; awaited.
    """

    def __init__(self, close: Callable[[V], Awaitable[None]]) -> None:
        self._close = close
        self._of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[K, _Shared[V]]] = WeakKeyDictionary()

    @asynccontextmanager
    async def use(
        self, key: K, make: Callable[[], V], *, is_stale: Callable[[V], bool] = lambda _: False
    ) -> AsyncIterator[V]:
        """
        Use the object of a key, together with others.

        :param key: what the users have in common.
        :param make: makes the object if there is none.
        :param is_stale: whether a new user needs a new object; those of the old one keep it.
        """
        by_key = self._of_loop.setdefault(asyncio.get_running_loop(), {})
        shared = by_key.get(key)
        if shared is None or is_stale(shared.value):
            shared = by_key[key] = _Shared(make())
        shared.users += 1
        try:
            yield shared.value
        finally:
            shared.users -= 1
            if not shared.users:
                if by_key.get(key) is shared:
                    del by_key[key]
                await self._close(shared.value)
