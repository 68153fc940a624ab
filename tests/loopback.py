"""What tests of the HTTP half share: ways to drive a hook, and servers that misbehave where the double cannot."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import pytest
from waits_for import LIMIT, wait_until

from airflow_provider_smspartner._http import throttle
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

Ask = Callable[[SMSPartnerHook, str, Any], list[Any]]

SILENCE = 1.0
"""The timeout of a connection on which something never comes, and nothing comes late."""
ENDLESS = 3600.0
"""The timeout of a connection whose calls something else must end: without it the test hangs."""


def get(hook: SMSPartnerHook, what: str, argument: Any) -> list[Any]:
    with hook:
        rows: list[Any] = getattr(hook, f"get_{what}")(argument)
        return rows


def iterate(hook: SMSPartnerHook, what: str, argument: Any) -> list[Any]:
    with hook:
        return list(getattr(hook, f"iter_{what}")(argument))


def aget(hook: SMSPartnerHook, what: str, argument: Any) -> list[Any]:
    async def rows() -> list[Any]:
        async with hook:
            found: list[Any] = await getattr(hook, f"aget_{what}")(argument)
            return found

    return asyncio.run(rows())


def aiterate(hook: SMSPartnerHook, what: str, argument: Any) -> list[Any]:
    async def rows() -> list[Any]:
        async with hook:
            return [row async for row in getattr(hook, f"aiter_{what}")(argument)]

    return asyncio.run(rows())


WAYS: dict[str, Ask] = {"get": get, "iter": iterate, "aget": aget, "aiter": aiterate}
BOTH: dict[str, Ask] = {"sync": get, "async": aget}

four_ways = pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
both_ways = pytest.mark.parametrize("ask", BOTH.values(), ids=BOTH)

Start = Callable[..., SMSPartnerDouble]


def connect(monkeypatch: pytest.MonkeyPatch, double: SMSPartnerDouble, **extra: Any) -> None:
    """Lead the default connection to a double, with no ceiling of requests unless one is given."""
    # A ceiling of a test before would go on.
    monkeypatch.setattr(throttle, "_throttles", {})
    defaults = {"requests_per_minute": 0, "timeout": LIMIT}
    for name, value in double.connection_env(**{**defaults, **extra}).items():
        monkeypatch.setenv(name, value)


def timeout_for(fault: Fault | None) -> float:
    """Return the connection's timeout for a test: short only where it is met, as a busy machine answers late."""
    return SILENCE if fault is not None and fault.name.startswith("hang") else LIMIT


def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start doubles that the default connection leads to: a fixture's function."""
    with ExitStack() as stack:

        def start(extra: dict[str, Any] | None = None, **options: Any) -> SMSPartnerDouble:
            double = stack.enter_context(SMSPartnerDouble(**options))
            connect(monkeypatch, double, **(extra or {}))
            return double

        yield start


ROW: dict[str, Any] = {
    "phoneNumber": "+33639980000",
    "status": "Delivered",
    "date": "1517989111",
    "stopSMS": False,
}
ONE_ROW = json.dumps(
    {"success": True, "code": 200, "currentPage": 1, "total": 1, "StatutResponse_List": [ROW]}
).encode()


def one_row(number: int) -> bytes:
    """Return the body with one row whose phone number ends in a number of four digits."""
    return ONE_ROW.replace(ROW["phoneNumber"].encode(), b"+3363998%04d" % number)


def response(body: bytes, *, status: str = "200 OK", head: bytes = b"") -> bytes:
    """Write an HTTP answer by hand."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n%b\r\n%b" % (
        status.encode(),
        len(body),
        head,
        body,
    )


def hang(_: socket.socket, server: RawServer) -> None:
    """Answer nothing while the server runs."""
    server.stopping.wait()


def said(answer: bytes) -> Callable[[socket.socket, RawServer], None]:
    """Answer each request with these bytes, then close."""
    return lambda client, _: client.sendall(answer)


class RawServer:
    """
    Hands each connection to a function, once the head of a request has come.

    With a TLS context it speaks https, and what fails in the handshake leaves no head.
    """

    def __init__(
        self,
        answer: Callable[[socket.socket, RawServer], None],
        *,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.heads: list[bytes] = []
        self._clients: list[socket.socket] = []
        self._scheme = "https" if ssl_context else "http"
        self.stopping = threading.Event()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                client = self.request
                client.settimeout(LIMIT)
                try:
                    if ssl_context is not None:
                        client = ssl_context.wrap_socket(client, server_side=True)
                    outer._clients.append(client)
                    with client:
                        outer.heads.append(head_of(client))
                        answer(client, outer)
                except OSError:
                    pass  # the client has left, which some tests want

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = False
            request_queue_size = 50

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def wait_until_asked(self) -> None:
        """Wait until the head of a request has come."""
        wait_until(lambda: self.heads, "a request")

    def connection(self, api_key: str, **extra: Any) -> str:
        """Write the connection that leads here, as Airflow reads it from the environment."""
        return json.dumps(
            {
                "conn_type": "smspartner",
                "host": self.url,
                "password": api_key,
                "extra": {"requests_per_minute": 0, "timeout": LIMIT, **extra},
            }
        )


def head_of(client: socket.socket) -> bytes:
    """Return the head of a request, or what has come of it when the client closes the connection."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = client.recv(4096)
        if not received:
            break
        head += received
    return head


def receive_body(client: socket.socket, head: bytes) -> None:
    """Receive what is left of a request whose head was received, perhaps with a part of the body."""
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = (int(length[1]) if length else 0) - len(head.partition(b"\r\n\r\n")[2])
    while left > 0 and (received := client.recv(left)):
        left -= len(received)


@contextmanager
def accepting(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Hand each connection to a function at once, and yield the port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, ExitStack() as clients:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                client.settimeout(LIMIT)
                clients.enter_context(client)
                # The client may have left.
                with suppress(OSError):
                    answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def close(client: socket.socket) -> None:
    client.recv(65536)
    client.close()


def reset(client: socket.socket, _: object = None) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()


def receive_and_reset(client: socket.socket) -> None:
    # Python's ssl leaves the socket open that is reset before the handshake has begun: read first.
    client.recv(65536)
    reset(client)


def speak_plainly(client: socket.socket) -> None:
    client.recv(65536)
    client.sendall(response(b"plain"))
    client.close()


def alert(client: socket.socket) -> None:
    client.recv(65536)
    client.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # handshake_failure, RFC 8446, 6
    client.close()


def say_nothing(_: socket.socket) -> None:
    pass


def without_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no name be found, at once: a resolver may take longer to say so than a test gives it."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return real(host, port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@contextmanager
def never_accepting() -> Iterator[int]:
    """Listen, but with a queue so full that no connection is made, and yield the port."""
    with closing(socket.socket()) as full, ExitStack() as others:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        yield full.getsockname()[1]
