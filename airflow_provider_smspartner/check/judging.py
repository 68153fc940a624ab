"""
What every judgement is made of: what was seen, or why nothing was, and the words for it.

A judge is a function of the evidence. What it returns holds nothing of the key, the tag, a message or the vendor's own
text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from airflow_provider_smspartner.check.probes import Reply, Rows, Unasked
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol.answers import describe_codes, fault_members, read_rows
from airflow_provider_smspartner.protocol.rows import Row

T = TypeVar("T")


class Seen(NamedTuple):
    """
    What was seen.

    :param text: in words.
    :param holds: whether it is what was assumed, or None where nothing was.
    """

    text: str
    holds: bool | None


class NotSeenError(Exception):
    """
    A question that the answers say nothing about.

    :param reason: why.
    :param is_trouble: whether it was to be asked, and could not be.
    """

    def __init__(self, reason: str, *, is_trouble: bool = False) -> None:
        super().__init__(reason)
        self.is_trouble = is_trouble


def require_reply(reply: Reply[T] | Unasked) -> Reply[T]:
    """
    Return a reply.

    :raises NotSeenError: if there is none.
    """
    if isinstance(reply, Unasked):
        raise NotSeenError(reply.reason, is_trouble=reply.is_trouble)
    return reply


def raw_rows(page: Reply[Any]) -> Rows | tuple[None, list[Row]]:
    """Return the envelope and the rows of a page as they came; None and no rows if it is an error."""
    try:
        return read_rows(page.answer) if page.answer is not None else (None, [])
    except SMSPartnerError:
        return None, []


def how_it_ended(reply: Reply[Any]) -> str:
    """Return the kind of an answer, its code and its HTTP status: never words of the vendor."""
    error = reply.error
    if error is None:
        return f"success (HTTP {reply.http_status})"
    codes = describe_codes(error.code, error.http_status)
    if isinstance(error, SMSPartnerNotFoundError):
        return f"not found {codes}"
    if isinstance(error, SMSPartnerUnavailableError):
        return f"an answer that can't be used {codes}"
    return f"refused {codes}"


NO_JSON = "no JSON object with a code"


def members_of(reply: Reply[Any]) -> str:
    """Return where an answer says what went wrong."""
    members = fault_members(reply.answer) if reply.answer is not None else ()
    return " and ".join(f"`{name}`" for name in members) or NO_JSON


def type_of(value: object) -> str:
    """Return what kind of JSON value something is."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else "other"


def listed(counts: Mapping[str, int]) -> str:
    """Return how many there are of each."""
    return ", ".join(f"{text}: {count}" for text, count in sorted(counts.items()))


def counted(count: int, noun: str) -> str:
    """Return a number of things, in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
