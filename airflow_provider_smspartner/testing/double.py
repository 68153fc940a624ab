"""The API double as tests use it: messages to know, faults to commit, requests and SMS to look at."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from aiohttp import web

from airflow_provider_smspartner.testing.answers import AutoCampaigns, Vendor
from airflow_provider_smspartner.testing.campaigns import (
    DEFAULT_OUTCOMES,
    Campaign,
    Clock,
    Ledger,
    Message,
    Scripted,
    e164,
)
from airflow_provider_smspartner.testing.exchange import METHODS, Answer, RecordedRequest, UnknownTag
from airflow_provider_smspartner.testing.faults import Fault, FaultQueue
from airflow_provider_smspartner.testing.sending import Sending, SentSMS
from airflow_provider_smspartner.testing.server import HOST, LoopbackServer

log = logging.getLogger(__name__)


class SMSPartnerDouble:
    """Answers on 127.0.0.1 as SMS Partner does, while used as a context manager.

    :param api_key: the only key that is accepted.
    :param port: the port to listen on, 0 for any free one.
    :param page_size: rows a page of an answer by tag.
    :param auto_campaigns: make up what is asked for: an unknown tag becomes a campaign, unless it starts with
        "unknown", and an unknown message becomes known.
    :param campaign_size: messages of a campaign whose size is not given.
    :param settle_seconds: how long a campaign takes from its first ask, where it is not given, and how long the
        messages of a send take.
    :param latency: seconds before each answer.
    :param unknown_tag: how an unknown tag is answered: "not_found" (code 4) or "empty" (no rows).
    :param error_http_status: the HTTP status of the vendor's errors; None for a 4xx that fits the code. Code 9 of
        a send is always HTTP 400.
    :param ssl_context: holds the certificate to serve https with, as good or as bad as a test wants it; None
        for plain http.
    """

    host = HOST

    def __init__(
        self,
        *,
        api_key: str = "test-key",
        port: int = 0,
        page_size: int = 500,
        auto_campaigns: bool = False,
        campaign_size: int = 120,
        settle_seconds: float = 5.0,
        latency: float = 0.0,
        unknown_tag: UnknownTag = "not_found",
        error_http_status: int | None = 200,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not api_key:
            raise ValueError("api_key must not be empty")
        if page_size < 1:
            raise ValueError("page_size must be 1 or more")
        if campaign_size < 0:
            raise ValueError("campaign_size must be 0 or more")
        if unknown_tag not in ("not_found", "empty"):
            raise ValueError("unknown_tag must be 'not_found' or 'empty'")
        self.api_key = api_key
        self._asked_port = port
        self._campaign_size = campaign_size
        self._settle_seconds = settle_seconds
        self._latency = latency
        self._clock = Clock()
        self._ledger = Ledger()
        self._sending = Sending(self._ledger, self._clock, settle_seconds=settle_seconds)
        self._vendor = Vendor(
            ledger=self._ledger,
            sending=self._sending,
            clock=self._clock,
            api_key=api_key,
            page_size=page_size,
            auto_campaigns=AutoCampaigns(campaign_size, settle_seconds) if auto_campaigns else None,
            unknown_tag=unknown_tag,
            error_http_status=error_http_status,
        )
        self._faults = FaultQueue()
        self._requests: list[RecordedRequest] = []
        self._in_flight = 0
        self._max_in_flight = 0
        # Tests call from their own threads while the server's thread answers.
        self._lock = threading.Lock()
        self._scheme = "http" if ssl_context is None else "https"
        self._server = LoopbackServer(self._serve, ssl_context=ssl_context)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._server.start(self._asked_port)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection."""
        self._server.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"{self._scheme}://{self.host}:{self.port}"

    def connection_json(self, **extra: Any) -> str:
        """Describe the Airflow connection to the double, as JSON text.

        :param extra: the connection's extra, such as ``timeout=2``.
        """
        return json.dumps(
            {"conn_type": "smspartner", "host": self.url, "password": self.api_key, "extra": extra}
        )

    def connection_uri(self, **extra: Any) -> str:
        """Describe the Airflow connection to the double, as a URI.

        :param extra: the connection's extra, such as ``timeout=2``.
        """
        # Airflow reads numbers and booleans back from __extra__ only; plain parameters come back as text.
        query = f"?__extra__={quote(json.dumps(extra), safe='')}" if extra else ""
        return f"smspartner://:{quote(self.api_key, safe='')}@{self.host}:{self.port}/{self._scheme}{query}"

    def connection_env(self, conn_id: str = "smspartner_default", **extra: Any) -> dict[str, str]:
        """Describe the Airflow connection to the double, as an environment variable.

        :param conn_id: the connection's id.
        :param extra: the connection's extra, such as ``timeout=2``.
        """
        return {f"AIRFLOW_CONN_{conn_id.upper()}": self.connection_json(**extra)}

    def add_campaign(
        self,
        tag: str,
        *,
        size: int | None = None,
        settle_seconds: float | None = None,
        outcomes: Mapping[str, float] = DEFAULT_OUTCOMES,
    ) -> Campaign:
        """Make up a campaign whose messages leave Waiting one after the other.

        :param tag: its tag.
        :param size: how many messages; by default the double's ``campaign_size``.
        :param settle_seconds: how long it takes from the first ask to the last message; by default the
            double's ``settle_seconds``.
        :param outcomes: the share of each final status; the shares add up to 1.
        """
        with self._lock:
            return self._ledger.add_campaign(
                tag,
                size=self._campaign_size if size is None else size,
                settle_seconds=self._settle_seconds if settle_seconds is None else settle_seconds,
                outcomes=outcomes,
            )

    def add_message(
        self,
        phone_number: str,
        message_id: str | int,
        *statuses: str,
        tag: str | None = None,
        stop_sms: bool = False,
        is_spam: bool = False,
    ) -> None:
        """Add one message whose status follows a script.

        :param phone_number: the recipient.
        :param message_id: the message's id.
        :param statuses: the status at the first ask, at the second, and so on; the last one stays. Any text;
            "Numéro introuvable" is a failed row in multi-status.
        :param tag: the tag that it is found by.
        :param stop_sms: whether the recipient has opted out.
        :param is_spam: whether the message was taken for spam.
        """
        message = Message(e164(phone_number), str(message_id), Scripted(statuses), stop_sms, is_spam)
        with self._lock:
            self._ledger.add_message(message, tag=tag)

    def advance(self, seconds: float) -> None:
        """Move the double's clock forward, for campaigns that take longer than a test.

        :param seconds: by how much.
        """
        with self._lock:
            self._clock.advance(seconds)

    def misbehave(self, fault: Fault, *, times: int | None = 1, path: str | None = None) -> None:
        """Queue a fault for requests to come.

        :param fault: what to do.
        :param times: for how many requests; None for ever.
        :param path: only for this endpoint, such as "/v1/me" or "me".
        """
        with self._lock:
            self._faults.add(fault, times=times, path=path)

    def down(self) -> AbstractContextManager[None]:
        """Refuse connections within a ``with`` block, as a server does that is not running."""
        return self._server.down()

    def clear_faults(self) -> None:
        """Behave again."""
        with self._lock:
            self._faults.clear()

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests received so far, in order; a copy."""
        with self._lock:
            return list(self._requests)

    def clear_requests(self) -> None:
        """Forget the requests received so far."""
        with self._lock:
            self._requests.clear()

    @property
    def sent(self) -> list[SentSMS]:
        """The SMS accepted so far, one for each number, in order; a copy."""
        with self._lock:
            return list(self._sending.sent)

    def clear_sent(self) -> None:
        """Forget the SMS accepted so far; the status calls still know them."""
        with self._lock:
            self._sending.sent.clear()

    def refuse(self, phone_number: str, code: int) -> None:
        """Refuse to send to a number.

        :param phone_number: the number.
        :param code: the vendor's code for it, such as 13 for a number that it has no price for.
        """
        with self._lock:
            self._sending.refused_numbers[e164(phone_number)] = code

    def add_stop(self, phone_number: str) -> None:
        """Let a number answer STOP: it is listed by ``/stop-sms/list``, and refused with code 14 when sent to.

        :param phone_number: the number.
        """
        with self._lock:
            self._sending.add_stop(e164(phone_number))

    @property
    def credit_sms(self) -> int | None:
        """How many SMS can still be sent, None for any number; those of the sandbox cost nothing."""
        with self._lock:
            return self._sending.credit_sms

    @credit_sms.setter
    def credit_sms(self, left: int | None) -> None:
        with self._lock:
            self._sending.credit_sms = left

    @property
    def max_in_flight(self) -> int:
        """The highest number of requests that were being served at the same time."""
        return self._max_in_flight

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        try:
            answer = await self._answer(request)
        finally:
            self._in_flight -= 1
        if answer is None:
            # aiohttp wants a response even where the connection is gone; it drops this one.
            return web.Response()
        content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
        response = web.Response(
            body=content, status=answer.http_status, content_type=answer.content_type, headers=answer.headers
        )
        if answer.trailing and request.transport is not None:
            await response.prepare(request)
            await response.write_eof()
            request.transport.write(answer.trailing)
        return response

    async def _answer(self, request: web.BaseRequest) -> Answer | None:
        transport = request.transport
        if transport is None:
            return None
        at = time.monotonic()
        with self._lock:
            fault = self._faults.take(request.path)
        body = None if fault and fault.is_unread else await _json_body(request)
        recorded = RecordedRequest(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=request.headers,
            body=body,
            at=at,
            peer_port=transport.get_extra_info("peername")[1],
        )
        with self._lock:
            self._requests.append(recorded)
        if self._latency:
            await asyncio.sleep(self._latency)
        by_vendor: list[Answer] = []

        def ask_vendor(asked: RecordedRequest) -> Answer:
            with self._lock:
                answer = self._vendor.answer(asked)
            by_vendor.append(answer)
            return answer

        answer = await fault.apply(recorded, ask_vendor, transport) if fault else ask_vendor(recorded)
        _log(recorded, answer, sms=[each.sms for each in by_vendor if each.sms is not None])
        return answer


async def _json_body(request: web.BaseRequest) -> Any:
    content = await request.read()
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _log(recorded: RecordedRequest, answer: Answer | None, *, sms: Sequence[int]) -> None:
    # An unknown path is whatever the client sent; only the known ones are safe to show.
    path = recorded.path if recorded.path in METHODS else "(unknown path)"
    told = ["no answer" if answer is None else f"HTTP {answer.http_status}"]
    if answer is not None and answer.rows is not None:
        told.append(f"{len(answer.rows)} rows")
    # Also where a fault has kept the vendor's answer from the client.
    told += [f"{each} SMS" for each in sms]
    log.info("%s %s: %s", recorded.method, path, ", ".join(told))
