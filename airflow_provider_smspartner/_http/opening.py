"""
The one door to the clients, for the hook and for the shared polls.

requests, aiohttp and tenacity are loaded when the first client is opened: DAG files are parsed all the time.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner._http.asynchronous import AsyncClient
    from airflow_provider_smspartner._http.blocking import BlockingClient

_loaded: type[AsyncClient] | None = None


def open_client(settings: Settings, conn_id: str) -> BlockingClient:
    """
    Return a client for synchronous code, to be closed.

    :param settings: what the Airflow connection says.
    :param conn_id: the connection's id; all its clients in a process share one throttle.
    :raises ValueError: if the certificate authorities or the proxy that the environment names can't be used.
    """
    from airflow_provider_smspartner._http.blocking import BlockingClient

    return BlockingClient(settings, conn_id)


async def open_async_client(settings: Settings, conn_id: str) -> AsyncClient:
    """
    Return a client for the running event loop, to be closed.

    :param settings: what the Airflow connection says.
    :param conn_id: the connection's id; all its clients in a process share one throttle.
    :raises ValueError: if the certificate authorities or the proxy that the environment names can't be used.
    """
    global _loaded  # noqa: PLW0603 - what it is set to is always the same
    if _loaded is None:
        # On a thread: importing it takes tenths of a second, for which the event loop must not stand still.
        module = await asyncio.to_thread(_import)
        _loaded = module.AsyncClient
    return await _loaded.open(settings, conn_id)


def _import() -> ModuleType:
    # The first phone number in an unusual form would import it, on the event loop.
    import_module("phonenumbers")
    return import_module("airflow_provider_smspartner._http.asynchronous")
