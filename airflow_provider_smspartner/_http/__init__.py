"""Sending calls: synchronous and asynchronous clients under one policy and one throttle."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from airflow_provider_smspartner._http.asynchronous import AsyncClient

_loaded: type[AsyncClient] | None = None


async def async_client() -> type[AsyncClient]:
    """Give the asynchronous client, imported on a thread: it takes tenths of a second, and the loop has none."""
    global _loaded  # noqa: PLW0603 - what it is set to is always the same
    if _loaded is None:
        module = await asyncio.to_thread(_import)
        _loaded = module.AsyncClient
    return _loaded


def _import() -> ModuleType:
    # The first phone number in an unusual form would import it, on the event loop.
    import_module("phonenumbers")
    return import_module(f"{__name__}.asynchronous")
