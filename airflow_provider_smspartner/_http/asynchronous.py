"""Drive calls with aiohttp: kept-alive connections, and tasks where several calls are in flight."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from tenacity import AsyncRetrying

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._http.in_order import in_order
from airflow_provider_smspartner._http.throttle import throttle_for
from airflow_provider_smspartner._http.trust import authorities
from airflow_provider_smspartner.protocol import Answer, Call

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_smspartner._connection import Settings

T = TypeVar("T")


class AsyncClient:
    """
    Sends calls and gives what their answers say, on one event loop.

    :param settings: what the connection says.
    :param conn_id: whose throttle to keep to.
    :param session: made by `open`.
    """

    def __init__(self, settings: Settings, conn_id: str, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._throttle = throttle_for(conn_id, settings.requests_per_minute)
        self._session = session

    @classmethod
    async def open(cls, settings: Settings, conn_id: str) -> AsyncClient:
        """
        Make a client for the running event loop.

        :raises ValueError: if the certificate authorities that the environment names are not there.
        """
        # Reading the authorities' certificates takes tens of milliseconds: not on the event loop.
        tls = await asyncio.to_thread(_tls_context) if settings.is_https else True
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.max_connections, ssl=tls),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=settings.timeout, sock_read=settings.timeout
            ),
            headers={"User-Agent": policy.user_agent(), "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            # A proxy named by the environment is not for this machine's own addresses.
            trust_env=not settings.is_loopback,
        )
        # aiohttp sends a GET again by itself after a reset, past the policy and the throttle; no option stops it.
        session._retry_connection = False  # noqa: SLF001
        return cls(settings, conn_id, session)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, call: Call[T]) -> T:
        """
        Send one call, again where that may help, and read its answer.

        :raises SMSPartnerError: as the protocol reads it, or after the last try.
        """

        async def pause(seconds: float) -> None:
            await asyncio.sleep(seconds)
            await self._await_turn()

        # The first turn may be minutes away where many share a ceiling: only then does the time begin to count.
        await self._await_turn()
        options = policy.retry_options(max_attempts=self._settings.max_attempts, path=call.request.path)
        deadline = asyncio.get_running_loop().time() + policy.TOTAL_SECONDS
        return await AsyncRetrying(sleep=pause, **options)(self._try, call, deadline)

    async def send_once(self, call: Call[T]) -> T:
        """
        Send one call, and not again if that fails: for callers with tries of their own.

        :raises SMSPartnerError: as the protocol reads it.
        """
        await self._await_turn()
        return await self._try(call, asyncio.get_running_loop().time() + policy.TOTAL_SECONDS)

    def send_in_order(self, calls: Iterator[Call[T]]) -> AsyncGenerator[T, None]:
        """
        Send calls with up to ``max_connections`` of them in flight, and give their results lazily and in order.

        :param calls: taken one by one, at most one further ahead than calls are in flight.
        """
        return in_order(self.send, calls, in_flight=self._settings.max_connections)

    async def _await_turn(self) -> None:
        if self._throttle is not None:
            await asyncio.sleep(self._throttle.take_turn())
        if self._session.closed:
            raise policy.abandoned()

    async def _try(self, call: Call[T], deadline: float) -> T:
        try:
            async with asyncio.timeout_at(deadline):
                # A deadline that has passed strikes at the next pause: before anything is sent.
                await asyncio.sleep(0)
                answer = await self._exchange(call)
        except (aiohttp.ClientError, OSError) as error:
            # The library's error knows the URL: the error after the last try, a new one, has no link to it.
            raise policy.lost(error) from None
        return call.read(answer)

    async def _exchange(self, call: Call[T]) -> Answer:
        query, body = call.request.with_key(self._settings.api_key)
        async with self._session.request(
            call.request.method,
            self._settings.base_url + call.request.path,
            params=query,
            data=body,
            headers={"Content-Type": "application/json"} if body is not None else None,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await response.read())


def _tls_context() -> ssl.SSLContext:
    return _trusting(authorities())


@lru_cache(maxsize=1)
def _trusting(bundle: Path) -> ssl.SSLContext:
    if bundle.is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
