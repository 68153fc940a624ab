"""The bounds of one synchronous exchange: when it must end, and whether anybody still waits for it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from contextvars import ContextVar, Token
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_smspartner import _clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_CHECK_SECONDS = 0.1
"""How often a pause checks whether it is to end."""

_current: ContextVar[Exchange | None] = ContextVar("smspartner_exchange", default=None)


def current() -> Exchange | None:
    """Return the exchange that is in flight in this thread."""
    return _current.get()


def no_check() -> None:
    """Let everything go on."""


class GivingUp:
    """
    A switch that ends pauses, further tries and exchanges in flight, once their result is not wanted any more.

    It takes no lock that its own thread could hold already: a signal handler may set it in the middle of anything.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._in_flight: set[Exchange] = set()

    def set(self) -> None:
        """End pauses, further tries and exchanges in flight."""
        self._is_set = True
        for exchange in list(self._in_flight):
            exchange.cut()

    def is_set(self) -> bool:
        """Whether the result is not wanted any more."""
        return self._is_set

    def wait(self, seconds: float, check: Callable[[], None] = no_check) -> bool:
        """
        Pause, and return whether the result is not wanted any more.

        :param seconds: the pause ends early once the switch is set.
        :param check: called again and again, also at the end; it ends the pause by raising.
        """
        end = _clock.monotonic() + seconds
        check()
        while not self._is_set and (left := end - _clock.monotonic()) > 0:
            _clock.sleep(min(left, _CHECK_SECONDS))
            check()
        return self._is_set

    def has_exchanges(self) -> bool:
        """Whether exchanges are in flight."""
        return bool(self._in_flight)

    def enter(self, exchange: Exchange) -> None:
        """
        Note an exchange that is about to begin.

        :param exchange: ended by `set`.
        """
        self._in_flight.add(exchange)

    def leave(self, exchange: Exchange) -> None:
        """
        Forget an exchange that has ended.

        :param exchange: as it entered.
        """
        self._in_flight.discard(exchange)


class Exchange:
    """
    One request and its answer, from the look-up of the host's name to the last byte.

    Each wait for the network asks `next_wait` how long it may take. Where a wait is under way, `cut` ends it.

    :param deadline: by `time.monotonic`.
    :param timeout: seconds of each wait for the network.
    :param given_up: ends the exchange.
    :param own_connection: whether the request goes out on a connection that is opened for it, and closed after it.
    """

    def __init__(self, *, deadline: float, timeout: float, given_up: GivingUp, own_connection: bool) -> None:
        self.own_connection = own_connection
        self.surely_unsent = True
        """Whether no byte of the request can have gone out; what a proxy or TLS is told before does not count."""
        self._deadline = deadline
        self._timeout = timeout
        self._given_up = given_up
        self._handle: socket.socket | None = None
        self._lock = RLock()
        self._token: Token[Exchange | None] | None = None

    def __enter__(self) -> Self:
        """Begin the exchange in this thread."""
        self._given_up.enter(self)
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the exchange."""
        if self._token is not None:
            _current.reset(self._token)
        self._given_up.leave(self)
        self._watch(None)

    def is_over(self) -> bool:
        """Whether the exchange must end."""
        return self._given_up.is_set() or _clock.monotonic() >= self._deadline

    def next_wait(self) -> float:
        """
        Return the seconds that the next wait may take.

        :raises TimeoutError: if the exchange must end.
        """
        if self.is_over():
            raise TimeoutError
        return max(0.001, min(self._timeout, self._deadline - _clock.monotonic()))

    def bound(self, sock: socket.socket) -> None:
        """
        Limit the next wait for a socket, and be ready to cut it.

        :param sock: of any kind; TLS may take it over.
        :raises TimeoutError: if the exchange must end.
        """
        if self._handle is None:
            self._watch(sock)
        sock.settimeout(self.next_wait())

    def connect(self, host: str, port: int) -> socket.socket:
        """
        Return a connected socket: to the first of the host's addresses that answers.

        :raises TimeoutError: if connecting takes too long.
        :raises OSError: as the last address fails.
        """
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for family, kind, protocol, _, address in self._addresses(host, port):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._watch(sock)
                sock.settimeout(self.next_wait())
                sock.connect(address)
                sock.settimeout(self.next_wait())
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure

    def _addresses(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """
        Return the addresses of a host.

        The operating system's look-up of a name has no time limit and cannot be ended. It runs on a thread of its own,
        which is left behind if it takes longer than connecting may.
        """
        with suppress(socket.gaierror):
            return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)]
        found: list[list[tuple[Any, ...]] | OSError | UnicodeError] = []

        def look_up() -> None:
            try:
                found.append([*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
            except (OSError, UnicodeError) as error:
                found.append(error)

        thread = Thread(target=look_up, name="smspartner-look-up", daemon=True)
        thread.start()
        ends_at = _clock.monotonic() + self._timeout
        while thread.is_alive():
            if _clock.monotonic() >= ends_at:
                raise TimeoutError
            thread.join(min(self.next_wait(), _CHECK_SECONDS))
        (result,) = found
        if isinstance(result, Exception):
            raise result
        return result

    def cut(self) -> None:
        """End a wait that is under way, from another thread or from a signal handler."""
        with self._lock:
            if self._handle is not None:
                shut_down(self._handle)

    def _watch(self, sock: socket.socket | None) -> None:
        # A file descriptor of its own stays valid while TLS takes the socket over and while others close it.
        handle = None if sock is None else _duplicate(sock)
        with self._lock:
            before, self._handle = self._handle, handle
            if before is not None:
                before.close()
        if handle is not None and self._given_up.is_set():
            raise TimeoutError


def shut_down(sock: socket.socket) -> None:
    """
    End a connection, also for other threads: their reads end, and a pool does not use it again.

    :param sock: stays open as a file descriptor.
    """
    with suppress(OSError), _duplicate(sock) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


def _duplicate(sock: socket.socket) -> socket.socket:
    return socket.socket(fileno=os.dup(sock.fileno()))
