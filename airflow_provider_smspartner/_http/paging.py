"""
The one driver of a tag's pages, for synchronous and for asynchronous code.

Both loops drive the same generator of the protocol, `status_by_tag`, which alone judges the pages.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http.in_order import in_order
from airflow_provider_smspartner.exceptions import SMSPartnerIncompleteError
from airflow_provider_smspartner.protocol import Call, TagPage

if TYPE_CHECKING:
    from airflow_provider_smspartner._http.blocking import BlockingClient


T = TypeVar("T")


def begin_anew(read: Callable[[], T]) -> T:
    """
    Read a tag whole, anew if it changes meanwhile, a few times.

    What is given out page by page cannot be taken back: there the error is the caller's.

    :param read: reads the tag from its first page on.
    :raises SMSPartnerIncompleteError: if it has changed each time.
    """
    for _ in range(protocol.MAX_READINGS - 1):
        try:
            return read()
        except SMSPartnerIncompleteError as error:
            if not error.has_changed:
                raise
    return read()


async def abegin_anew(read: Callable[[], Awaitable[T]]) -> T:
    """
    Read a tag whole: as `begin_anew`, asynchronously.

    :param read: reads the tag from its first page on.
    :raises SMSPartnerIncompleteError: if it has changed each time.
    """
    for _ in range(protocol.MAX_READINGS - 1):
        try:
            return await read()
        except SMSPartnerIncompleteError as error:
            if not error.has_changed:
                raise
    return await read()


class ReadPage(NamedTuple):
    """A page of a tag, and whether it is the last."""

    page: TagPage
    is_last: bool


def read_pages(client: BlockingClient, tag: str, *, ahead: bool = False) -> Generator[ReadPage, None, None]:
    """
    Yield the pages of a tag, each once it was found to be the one that was asked for.

    :param client: sends the calls.
    :param tag: 1 to 20 characters without white space.
    :param ahead: have several calls in flight, for the pages that the first one announces.
    :raises SMSPartnerError: as `protocol.status_by_tag` does, and as the client does.
    """
    calls = protocol.status_by_tag(tag)
    page = client.send(next(calls))
    with closing(client.send_in_order(_foreseen(tag, page, ahead=ahead))) as pages_ahead:
        while True:
            call = protocol.following(calls, page)
            yield ReadPage(page, call is None)
            if call is None:
                return
            page = next(pages_ahead, None) or client.send(call)


async def aread_pages(
    send: Callable[[Call[TagPage]], Awaitable[TagPage]], tag: str, *, in_flight: int = 0
) -> AsyncGenerator[ReadPage, None]:
    """
    Yield the pages of a tag: as `read_pages`, asynchronously.

    :param send: sends a call and returns what its answer says.
    :param tag: 1 to 20 characters without white space.
    :param in_flight: how many calls may be on their way at once, for the pages that the first one announces; 0 to
        send each page's call only once the page before was read.
    :raises SMSPartnerError: as `protocol.status_by_tag` does, and as `send` does.
    """
    calls = protocol.status_by_tag(tag)
    page = await send(next(calls))
    foreseen = _foreseen(tag, page, ahead=in_flight > 0)
    async with aclosing(in_order(send, foreseen, in_flight=in_flight)) as pages_ahead:
        while True:
            call = protocol.following(calls, page)
            yield ReadPage(page, call is None)
            if call is None:
                return
            found: TagPage | None = await anext(pages_ahead, None)
            page = await send(call) if found is None else found


def _foreseen(tag: str, first: TagPage, *, ahead: bool) -> Iterator[Call[TagPage]]:
    return protocol.foreseen_pages(tag, first) if ahead else iter(())
