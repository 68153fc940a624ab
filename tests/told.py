"""What a log, an error or a print must not tell, and ways to look at all that they do tell."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from environment import API_KEY

from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook


def forms_of(secret: str) -> set[str]:
    """Write a secret in every way that might get into a text."""
    encoded = {
        form
        for safe in ("", "/", "/=&+")
        for form in (quote(secret, safe=safe), quote_plus(secret, safe=safe), quote(quote(secret, safe=safe)))
    }
    lower = {re.sub(r"%[0-9A-F]{2}", lambda escape: escape[0].lower(), form) for form in encoded}
    escaped = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return {secret, repr(secret)[1:-1], repr(secret.encode())[2:-1], *encoded, *lower, *escaped}


# A number from the random part of a float is none: the waits of thousands of retries hold any nine digits at times.
PHONE_NUMBER = r"(?:(?<![\d.])|(?<=%20))(?:00)?(?:33|0)63998\d{4}"

# The last one stands for any encoding not thought of: no character of it is ever encoded, but for the percent sign.
FORBIDDEN = re.compile(
    "|".join(
        [
            *map(re.escape, forms_of(API_KEY)),
            "apiKey",
            r"[?&](tag|page)=",
            PHONE_NUMBER,
            r"secret%(25)?20",
        ]
    ),
    re.IGNORECASE,
)

_IDS = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|0x[0-9a-f]+"
    # Not after a percent sign: what is encoded several times, such as %25252b, begins like one.
    r"|(?<![0-9A-Za-z%])(?=[0-9]*[a-f])[0-9a-f]{16,}(?![0-9A-Za-z])"
)


def without_ids(text: str) -> str:
    """Leave out UUIDs, addresses of objects, digests and the like: among their digits is any number at times."""
    return _IDS.sub("-", text)


def leak_in(text: str) -> re.Match[str] | None:
    """Find what must not be told."""
    return FORBIDDEN.search(without_ids(text))


def chain(error: BaseException) -> Iterator[BaseException]:
    """Follow an error's causes and contexts, also those that its traceback would not show."""
    pending, seen = [error], set()
    while pending:
        each = pending.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            pending += [linked for linked in (each.__cause__, each.__context__) if linked is not None]


def told_by(error: BaseException) -> Iterator[str]:
    for each in chain(error):
        yield from (
            str(each),
            repr(each),
            repr(each.args),
            repr(getattr(each, "__notes__", [])),
            repr(vars(each)),
        )
        yield "".join(traceback.format_exception(each))


class Capture(logging.Handler):
    """Keeps all that records tell."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name)
        self.texts += [record.getMessage(), str(record.msg), repr(record.args)]
        if record.exc_info and record.exc_info[1]:
            self.texts += told_by(record.exc_info[1])


def captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """Keep all that is logged, at every level: a fixture's function."""
    handler = Capture()
    # Airflow 3.3 prints what a hook logs, past the standard library's logging.
    monkeypatch.setattr(SMSPartnerHook, "log", logging.getLogger("airflow.task.hooks.tests"))
    names = ("", "airflow", "airflow.task", "urllib3", "requests", "aiohttp", "asyncio", "tenacity", "http")
    loggers = [logging.getLogger(name) for name in names]
    before = [(each.level, each.propagate) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
        each.addHandler(handler)
    yield handler
    for each, (level, propagate) in zip(loggers, before, strict=True):
        each.removeHandler(handler)
        each.setLevel(level)
        each.propagate = propagate


def assert_nothing_in(texts: Any) -> None:
    found = [text for text in texts if leak_in(text)]
    assert not found, found[0]
