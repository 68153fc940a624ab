"""
Decode the body of an answer with bounded memory: both clients feed it the bytes as they came from the wire.

::

    decoder = BodyDecoder(content_encoding=…, content_length=…)
    for chunk in …:
        for _ in decoder.steps(chunk):
            …                               look at the clock, or let the event loop run
    body = decoder.finish()
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAX_BODY_BYTES = 64 * 1024 * 1024
"""
The limit of a body, before and after decoding: a page of 500 rows has less than 100 KB, but a stop list has no pages.

Whatever goes through a whole body in one step holds up every other thread, the event loop's too, for longer the
larger it is. So there is no such step, not even a copy.
"""

MAX_MEMBERS = 1_000
"""The limit of gzip members: RFC 1952 allows any number, and each may be empty."""

STEP_BYTES = 64 * 1024
"""What one step reads or writes at most: less than a millisecond's work."""

ACCEPT_ENCODING = "gzip, deflate"
"""What both clients ask for: encodings that can be decoded with a limit."""

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class BodyError(ValueError):
    """
    A body that cannot be used; the text says why and holds no word of the answer.

    :param is_too_large: whether it would be no other if it were asked for again.
    """

    def __init__(self, text: str, *, is_too_large: bool = False) -> None:
        super().__init__(text)
        self.is_too_large = is_too_large


class BodyDecoder:
    """
    Decodes one body, in steps of bounded work.

    :param content_encoding: the ``Content-Encoding`` header; several lines are joined with commas.
    :param content_length: the ``Content-Length`` header.
    :raises BodyError: if the headers already show that the body cannot be used.
    """

    def __init__(self, *, content_encoding: str | None = None, content_length: str | None = None) -> None:
        _check_length(content_length)
        self._encoding = _encoding_of(content_encoding)
        self._received = 0
        self._members = 0
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self._body = bytearray()

    def feed(self, raw: bytes) -> None:
        """
        Decode the next bytes, however many there are.

        :param raw: as they came from the wire, without the framing of chunks.
        :raises BodyError: if the body is too large or damaged.
        """
        for _ in self.steps(raw):
            pass

    def steps(self, raw: bytes) -> Iterator[None]:
        """
        Decode the next bytes, and pause after at most `STEP_BYTES` of input or output; run it to its end.

        :param raw: as they came from the wire, without the framing of chunks.
        :raises BodyError: if the body is too large or damaged.
        """
        try:
            yield from self._steps(raw)
        except BodyError:
            # The error may be kept for a while, and with it whatever its traceback leads to.
            self._body = bytearray()
            raise

    def _steps(self, raw: bytes) -> Iterator[None]:
        # Bounds the work as well: a compressed stream may go on for ever without any output.
        self._received += len(raw)
        if self._received > MAX_BODY_BYTES:
            raise _too_large()
        view = memoryview(raw)
        for start in range(0, len(raw), STEP_BYTES):
            part = view[start : start + STEP_BYTES]
            if self._encoding == "identity":
                self._keep(part)
                yield
            else:
                yield from self._decompress(self._head + part)

    def finish(self) -> bytes | bytearray:
        """
        Return the decoded body: not as a copy, which of a large body takes longer than an event loop may stand still.

        :raises BodyError: if the body ended too early.
        """
        if self._encoding != "identity" and self._received and (self._stream is None or not self._stream.eof):
            raise BodyError("its compressed body ends too early")
        return bytes(self._body) if len(self._body) <= STEP_BYTES else self._body

    def _decompress(self, pending: bytes) -> Iterator[None]:
        self._head = b""
        while True:
            if self._stream is None or self._stream.eof:
                if not pending:
                    return
                if self._encoding == "deflate" and len(pending) < 2:
                    # Two bytes tell the form of a deflate body.
                    self._head = bytes(pending)
                    return
                self._stream = self._begin(pending)
            try:
                output = self._stream.decompress(pending, STEP_BYTES)
            except zlib.error:
                raise _damaged() from None
            self._keep(output)
            pending = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            # A full step may have left output inside the stream though all input is consumed.
            if not pending and len(output) < STEP_BYTES:
                yield
                return
            yield

    def _begin(self, pending: bytes) -> zlib._Decompress:
        self._members += 1
        if self._encoding == "gzip":
            if self._members > MAX_MEMBERS:
                raise BodyError(f"its body has more than {MAX_MEMBERS:,} gzip members")
            return zlib.decompressobj(_GZIP)
        if self._members > 1:
            # Only gzip allows for several.
            raise _damaged()
        return zlib.decompressobj(_ZLIB if _has_zlib_header(pending) else _RAW)

    def _keep(self, decoded: bytes | memoryview) -> None:
        if len(self._body) + len(decoded) > MAX_BODY_BYTES:
            raise _too_large()
        self._body += decoded


def _too_large() -> BodyError:
    return BodyError(f"it is larger than {MAX_BODY_BYTES / 2**20:g} MiB", is_too_large=True)


def _damaged() -> BodyError:
    return BodyError("its compressed body is damaged")


def _check_length(content_length: str | None) -> None:
    digits = (content_length or "").strip().lstrip("0")
    # A length that is no number is the HTTP library's to refuse; one of 20 digits is large without a look.
    if digits.isascii() and digits.isdigit() and (len(digits) > 19 or int(digits) > MAX_BODY_BYTES):
        raise _too_large()


def _encoding_of(content_encoding: str | None) -> str:
    named = [name.strip().lower() for name in (content_encoding or "").split(",")]
    applied = [name for name in named if name not in ("", "identity")]
    if not applied:
        return "identity"
    if len(applied) > 1:
        raise BodyError("its body is encoded several times")
    # RFC 9110, 8.4.1.3: x-gzip means gzip.
    encoding = "gzip" if applied[0] == "x-gzip" else applied[0]
    if encoding not in ("gzip", "deflate"):
        # The name is not quoted: it could be anything, and even hold what was sent.
        raise BodyError(f"its Content-Encoding is none of {ACCEPT_ENCODING}")
    return encoding


def _has_zlib_header(start: bytes) -> bool:
    """Whether RFC 1950's two bytes come first; without them, browsers read the body as raw deflate (RFC 1951)."""
    method_and_window, flags = start[0], start[1]
    return (
        method_and_window & 0x0F == zlib.DEFLATED
        and method_and_window >> 4 <= 7
        and (method_and_window << 8 | flags) % 31 == 0
    )
