"""
aiohttp's connections, with what they lack.

- A connection on which bytes came without a request is not used again.
- Interim answers (1xx) have a limit.
- A request that wants a connection of its own gets one, which is closed after its answer.
- A connection that is closed is closed at once.
- It is known whether a request surely was not sent.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from urllib3.util.wait import wait_for_read

from airflow_provider_smspartner._http.policy import MAX_INTERIM_ANSWERS

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from aiohttp.connector import Connection

_current: ContextVar[Sending | None] = ContextVar("smspartner_sending", default=None)


class Sending:
    """
    One try of a request, as its connection sees it: entered by the task that sends.

    :param own_connection: whether the request goes out on a connection that is opened for it, and closed after it.
    """

    def __init__(self, *, own_connection: bool) -> None:
        self.own_connection = own_connection
        self.surely_unsent = True
        """Whether no byte of the request can have gone out; what a proxy or TLS is told before does not count."""
        self._token: Token[Sending | None] | None = None

    def __enter__(self) -> Self:
        """Begin the try in this task."""
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the try."""
        if self._token is not None:
            _current.reset(self._token)


class Connector(aiohttp.TCPConnector):
    """
    Takes no connection from the pool whose next answer may be another's.

    aiohttp keeps what arrives on an idle connection and hands it to the next request as its answer: all answers
    after it would be those of the request before. RFC 9112, 9.2, has such a connection closed; aiohttp has no option
    for that.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # partial is invariant in its type.
        self._factory = partial(_Handler, loop=self._loop)  # type: ignore[assignment]

    def _release(self, key: Any, protocol: ResponseHandler, **options: Any) -> None:
        if isinstance(protocol, _Handler):
            protocol.is_idle = True
        super()._release(key, protocol, **options)

    async def connect(self, *args: Any, **options: Any) -> Connection:
        connection = await super().connect(*args, **options)
        sending = _current.get()
        if sending is not None:
            # aiohttp writes a request only once it has been handed a connection, TLS and a proxy's tunnel included.
            sending.surely_unsent = False
            if sending.own_connection and connection.protocol is not None:
                connection.protocol.force_close()
        return connection

    async def _get(self, *args: Any, **options: Any) -> Connection | None:
        sending = _current.get()
        if sending is not None and sending.own_connection:
            return None
        # An event loop that was busy has not read yet what has arrived.
        while (connection := await super()._get(*args, **options)) is not None and _is_readable(connection):
            connection.close()
        return connection


class _Handler(ResponseHandler):
    """Closes the connection once something arrives that was not asked for, or interim answers (1xx) without an end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.is_idle = False
        self._interim_answers = 0

    def close(self) -> None:
        # asyncio would wait up to 30 seconds for the server to say goodbye in TLS, also once the client is closed, and
        # without end for it to receive what is left of a request that was given up.
        self.abort()

    def set_response_params(self, **options: Any) -> None:
        self.is_idle = False
        self._interim_answers = 0
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        # aiohttp also calls this without data, to go on with what it has.
        if self.is_idle and data:
            self.close()
        else:
            super().data_received(data)

    def feed_data(self, data: tuple[Any, Any], size: int = 0) -> None:
        # aiohttp calls this with each answer, skips the interim ones, and has no limit for them.
        message, _ = data
        if message.code < 200:
            self._interim_answers += 1
        if self._interim_answers <= MAX_INTERIM_ANSWERS:
            super().feed_data(data, size)
        elif not self.is_eof():
            self.close()  # first: it forgets an exception
            self.set_exception(HttpProcessingError(message="too many interim answers"))


def _is_readable(connection: Connection) -> bool:
    transport = connection.transport
    return transport is not None and wait_for_read(transport.get_extra_info("socket"), timeout=0)
