"""What passes between a client and the double: the endpoints, a request as received, an answer to send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

MULTI_STATUS = "/v1/multi-status"
STATUS_BY_TAG = "/v1/bulk-status-by-tag"
ACCOUNT = "/v1/me"

BULK_SEND = "/v1/bulk-send"
CANCEL = "/v1/message-cancel"
STOP_LIST = "/v1/stop-sms/list"

METHODS = {
    MULTI_STATUS: "POST",
    STATUS_BY_TAG: "GET",
    ACCOUNT: "GET",
    BULK_SEND: "POST",
    CANCEL: "GET",
    STOP_LIST: "GET",
}

ROWS = "StatutResponse_List"

UnknownTag = Literal["not_found", "empty"]
Payload = dict[str, Any]

FINE = 200
OK: Payload = {"success": True, "code": FINE}


@dataclass(frozen=True)
class RecordedRequest:
    """A request as the double received it.

    :param query: the decoded query string.
    :param headers: the headers; names are compared without regard to case.
    :param body: the decoded JSON body, None where there is none, it is not JSON, or a fault let it unread.
    :param at: when it arrived, on the clock of ``time.monotonic``.
    :param peer_port: the client's port: requests with the same one came over one connection.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    at: float
    peer_port: int


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: a JSON object, or any bytes at all.

    :param trailing: bytes after the answer, on the same connection.
    """

    content: Payload | bytes
    http_status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    trailing: bytes = b""

    @property
    def rows(self) -> list[Payload] | None:
        """The status rows, None where the answer holds none."""
        return self.content.get(ROWS) if isinstance(self.content, dict) else None

    @property
    def sms(self) -> int | None:
        """How many SMS the vendor says to have sent, None where the answer is not about sending."""
        return self.content.get("nbSMS") if isinstance(self.content, dict) else None
