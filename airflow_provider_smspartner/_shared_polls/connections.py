"""What an Airflow connection says now: looked up once for all waits that ask, and again after trouble."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context
from typing import Any

from airflow.providers.common.compat.connection import get_async_connection

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._shared_polls.per_loop import PerLoop
from airflow_provider_smspartner._shared_polls.waiters import Waiters
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError

_LOOK_UP_SECONDS = 30.0
"""How long one look-up may take: a secrets backend may hang."""

_FIRST_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 60.0
"""Between the look-ups of a connection that cannot be found: from the first pause, doubled each time, to the second."""

_FIRST_RECHECK_SECONDS = 1.0
_MAX_RECHECK_SECONDS = 10.0
"""Between the look-ups that failed polls ask for."""


class Connection:
    """
    One Airflow connection, for all waits of an event loop that use it.

    :param conn_id: its id.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self._said: Settings | None = None
        self._said_at = 0.0
        self._trouble: SMSPartnerUnavailableError | None = None
        self._failures = 0
        self._next_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._looked: Waiters[None] = Waiters()
        self._keeps_looking: asyncio.Task[None] | None = None
        self._hopeful: Waiters[None] = Waiters()
        self._recheck_at = 0.0
        self._recheck_pause = 0.0

    @property
    def said(self) -> Settings | None:
        """What the last look-up has found, or None before the first."""
        return self._said

    async def look_up(self) -> Settings:
        """
        Look the connection up, together with others that ask meanwhile.

        :raises SMSPartnerUnavailableError: if it cannot be found or used for now; at once, and without a look-up,
            where one has failed a moment ago.
        """
        if self._trouble is None or asyncio.get_running_loop().time() >= self._next_at:
            await self._look()
        return self._found()

    async def found_by(self, when: float) -> Settings | None:
        """
        Wait until a connection that could not be found is there again.

        :param when: until when, in the event loop's time.
        :return: what it says, or None where it still cannot be found.
        """
        if self._trouble is not None:
            waiter = self._hopeful.add()
            if self._keeps_looking is None:
                self._keeps_looking = _start(self._keep_looking())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(when):
                    await waiter
        return self._said if self._trouble is None else None

    async def says_now(self, used: Settings, *, sent_at: float, must_know: bool) -> Settings:
        """
        Return what the connection says after a call has failed.

        :param used: what the call was sent with.
        :param sent_at: when, in the event loop's time: what was looked up later need not be looked up again.
        :param must_know: wait for a look-up; otherwise there is none so soon after another.
        :raises SMSPartnerUnavailableError: if it must be known and cannot be found for now.
        """
        loop = asyncio.get_running_loop()
        while self._said in (used, None) and self._said_at <= sent_at:
            pause = self._recheck_at - loop.time()
            if pause > 0:
                if not must_know:
                    break
                await asyncio.sleep(pause)
                continue
            # Failed polls of a quiet hour ago are forgotten; a connection that says something else each time is not.
            is_first = pause < -6 * _MAX_RECHECK_SECONDS
            self._recheck_pause = (
                _FIRST_RECHECK_SECONDS if is_first else min(2 * self._recheck_pause, _MAX_RECHECK_SECONDS)
            )
            self._recheck_at = loop.time() + self._recheck_pause
            await self._look()
            if self._trouble is not None:
                if must_know:
                    raise copy.copy(self._trouble)
                break
        return self._said or used

    async def close(self) -> None:
        """Stop looking."""
        for task in (self._looking, self._keeps_looking):
            if task is not None:
                task.cancel()

    def _found(self) -> Settings:
        if self._trouble is not None or self._said is None:
            raise copy.copy(self._trouble or _cannot_use(self.conn_id, "the look-up was given up"))
        return self._said

    async def _look(self) -> None:
        if self._looking is None:
            # In a task of its own: the first to ask may be cancelled, and the others still need the result.
            self._looking = _start(self._look_once())
        await self._looked.add()

    async def _look_once(self) -> None:
        began = asyncio.get_running_loop().time()
        try:
            self._said, self._trouble = await _settings_of(self.conn_id), None
            self._said_at, self._failures = began, 0
        except Exception as error:  # noqa: BLE001 - without a result it would be made again at once, and again
            self._trouble = (
                error if isinstance(error, SMSPartnerUnavailableError) else _failed(self.conn_id, error)
            )
            pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 30), _MAX_PAUSE_SECONDS)
            self._failures += 1
            self._next_at = asyncio.get_running_loop().time() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        finally:
            self._looking = None
            self._looked.release(None)

    async def _keep_looking(self) -> None:
        try:
            while self._hopeful:
                await asyncio.sleep(self._next_at - asyncio.get_running_loop().time())
                if self._trouble is not None:
                    await self._look()
                if self._trouble is None:
                    self._hopeful.release(None)
        finally:
            self._keeps_looking = None


async def _settings_of(conn_id: str) -> Settings:
    # Anything may be raised, also where a field is read: Airflow 2 decrypts `extra` only then.
    async with asyncio.timeout(_LOOK_UP_SECONDS):
        connection = await get_async_connection(conn_id)
    try:
        return Settings.of(connection)
    except (ValueError, SMSPartnerError) as error:
        raise _cannot_use(conn_id, str(error).rstrip(".")) from None


def _failed(conn_id: str, error: Exception) -> SMSPartnerUnavailableError:
    # Not its text: a secrets backend may quote what it has read.
    return _cannot_use(conn_id, f"it could not be looked up ({type(error).__name__})")


def _cannot_use(conn_id: str, why: str) -> SMSPartnerUnavailableError:
    return SMSPartnerUnavailableError(f"The Airflow connection {conn_id!r} cannot be used for now: {why}.")


_connections: PerLoop[str, Connection] = PerLoop(Connection.close)


def connection_in_use(conn_id: str) -> AbstractAsyncContextManager[Connection]:
    """
    Share a connection with all waits of the running event loop that use it.

    :param conn_id: its id.
    """
    return _connections.use(conn_id, lambda: Connection(conn_id))


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    # In no wait's context: what is logged there is of no single task.
    return asyncio.get_running_loop().create_task(work, context=Context())
