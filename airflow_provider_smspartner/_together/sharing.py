"""Who shares: the waits of one connection, as they found it, on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection

from airflow_provider_smspartner._connection import Settings
from airflow_provider_smspartner._http import async_client
from airflow_provider_smspartner._together.polls import ANSWERS_AT_ONCE, Client, SharedPolls


async def _open_client(settings: Settings, conn_id: str) -> Client:
    return await (await async_client()).open(settings, conn_id)


async def _look_up(conn_id: str) -> Settings:
    return Settings.of(await get_async_connection(conn_id))


@dataclass(slots=True)
class _LookUp:
    """
    A connection that is being looked up.

    :param found: what it says.
    :param waits: how many want to know: they go on all at once, so they must not be too many.
    """

    found: asyncio.Future[Settings]
    waits: int = 0


async def _settings_of(conn_id: str) -> Settings:
    """Look a connection up, for other waits as well that ask while the answer is on its way."""
    look_ups = _look_ups.setdefault(asyncio.get_running_loop(), {})
    current = look_ups.get(conn_id)
    if current is None or current.found.done() or current.waits == ANSWERS_AT_ONCE:
        # A task of its own: whoever asked first may be cancelled, the others still want to know.
        current = look_ups[conn_id] = _LookUp(asyncio.ensure_future(_look_up(conn_id)))
    current.waits += 1
    try:
        return await asyncio.shield(current.found)
    except Exception:  # noqa: BLE001 - each wait meets the trouble by itself, and raises its own
        return await _look_up(conn_id)


_look_ups: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _LookUp]] = WeakKeyDictionary()

_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, Settings], SharedPolls]] = (
    WeakKeyDictionary()
)


@asynccontextmanager
async def shared_polls(conn_id: str) -> AsyncIterator[SharedPolls]:
    """
    Take part in the polls of a connection on the running event loop.

    A wait looks the connection up once. Waits that found it before and after a change share nothing.

    :param conn_id: the connection's id.
    :raises ValueError: if the connection is not as it should be.
    """
    settings = await _settings_of(conn_id)
    by_connection = _of_loop.setdefault(asyncio.get_running_loop(), {})
    key = (conn_id, settings)
    polls = by_connection.get(key)
    if polls is None:
        polls = by_connection[key] = SharedPolls(partial(_open_client, settings, conn_id))
    polls.users += 1
    try:
        yield polls
    finally:
        polls.users -= 1
        if not polls.users:
            del by_connection[key]
            await polls.close()
