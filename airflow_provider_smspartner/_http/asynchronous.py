"""The asynchronous client: sends calls with aiohttp, several of them in tasks at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from tenacity import AsyncRetrying

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._http import logs, policy
from airflow_provider_smspartner._http.body import ACCEPT_ENCODING, BodyDecoder, BodyError
from airflow_provider_smspartner._http.connector import Connector, Sending
from airflow_provider_smspartner._http.in_order import in_order
from airflow_provider_smspartner._http.proxies import proxy_for
from airflow_provider_smspartner._http.throttle import throttle_for
from airflow_provider_smspartner._http.trust import tls_context
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.protocol import Answer, Call
from airflow_provider_smspartner.protocol.answers import unavailable

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings

T = TypeVar("T")

_LARGE_BYTES = 256 * 1024
"""Bodies above this are read on a thread: a page of 500 rows has less than 100 KB."""

_MANY_OBJECTS = 600
"""
Bodies with more objects than that are read on a thread as well: a page has 500 rows and is one.

It is the number of rows that takes time. To normalise one foreign phone number can take 50 µs.
"""


class AsyncClient:
    """
    Sends calls, and returns what their answers say, on one event loop.

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

        :raises ValueError: if the certificate authorities or the proxy that the environment names can't be used.
        """
        # Reading the authorities' certificates takes tens of milliseconds: not on the event loop.
        # Plain http is for this machine's own addresses alone, which have no proxy.
        tls, proxy = await asyncio.to_thread(_environment, settings) if settings.is_https else (True, None)
        session = aiohttp.ClientSession(
            connector=Connector(limit=settings.max_connections, ssl=tls),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=settings.timeout, sock_read=settings.timeout
            ),
            headers={
                "User-Agent": policy.user_agent(),
                "Accept": "application/json",
                "Accept-Encoding": ACCEPT_ENCODING,
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy,
            # Of the environment only authorities and proxies count: aiohttp would also send the password of a ~/.netrc.
            trust_env=False,
            # The body's decoder knows a limit, aiohttp's does not.
            auto_decompress=False,
        )
        # aiohttp sends a GET again by itself after a reset, past the policy and the throttle; no option stops it.
        # Guarded by `test_after_a_reset_of_a_kept_connection`.
        session._retry_connection = False  # noqa: SLF001
        return cls(settings, conn_id, session)

    @property
    def settings(self) -> Settings:
        """What the connection says."""
        return self._settings

    @property
    def max_connections(self) -> int:
        """How many calls may be on their way at once."""
        return self._settings.max_connections

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, call: Call[T]) -> T:
        """
        Send one call, again where that may help, and read its answer.

        :raises SMSPartnerError: as the protocol reads it, or after the last try.
        """

        async def pause(seconds: float) -> None:
            await _clock.asleep(seconds)
            await self._await_turn()

        # The first turn may be minutes away where many share a ceiling: only then does the time begin to count.
        await self._await_turn()
        deadline = policy.call_deadline()
        options = policy.retry_options(
            call.request, max_attempts=self._settings.max_attempts, deadline=deadline
        )
        try:
            return await AsyncRetrying(sleep=pause, **options)(self._try, call, deadline)
        except SMSPartnerUnavailableError as error:
            raise policy.last_error(call.request, error) from None

    async def send_once(self, call: Call[T]) -> T:
        """
        Send one call, and not again if that fails: for callers with tries of their own.

        :raises SMSPartnerError: as the protocol reads it.
        """
        await self._await_turn()
        return await self._try(call, policy.call_deadline())

    def send_in_order(self, calls: Iterator[Call[T]]) -> AsyncGenerator[T, None]:
        """
        Send calls with up to ``max_connections`` of them in flight, and yield their results in order.

        :param calls: taken one by one, at most one further ahead than calls are in flight.
        """
        return in_order(self.send, calls, in_flight=self._settings.max_connections)

    async def _await_turn(self) -> None:
        if self._throttle is not None:
            await _clock.asleep(self._throttle.take_turn())
        self._check_open()

    def _check_open(self) -> None:
        if self._session.closed:
            raise policy.closed_before_answer(surely_unsent=True)

    async def _try(self, call: Call[T], deadline: float) -> T:
        with policy.counted():
            return await self._try_uncounted(call, deadline)

    async def _try_uncounted(self, call: Call[T], deadline: float) -> T:
        sending = Sending(own_connection=policy.needs_own_connection(call.request))
        try:
            async with asyncio.timeout(deadline - _clock.monotonic()):
                # A deadline that has passed strikes at the next pause: before anything is sent.
                await asyncio.sleep(0)
                self._check_open()
                with sending, logs.named(call.request.method, call.request.path):
                    answer = await self._exchange(call)
        except (aiohttp.ClientError, OSError) as error:
            if self._session.closed:
                raise policy.closed_before_answer(surely_unsent=sending.surely_unsent) from None
            # The library's error knows the URL: the error after the last try, a new one, has no link to it.
            raise policy.no_answer(error, self._settings, surely_unsent=sending.surely_unsent) from None
        except asyncio.CancelledError:
            if not self._session.closed or _is_cancelled():
                raise
            # aiohttp's way to tell those who still wait for a connection that it is closed.
            raise policy.closed_before_answer(surely_unsent=sending.surely_unsent) from None
        if len(answer.body) > _LARGE_BYTES or answer.body.count(b"{") > _MANY_OBJECTS:
            return await asyncio.to_thread(call.read, answer)
        return call.read(answer)

    async def _exchange(self, call: Call[T]) -> Answer:
        query, body = call.request.with_key(self._settings.api_key)
        async with self._session.request(
            call.request.method,
            self._settings.base_url + call.request.path,
            params=query,
            data=body,
            headers=policy.headers_of(call.request),
            allow_redirects=False,
        ) as response:
            content = await _read_body(response)
            return Answer(response.status, response.headers, content, key=self._settings.api_key)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _read_body(response: aiohttp.ClientResponse) -> bytes | bytearray:
    try:
        decoder = BodyDecoder(
            content_encoding=", ".join(response.headers.getall("Content-Encoding", ())),
            content_length=response.headers.get("Content-Length"),
        )
        async for chunk in response.content.iter_any():
            for _ in decoder.steps(chunk):
                # A small chunk may decode to a large body: let the event loop run in between.
                await asyncio.sleep(0)
        return decoder.finish()
    except BodyError as fault:
        raise unavailable(
            Answer(response.status, response.headers, b""), str(fault), is_too_large=fault.is_too_large
        ) from None


def _environment(settings: Settings) -> tuple[ssl.SSLContext, str | None]:
    """Return what the environment says about the way to the API: the TLS context and the proxy."""
    return tls_context(), proxy_for(settings)
