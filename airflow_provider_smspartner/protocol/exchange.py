"""What passes between a client and the vendor: a request, its answer, and how the answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """
    What to ask the API, without the key.

    :param method: ``GET`` or ``POST``.
    :param path: below the base URL, starting with a slash.
    :param query: parameters, not yet percent-encoded.
    :param body: the JSON object to post, or None.
    :param may_repeat: whether the vendor does the same if it receives the request twice, as with everything that only
        reads. There is no default: who adds an endpoint has to decide. A request that may not be repeated is
        tried again only if it surely was not sent.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    may_repeat: bool = field(kw_only=True)

    def with_key(self, api_key: str) -> tuple[dict[str, str], bytes | None]:
        """
        Return the query and the encoded body with the key in its place, at the last moment before sending.

        The key has no header form: it stands in the query of a GET and in the JSON of a POST
        [multi-status, by-tag].
        """
        if self.body is None:
            return {"apiKey": api_key, **self.query}, None
        return dict(self.query), msgspec.json.encode({"apiKey": api_key, **self.body})


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back.

    :param http_status: 100 to 599.
    :param headers: looked up in any case.
    :param body: the bytes, decompressed.
    :param key: what was asked with, which the vendor may quote, or "" where that is not known.
    """

    http_status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | bytearray = field(repr=False)
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """
    A request, and how its answer is read.

    :param request: what to send.
    :param read: turns the answer into a value, or raises an `SMSPartnerError`.
    """

    request: Request
    read: Callable[[Answer], T] = field(repr=False)
