"""
The connections of the synchronous half: those of requests and urllib3, with what they lack.

- Interim answers (1xx) are skipped, also where ``http.client`` takes them for the answer.
- Each wait for the network is bounded by the exchange it belongs to.
- A connection on which bytes came without a request is not used again.
- A request that wants a connection of its own gets one, which is closed after its answer.
- The exchange knows whether the first byte of its request may have gone out.
- A process that was forked opens its own connections.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, EmptyPoolError, NewConnectionError
from urllib3.poolmanager import PoolManager

from airflow_provider_smspartner._http.bounds import Exchange, current, shut_down
from airflow_provider_smspartner._http.policy import MAX_INTERIM_ANSWERS

if TYPE_CHECKING:
    from urllib3.poolmanager import ProxyManager

_SENT_AT_ONCE_BYTES = 16 * 1024
_POOL_WAIT_SECONDS = 0.1


class _BoundedReader(io.RawIOBase):
    """
    Reads a socket within the bounds of an exchange.

    :param raw: the socket's own reader.
    :param sock: what it reads.
    :param exchange: None for requests that are not ours.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange | None) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._exchange = exchange
        self.is_dry = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.is_dry:
            return 0
        if self._exchange is not None:
            self._exchange.bound(self._sock)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that skips the interim ones before it (RFC 9110, 15.2)."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._sock = sock
        self._reader = _BoundedReader(self.fp.detach(), sock, current())
        self.fp = io.BufferedReader(self._reader)

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in its stubs
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("too many interim answers")

    def begin(self) -> None:
        super().begin()
        if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS or (
            "Transfer-Encoding" in self.headers and not self.chunked
        ):
            # Nobody knows where such an answer ends.
            self.will_close = True
        exchange = current()
        if exchange is not None and exchange.own_connection:
            # Whatever the server says.
            self.will_close = True
        # None is kept, and the parser would warn about a bad one with its text.
        for name in ("Set-Cookie", "Set-Cookie2"):
            del self.headers[name]

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # not in its stubs
        if size < 0:
            raise ValueError("a negative chunk size")
        return size

    def _read_and_discard_trailer(self) -> None:
        # As http.client, but with the limits of headers.
        http.client.parse_headers(self.fp)

    def _close_conn(self) -> None:
        self._reader.is_dry = True
        if self.fp.peek(1) or getattr(self._sock, "pending", int)():
            # Bytes behind the answer would be taken for the answer to the next request.
            shut_down(self._sock)
        super()._close_conn()  # type: ignore[misc]  # not in its stubs


class _Connection(HTTPConnection):
    response_class = _Response
    # Not http.client's own, which prints all that is sent.
    debuglevel = 0
    _is_connecting = False

    def connect(self) -> None:
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def _new_conn(self) -> socket.socket:
        exchange = current()
        if exchange is None:
            return super()._new_conn()
        try:
            return exchange.connect(self._dns_host, self.port)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timed out") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, type(error).__name__) from error

    def send(self, data: Any) -> None:
        exchange = current()
        if exchange is None:
            super().send(data)
            return
        if self.sock is None:
            self.connect()
        # TLS counts the time of each piece by itself.
        for start in range(0, len(data), _SENT_AT_ONCE_BYTES):
            exchange.bound(self.sock)
            # While it connects, what is sent is for the proxy.
            if not self._is_connecting:
                exchange.surely_unsent = False
            super().send(data[start : start + _SENT_AT_ONCE_BYTES])


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        exchange = current()
        if exchange is None:
            return super()._get_conn(timeout)
        while True:
            try:
                connection = super()._get_conn(min(exchange.next_wait(), _POOL_WAIT_SECONDS))
            except EmptyPoolError:
                continue
            if exchange.own_connection:
                # What was kept in its place in the pool makes room; urllib3 opens a closed one anew.
                connection.close()
            return connection


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class _PoolManager(PoolManager):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pool_classes_by_scheme = _POOLS


class Adapter(HTTPAdapter):
    """requests' adapter over these connections, at most ``pool_maxsize`` of them."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Make the pools of connections; a copy of the adapter makes its own."""
        self._options = {"num_pools": connections, "maxsize": maxsize, "block": block, **options}
        # In one step: another thread never finds a manager whose pools are not ours.
        self.poolmanager = _PoolManager(**self._options)
        _adapters.add(self)

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        """Return the pools that reach the API through a proxy."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def leave_to_parent(self) -> None:
        """Begin anew in a process that was forked, without the parent's connections."""
        _inherited.append((self.poolmanager, self.proxy_manager))
        self.proxy_manager = {}
        self.poolmanager = _PoolManager(**self._options)


_adapters: WeakSet[Adapter] = WeakSet()
_inherited: list[object] = []
"""What forks have brought from the parent: never touched nor collected, since its locks may be held for ever."""


def _leave_all_to_parent() -> None:
    for adapter in list(_adapters):
        adapter.leave_to_parent()


if hasattr(os, "register_at_fork"):
    # Not at the first request of the child: by then it may have threads, or drop what it does not need.
    os.register_at_fork(after_in_child=_leave_all_to_parent)
