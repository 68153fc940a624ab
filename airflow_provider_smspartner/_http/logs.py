"""
What the HTTP libraries may log about our exchanges: method, path and the name of a type, and nothing else.

A library's record may hold anything: the URL with the key, the body of an answer that quotes the request, an
exception with both. So nothing is cut out of a record; it is written anew. Records about other traffic of the
process stay as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LIBRARIES = frozenset({"aiohttp", "asyncio", "chardet", "charset_normalizer", "http", "requests", "urllib3"})

_LOGGERS = (
    "aiohttp.access",
    "aiohttp.client",
    "aiohttp.internal",
    "aiohttp.server",
    "aiohttp.web",
    "aiohttp.websocket",
    "asyncio",
    "charset_normalizer",
    "chardet",
    "http.cookiejar",
    "requests",
    "urllib3",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)
"""Those that the libraries are known to use; others are found once they exist."""

_OURS = ("smspartner", "apikey=")

_exchange: ContextVar[tuple[str, str] | None] = ContextVar("smspartner_logged_exchange", default=None)
_loggers_seen = 0


@contextmanager
def named(method: str, path: str) -> Iterator[None]:
    """
    Limit what libraries log in this thread or task, and in the tasks and callbacks that it starts.

    :param method: of the request that is about to be sent.
    :param path: of the request, without a query.
    """
    _watch_loggers()
    token = _exchange.set((method, path))
    try:
        yield
    finally:
        _exchange.reset(token)


def _watch_loggers() -> None:
    global _loggers_seen  # noqa: PLW0603 - a second look that another thread takes does no harm
    known = logging.root.manager.loggerDict
    if not _loggers_seen:
        for name in _LOGGERS:
            logging.getLogger(name)
    number = len(known)
    if number == _loggers_seen:
        return
    for name in list(known):
        if name.partition(".")[0] in LIBRARIES:
            # A filter that is there already is not added again.
            logging.getLogger(name).addFilter(_write_anew)
    # Only now: another thread that takes them for seen sends its request at once.
    _loggers_seen = number


def _write_anew(record: logging.LogRecord) -> bool:
    exchange = _exchange.get()
    if exchange is None:
        if record.name != "asyncio" or not _is_about_us(record):
            return True
        # An event loop logs slow callbacks and forgotten tasks outside of any task.
        exchange = ("A", "call")
    method, path = exchange
    fresh = logging.getLogRecordFactory()(
        record.name,
        record.levelno,
        record.pathname,
        record.lineno,
        "%s %s: %s in %s (details are withheld)",
        (method, path, _type_named(record), record.funcName),
        None,
        record.funcName,
    )
    record.__dict__.clear()
    record.__dict__.update(vars(fresh))
    return True


def _type_named(record: logging.LogRecord) -> str:
    args = record.args if isinstance(record.args, tuple) else ()
    raised = [*(record.exc_info or ())[1:2], *args]
    return next((type(each).__name__ for each in raised if isinstance(each, BaseException)), "note")


def _is_about_us(record: logging.LogRecord) -> bool:
    try:
        text = record.getMessage().lower()
    except Exception:  # noqa: BLE001 - a record that cannot be written is passed on to those who complain about it
        return False
    return any(mark in text for mark in _OURS)
