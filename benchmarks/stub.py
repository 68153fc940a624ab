"""
A vendor that answers as fast as it can after a set latency: ``python -m benchmarks.stub LATENCY``.

The double of the API behaves like the vendor; this one only costs little, and runs in a process of its own, so that
what is measured is the client. A message is Waiting for ever if its id ends in 7, else Delivered. The tag ``pages-N``
has N pages of 500 rows. ``/figures`` tells how many calls there were, and over how many connections at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

ROWS_A_PAGE = 500


@dataclass
class Figures:
    """
    What the stub has seen.

    :param calls: requests to the API.
    :param connections: most connections that were open at once, and had been used for such requests.
    """

    calls: int = 0
    connections: int = 0
    used: set[object] = field(default_factory=set)


class Vendor(asyncio.Protocol):
    """
    One connection.

    :param latency: seconds before each answer.
    :param figures: of all connections.
    """

    def __init__(self, latency: float, figures: Figures) -> None:
        self._latency = latency
        self._figures = figures
        self._buffer = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection's transport."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._figures.used.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            lengths = [line[15:] for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"]
            beyond = end + 4 + (int(lengths[0]) if lengths else 0)
            if len(self._buffer) < beyond:
                return
            body = bytes(self._buffer[end + 4 : beyond])
            del self._buffer[:beyond]
            answer = self._answer(head.split(b" ", 2)[1].decode(), body)
            reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            asyncio.get_running_loop().call_later(self._latency, self._write, reply % (len(answer), answer))

    def _write(self, reply: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(reply)

    def _answer(self, target: str, body: bytes) -> bytes:
        url = urlsplit(target)
        figures = self._figures
        if url.path == "/figures":
            return json.dumps({"calls": figures.calls, "connections": figures.connections}).encode()
        figures.calls += 1
        figures.used.add(self)
        figures.connections = max(figures.connections, len(figures.used))
        return _multi_status(body) if body else _bulk_status_by_tag(parse_qs(url.query))


def _multi_status(body: bytes) -> bytes:
    rows = [
        {
            "success": True,
            "code": 200,
            "phoneNumber": pair["phoneNumber"],
            "messageId": pair["messageId"],
            "status": "Waiting" if pair["messageId"] % 10 == 7 else "Delivered",
            "date": str(1_517_934_416 + pair["messageId"] % 600),
            "stopSms": "0",
            "isSpam": "0",
        }
        for pair in msgspec.json.decode(body)["SMSStatut_List"]
    ]
    return msgspec.json.encode({"success": True, "code": 200, "StatutResponse_List": rows})


def _bulk_status_by_tag(query: dict[str, list[str]]) -> bytes:
    pages, page = int(query["tag"][0].removeprefix("pages-")), int(query.get("page", ["1"])[0])
    rows = [
        {
            "phoneNumber": f"+336{page:04}{n:04}",
            "status": "Delivered",
            "stopSMS": False,
            "date": str(1_517_989_111 + n),
        }
        for n in range(ROWS_A_PAGE if page <= pages else 0)
    ]
    total = pages * ROWS_A_PAGE
    return msgspec.json.encode(
        {"success": True, "code": 200, "currentPage": page, "total": total, "StatutResponse_List": rows}
    )


async def serve(latency: float) -> None:
    """Serve on loopback until the process is ended, and print the port."""
    figures = Figures()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Vendor(latency, figures), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
