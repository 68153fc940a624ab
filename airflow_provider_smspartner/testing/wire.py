"""What faults write to a connection by hand, where an HTTP server would write an answer."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = b'{"success":true,"code":200,"Statut'
"""How a body begins that never comes to its end."""

PAUSE_SECONDS = 0.05
"""Long enough for what was written to arrive by itself."""

_MAX_BUFFERED_BYTES = 256 * 1024


def begin_body(transport: asyncio.Transport, *, length: int = 4096) -> None:
    """Write the head of an answer and the beginning of its body.

    :param transport: the connection.
    :param length: how long the head says that the body is.
    """
    transport.write(HEAD + b"Content-Length: %d\r\n\r\n" % length + BODY)


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection."""
    # Closing without lingering sends RST, where a plain close would end the stream politely.
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


async def pour(transport: asyncio.Transport, chunks: Iterable[bytes], *, pause: float = 0.0) -> None:
    """Write bytes until the client leaves, as fast as it takes them or slower.

    :param transport: the connection.
    :param chunks: what to write; may be endless.
    :param pause: seconds before each chunk.
    """
    for chunk in chunks:
        await asyncio.sleep(pause)
        # Only its protocol, which is aiohttp's, is told when a connection can take more.
        while transport.get_write_buffer_size() > _MAX_BUFFERED_BYTES:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        if transport.is_closing():
            return
        transport.write(chunk)


@lru_cache(maxsize=4)
def zipped_spaces(mebibytes: int) -> bytes:
    """Return so many spaces, compressed with gzip."""
    packed, spaces = BytesIO(), b" " * 2**20
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        for _ in range(mebibytes):
            file.write(spaces)
    return packed.getvalue()
