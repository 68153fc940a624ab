"""Brings together the waits that share their polls: those of one connection, on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._http.opening import open_async_client
from airflow_provider_smspartner._shared_polls.connections import Connection, connection_in_use
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._shared_polls.per_loop import PerLoop
from airflow_provider_smspartner._shared_polls.sender import Client
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError


async def poll_together(
    conn_id: str, wait: Wait, due: datetime, answered: Callable[[Tally], datetime | None]
) -> None:
    """
    Poll again and again, together with the other waits of a connection, for as long as the wait wants to.

    A connection that cannot be found or used for now is a failed poll, and looked up again. Once it says something
    else than before and a poll has failed, the wait goes on with what it says now.

    :param conn_id: the connection's id.
    :param wait: whose polls these are.
    :param due: when to poll first, at the latest; aware.
    :param answered: takes each poll's tally, and gives when to poll next at the latest, or None for no more.
    :raises SMSPartnerError: if a poll failed for good.
    """
    async with connection_in_use(conn_id) as connection:
        settings = await _find(connection, wait, answered)
        next_poll: datetime | None = due
        while settings is not None and next_poll is not None:
            try:
                async with shared_polls(connection, settings) as polls:
                    next_poll = await polls.poll(wait, next_poll, answered)
                settings = connection.said
            except SMSPartnerUnavailableError as trouble:
                if (next_poll := _told(trouble, wait, answered)) is not None:
                    await _clock.asleep(_seconds_until(next_poll, wait))
                    settings = await _find(connection, wait, answered)


def _told(
    trouble: SMSPartnerUnavailableError, wait: Wait, answered: Callable[[Tally], datetime | None]
) -> datetime | None:
    """Tell a wait of trouble as of a failed poll, and return when to poll next, or None for no more."""
    tally = wait.tally()
    tally.end(trouble)
    return answered(tally)


def _seconds_until(when: datetime, wait: Wait) -> float:
    # At the deadline the wait ends, also between two polls.
    return max((min(when, wait.goal.deadline) - wait.now()).total_seconds(), 0) + 0.01


async def _find(
    connection: Connection, wait: Wait, answered: Callable[[Tally], datetime | None]
) -> Settings | None:
    """Return the connection's settings once it is found, or None if the wait ends before that."""
    loop = asyncio.get_running_loop()
    settings: Settings | None = None
    while settings is None:
        try:
            settings = await connection.look_up()
        except SMSPartnerUnavailableError as trouble:
            if (again := _told(trouble, wait, answered)) is None:
                return None
            settings = await connection.found_by(loop.time() + _seconds_until(again, wait))
    return settings


_polls: PerLoop[tuple[str, Settings], SharedPolls] = PerLoop(SharedPolls.close)


def shared_polls(connection: Connection, settings: Settings) -> AbstractAsyncContextManager[SharedPolls]:
    """
    Take part in the polls of a connection on the running event loop.

    :param connection: looked up again after a failed poll.
    :param settings: what it said; waits that found it before and after a change share nothing.
    """

    async def has_changed(sent_at: float, must_know: bool) -> bool:
        return await connection.says_now(settings, sent_at=sent_at, must_know=must_know) != settings

    async def open_client() -> Client:
        try:
            return await open_async_client(settings, connection.conn_id)
        except (OSError, ValueError) as error:
            # What the environment names: a file of authorities, a proxy. Another wait must not end of it either.
            raise SMSPartnerUnavailableError(f"SMS Partner cannot be asked for now: {error}") from None

    def make() -> SharedPolls:
        return SharedPolls(
            open_client,
            tries=settings.max_attempts,
            in_flight=settings.max_connections,
            has_changed=has_changed,
        )

    return _polls.use((connection.conn_id, settings), make, is_stale=lambda polls: polls.is_over)
