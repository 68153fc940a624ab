"""An aiohttp server on the loopback address, in a thread, driven from synchronous code."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from functools import partial

from aiohttp import web

HOST = "127.0.0.1"
PORTS = range(2**16)

# aiohttp takes 0 for "wait without end"; requests still being served at the end are not worth a wait.
SHUTDOWN_GRACE_SECONDS = 0.01
ACCEPT_TURNS = 5

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class LoopbackServer:
    """Serves one handler between ``start`` and ``stop``.

    :param handler: answers the requests.
    :param ssl_context: holds the certificate to serve https with; None for plain http.
    """

    def __init__(self, handler: Handler, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._ssl_context = ssl_context
        self._thread: threading.Thread | None = None
        self._port: int | None = None
        self._stop: Callable[[], object] = lambda: None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._port is None:
            raise RuntimeError("the SMS Partner double is not running: use it in a with statement")
        return self._port

    def start(self, port: int) -> None:
        """Listen, and return once requests are being served.

        :param port: the port, 0 for any free one.
        """
        if self._thread is not None:
            raise RuntimeError("the SMS Partner double is running already")
        if port not in PORTS:
            raise ValueError(f"port must be from 0 to {PORTS[-1]}")
        # Bound here rather than in the thread: a port that is taken is the caller's error.
        try:
            listener = socket.create_server((HOST, port))
        except OSError as error:
            text = f"the SMS Partner double cannot listen on {HOST}:{port}: {error.strerror}"
            raise OSError(error.errno, text) from None
        started: Future[None] = Future()
        thread = threading.Thread(
            target=self._run, args=(listener, started), name="smspartner-double", daemon=True
        )
        thread.start()
        started.result()
        self._thread, self._port = thread, listener.getsockname()[1]

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._thread is None:
            return
        self._stop()
        self._thread.join()
        self._thread = self._port = None

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections for a while: close those there are, and keep the port for later."""
        port = self.port
        self.stop()
        try:
            # Bound and not listening: it is not handed out as a free port meanwhile, and nobody is answered on it.
            with closing(socket.socket()) as kept:
                kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                kept.bind((HOST, port))
                self._port = port
                yield
        finally:
            self.start(port)

    def _run(self, listener: socket.socket, started: Future[None]) -> None:
        with listener:
            try:
                # Named, so that neither a policy nor uvloop decides how connections are accepted.
                with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    runner.run(self._serve(listener, started))
            except BaseException as error:
                if started.done():
                    raise
                started.set_exception(error)

    async def _serve(self, listener: socket.socket, started: Future[None]) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        self._stop = partial(loop.call_soon_threadsafe, stopping.set)
        # Cancelled with their connection, handlers do not go on for a client that has given up.
        server = web.Server(self._handler, handler_cancellation=True, access_log=None)
        acceptor = await loop.create_server(server, sock=listener, ssl=self._ssl_context)
        started.set_result(None)
        await stopping.wait()
        # A connection accepted just now is the server's to close a few turns of the loop later. Closing the
        # acceptor before that leaks it, hence first only no longer accept.
        loop.remove_reader(listener)
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)
        acceptor.close()
        server.pre_shutdown()
        transports = [each.transport for each in server.connections if each.transport is not None]
        await server.shutdown(SHUTDOWN_GRACE_SECONDS)
        # Else TLS would wait for the client to say goodbye, and what it does not read would wait for ever.
        for transport in transports:
            transport.abort()
