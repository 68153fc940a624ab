"""Misbehaviour on request: what a gateway, a network or a vendor in trouble does to a client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import cycle, islice, repeat

from airflow_provider_smspartner.testing import wire
from airflow_provider_smspartner.testing.answers import (
    ERROR_SHAPES,
    FAILED_ROWS,
    asked_pairs,
    error_payload,
)
from airflow_provider_smspartner.testing.exchange import (
    METHODS,
    MULTI_STATUS,
    ROWS,
    STATUS_BY_TAG,
    Answer,
    Payload,
    RecordedRequest,
)
from airflow_provider_smspartner.testing.refusals import RefusedError

Proceed = Callable[[RecordedRequest], Answer]
# None instead of an answer: the fault has dealt with the connection itself.
Apply = Callable[[RecordedRequest, Proceed, asyncio.Transport], Awaitable[Answer | None]]


@dataclass(frozen=True)
class Fault:
    """One way to misbehave, for ``SMSPartnerDouble.misbehave``; made by the static methods below.

    :param name: how it shows in logs.
    :param apply: takes the request, what the double would do with it, and the connection.
    :param paths: the endpoints where it makes sense, None for all.
    :param is_unread: whether it strikes once the head of a request is there, and leaves the body unread.
    """

    name: str
    apply: Apply = field(repr=False)
    paths: frozenset[str] | None = None
    is_unread: bool = False

    def after_processing(self) -> Fault:
        """Strike once the vendor has done what the request asks for; its own answer is lost.

        ``Fault.reset().after_processing()`` is an SMS that has left while the client knows nothing of it.
        """
        if self.is_unread:
            raise ValueError(f"the fault {self.name!r} leaves nothing to process: the request is not read")

        async def apply(
            request: RecordedRequest, proceed: Proceed, transport: asyncio.Transport
        ) -> Answer | None:
            answer = proceed(request)
            # The vendor acts once, even where the fault wants its answer, too.
            return await self.apply(
                request, lambda other: answer if other is request else proceed(other), transport
            )

        return replace(self, name=f"{self.name} after processing", apply=apply)

    @staticmethod
    def status(code: int, *, body: str | None = None, retry_after: float | str | None = None) -> Fault:
        """Answer with an HTTP status and a text that is not JSON.

        :param code: the HTTP status.
        :param body: the text; by default the status in words.
        :param retry_after: the header Retry-After, in seconds or as an HTTP date.
        """
        text = _phrase(code) if body is None else body
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return _instead(f"status {code}", Answer(text.encode(), code, "text/plain", headers))

    @staticmethod
    def body(content: bytes, *, status: int = 200, content_type: str = "application/json") -> Fault:
        """Answer with these bytes, whatever they are.

        :param content: the body.
        :param status: the HTTP status.
        :param content_type: the media type.
        """
        return _instead("body", Answer(content, status, content_type))

    @staticmethod
    def html(status: int = 200) -> Fault:
        """Answer with an HTML page, as proxies and maintenance pages do."""
        page = b"<!DOCTYPE html><html><body><h1>Maintenance</h1></body></html>"
        return _instead("html", Answer(page, status, "text/html"))

    @staticmethod
    def redirect(location: str, status: int = 302) -> Fault:
        """Send the client elsewhere."""
        return _instead("redirect", Answer(b"", status, "text/plain", {"Location": location}))

    @staticmethod
    def fake_success() -> Fault:
        """Answer as the gateway did to everything during the incident of July 2026."""
        return Fault.body(b'{"success":true,"code":200,"message":"Request queued for processing"}')

    @staticmethod
    def error(code: int | None, message: str = "Erreur", *, shape: int = 1, http_status: int = 200) -> Fault:
        """Answer with an error of the vendor.

        :param code: the vendor's code; None leaves it out where the shape can do without.
        :param message: the text.
        :param shape: 1 code and message, 2 a list ``errors``, 3 an object ``error``, 4 an inner error whose
            code is text, 5 every asked pair failed in a successful answer (multi-status only).
        :param http_status: the HTTP status.
        """
        if shape not in ERROR_SHAPES:
            raise ValueError(f"shape must be one of {ERROR_SHAPES}")

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            try:
                pairs = asked_pairs(request.body) if shape == FAILED_ROWS else []
            except RefusedError:
                return proceed(request)
            return Answer(error_payload(code, message, shape=shape, pairs=pairs), http_status)

        return Fault(f"error {code}", apply, frozenset({MULTI_STATUS}) if shape == FAILED_ROWS else None)

    @staticmethod
    def raw(content: bytes) -> Fault:
        """Answer with these bytes, HTTP or not, then close.

        :param content: all that the client gets.
        """

        async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
            transport.write(content)
            transport.close()

        return Fault("raw", apply)

    @staticmethod
    def charset(encoding: str) -> Fault:
        """Answer as the vendor does, but in another encoding than UTF-8.

        :param encoding: as Python names it, such as "utf-16".
        """

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            answer = proceed(request)
            if isinstance(answer.content, bytes):
                return answer
            text = json.dumps(answer.content, ensure_ascii=False)
            return replace(answer, content=text.encode(encoding, errors="replace"))

        return Fault(f"charset {encoding}", apply)

    @staticmethod
    def interim(count: int = 1, *, status: int = 102) -> Fault:
        """Send interim answers before the answer.

        :param count: how many.
        :param status: their HTTP status, 100 to 199.
        """
        line = f"HTTP/1.1 {status} {_phrase(status)}".rstrip()

        async def apply(request: RecordedRequest, proceed: Proceed, transport: asyncio.Transport) -> Answer:
            await wire.pour(transport, repeat(f"{line}\r\n\r\n".encode(), count))
            return proceed(request)

        return Fault(f"interim {status}", apply)

    @staticmethod
    def trailing(content: bytes | None = None) -> Fault:
        """Send more bytes after the answer, on the same connection.

        :param content: the bytes; by default a second answer, which nobody asked for.
        """
        unasked = wire.HEAD + b"Content-Length: 2\r\n\r\n{}" if content is None else content

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            return replace(proceed(request), trailing=unasked)

        return Fault("trailing", apply)

    @staticmethod
    def reset() -> Fault:
        """Reset the connection before anything is answered."""

        async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
            wire.reset(transport)

        return Fault("reset", apply)

    @staticmethod
    def reset_unread() -> Fault:
        """Reset the connection once the head of a request is there, before its body is read."""
        return replace(Fault.reset(), name="reset unread", is_unread=True)

    @staticmethod
    def reset_in_body() -> Fault:
        """Reset the connection after the beginning of the body."""

        async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
            wire.begin_body(transport)
            await asyncio.sleep(wire.PAUSE_SECONDS)
            wire.reset(transport)

        return Fault("reset in body", apply)

    @staticmethod
    def hang(seconds: float) -> Fault:
        """Answer nothing for some time, then close."""

        async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
            await asyncio.sleep(seconds)
            transport.close()

        return Fault("hang", apply)

    @staticmethod
    def hang_in_body(seconds: float) -> Fault:
        """Send the beginning of the body, then nothing for some time, then close."""

        async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
            wire.begin_body(transport)
            await asyncio.sleep(seconds)
            transport.close()

        return Fault("hang in body", apply)

    @staticmethod
    def drip(every: float = 0.05) -> Fault:
        """Send the body byte by byte, and never come to its end.

        :param every: seconds before each byte.
        """

        async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
            wire.begin_body(transport, length=2**20)
            await wire.pour(transport, repeat(b" "), pause=every)

        return Fault("drip", apply)

    @staticmethod
    def truncated() -> Fault:
        """Announce more bytes than are sent, then close."""

        async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
            wire.begin_body(transport)
            transport.close()

        return Fault("truncated", apply)

    @staticmethod
    def endless_headers() -> Fault:
        """Send headers, as fast as the client takes them, and never come to their end."""
        return _poured("endless headers", wire.HEAD, b"X-More: and more\r\n" * 1000)

    @staticmethod
    def endless_body() -> Fault:
        """Send chunks of a body, as fast as the client takes them, and never come to the last one."""
        chunk = b"10000\r\n" + b" " * 2**16 + b"\r\n"
        return _poured("endless body", wire.HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk)

    @staticmethod
    def gzip_bomb(mebibytes: int = 128) -> Fault:
        """Send a small body that is large once it is decompressed.

        :param mebibytes: its size then; it is sent as about a thousandth of that.
        """
        headers = {"Content-Encoding": "gzip"}
        return _instead("gzip bomb", Answer(wire.zipped_spaces(mebibytes), headers=headers))

    @staticmethod
    def nested(depth: int = 100_000) -> Fault:
        """Answer with JSON whose lists are nested this deep.

        :param depth: how many lists stand in each other.
        """
        return Fault.body(
            b'{"success":true,"code":200,"StatutResponse_List":' + b"[" * depth + b"]" * depth + b"}"
        )

    @staticmethod
    def ignore_page() -> Fault:
        """Answer the first page of a tag, whatever page is asked."""

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            query = {name: value for name, value in request.query.items() if name != "page"}
            return proceed(replace(request, query=query))

        return Fault("ignore page", apply, frozenset({STATUS_BY_TAG}))

    @staticmethod
    def repeat_page() -> Fault:
        """Answer each page of a tag with the rows of the first, under the number that was asked for."""

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            asked = request.query.get("page")
            answer = proceed(replace(request, query={**request.query, "page": "1"}))
            if asked is None or isinstance(answer.content, bytes):
                return answer
            return replace(answer, content={**answer.content, "currentPage": int(asked)})

        return Fault("repeat page", apply, frozenset({STATUS_BY_TAG}))

    @staticmethod
    def sent_meanwhile(count: int = 1, *, counted: bool = True) -> Fault:
        """Answer a later page of a tag as if SMS had been sent under it since the first: its rows have moved on.

        :param count: how many SMS.
        :param counted: whether ``total`` tells.
        """

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            answer, asked = proceed(request), request.query.get("page")
            if asked is None or isinstance(answer.content, bytes):
                return answer
            before = (
                proceed(replace(request, query={**request.query, "page": str(int(asked) - 1)})).rows or []
            )
            moved = [*before[-count:], *(answer.rows or [])][: len(before)]
            total = answer.content["total"] + (count if counted else 0)
            return replace(answer, content={**answer.content, ROWS: moved, "total": total})

        return Fault("sent meanwhile", apply, frozenset({STATUS_BY_TAG}))

    @staticmethod
    def total(value: object) -> Fault:
        """Announce a total that is not true, or not a number.

        :param value: what stands as ``total`` in the answers by tag.
        """
        return _altered("total", lambda payload: {**payload, "total": value}, frozenset({STATUS_BY_TAG}))

    @staticmethod
    def headers(added: Mapping[str, str]) -> Fault:
        """Answer as usual, with more headers, such as those that tell a limit of requests.

        :param added: the headers by name.
        """

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            answer = proceed(request)
            return replace(answer, headers={**answer.headers, **added})

        return Fault("headers", apply)

    @staticmethod
    def drifting_total(step: int) -> Fault:
        """Announce a total that is true on the first page of a tag, and changes from page to page.

        :param step: by how much; negative to let it shrink.
        """
        return _altered(
            "drifting total",
            lambda payload: {**payload, "total": payload["total"] + step * (payload["currentPage"] - 1)},
            frozenset({STATUS_BY_TAG}),
        )

    @staticmethod
    def many_rows(count: int) -> Fault:
        """Repeat the rows of a status answer until there are this many, and announce as many by tag.

        :param count: how many.
        """

        async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
            answer = proceed(request)
            if not answer.rows or isinstance(answer.content, bytes):
                return answer
            around = {name: value for name, value in answer.content.items() if name != ROWS}
            if "total" in around:
                around["total"] = count
            # Each row is written once: there may be a million of them.
            written = ",".join(islice(cycle([json.dumps(row) for row in answer.rows]), count))
            text = f'{json.dumps(around).removesuffix("}")}, "{ROWS}": [{written}]}}'
            return replace(answer, content=text.encode())

        return Fault("many rows", apply, frozenset({MULTI_STATUS, STATUS_BY_TAG}))

    @staticmethod
    def rows(change: Callable[[list[Payload]], list[Payload]]) -> Fault:
        """Change the rows of a status answer: leave some out, repeat or reorder them, touch their fields.

        :param change: takes the rows and returns the ones to answer.
        """
        return _altered(
            "rows",
            lambda payload: {**payload, ROWS: change(payload[ROWS])},
            frozenset({MULTI_STATUS, STATUS_BY_TAG}),
        )

    @staticmethod
    def field(name: str, value: object) -> Fault:
        """Put a value into a field of every row of a status answer.

        :param name: the field, as on the wire.
        :param value: anything that JSON can hold.
        """
        return Fault.rows(lambda rows: [{**row, name: value} for row in rows])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # such as 599, which gateways use and no RFC names
        return "Error"


def _poured(name: str, start: bytes, chunk: bytes) -> Fault:
    async def apply(_: object, __: object, transport: asyncio.Transport) -> None:
        transport.write(start)
        await wire.pour(transport, repeat(chunk))

    return Fault(name, apply)


def _instead(name: str, answer: Answer) -> Fault:
    async def apply(*_: object) -> Answer:
        return answer

    return Fault(name, apply)


def _altered(name: str, change: Callable[[Payload], Payload], paths: frozenset[str]) -> Fault:
    async def apply(request: RecordedRequest, proceed: Proceed, _: object) -> Answer:
        answer = proceed(request)
        if answer.rows is None or isinstance(answer.content, bytes):
            return answer
        return replace(answer, content=change(answer.content))

    return Fault(name, apply, paths)


@dataclass
class _Queued:
    fault: Fault
    times: int | None
    paths: frozenset[str] | None


class FaultQueue:
    """The faults to come; each request takes the first one that concerns it."""

    def __init__(self) -> None:
        self._queued: list[_Queued] = []

    def add(self, fault: Fault, *, times: int | None, path: str | None) -> None:
        """Queue a fault for so many requests, to one endpoint or to any."""
        if times is not None and times < 1:
            raise ValueError("times must be 1 or more, or None for ever")
        self._queued.append(_Queued(fault, times, _concerned(fault, path)))

    def take(self, path: str) -> Fault | None:
        """Take the fault for a request to this path, None to behave."""
        for queued in self._queued:
            if queued.paths is None or path in queued.paths:
                if queued.times is not None:
                    queued.times -= 1
                    if queued.times == 0:
                        self._queued.remove(queued)
                return queued.fault
        return None

    def clear(self) -> None:
        """Drop the faults still to come."""
        self._queued.clear()


def _concerned(fault: Fault, path: str | None) -> frozenset[str] | None:
    if path is None:
        return fault.paths
    full = path if path.startswith("/v1/") else f"/v1/{path.lstrip('/')}"
    if full not in METHODS:
        raise ValueError(f"the double has no endpoint {path!r}")
    if fault.paths is not None and full not in fault.paths:
        raise ValueError(f"the fault {fault.name!r} makes no sense on {path!r}")
    return frozenset({full})
