"""
What the answers say: a function for each question.

Each returns what was seen, in words that hold nothing of the key, the tag, a message or the vendor's own text, and
whether that is what was assumed: None where nothing was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

from airflow_provider_smspartner.check.probes import Evidence, Reply, Rows, Unasked
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, Pair
from airflow_provider_smspartner.protocol.answers import describe_codes, fault_members, read_rows
from airflow_provider_smspartner.protocol.rows import MESSAGE_NOT_FOUND, Row, outcome_of, to_phone_number

MAX_SECONDS = 10.0
"""What every sample of the vendor's uses as its time-out, and what a connection has by default."""

CASED = ("Delivered", "Not delivered", "Waiting", "KO", "ko")
"""The statuses as the vendor's pages write them."""

LIMIT_HEADERS = (
    "RateLimit",
    "RateLimit-Limit",
    "RateLimit-Policy",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Rate-Limit-Limit",
    "X-Rate-Limit-Remaining",
    "X-Rate-Limit-Reset",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
)
"""Only these names are shown: another one could hold anything."""


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


def account(evidence: Evidence) -> Seen:
    """Judge the account's answer: that there is one is what a check begins with."""
    return Seen(_how_it_ended(evidence.account), True)


def wrong_key_code(evidence: Evidence) -> Seen:
    """Judge the code of a wrong key."""
    reply = _asked(evidence.wrong_key)
    is_refused = isinstance(reply.error, SMSPartnerCredentialsError)
    return Seen(_how_it_ended(reply), is_refused and reply.error is not None and reply.error.code == 10)


def wrong_key_status(evidence: Evidence) -> Seen:
    """Judge the HTTP status of a wrong key, and where its code stands."""
    reply = _asked(evidence.wrong_key)
    status, members = reply.http_status, _members(reply)
    is_expected = status is not None and (status == 200 or 400 <= status < 500)
    return Seen(f"HTTP {status}, {members}", is_expected and reply.error is not None and members != _NO_JSON)


def unknown_tag(evidence: Evidence) -> Seen:
    """Judge the answer about a tag that does not exist."""
    reply = _asked(evidence.unknown_tag)
    if reply.value is not None:
        number = len(reply.value.rows)
        return Seen(f"success with {_counted(number, 'row')} (HTTP {reply.http_status})", number == 0)
    return Seen(
        f"{_how_it_ended(reply)}, {_members(reply)}", isinstance(reply.error, SMSPartnerNotFoundError)
    )


def unknown_message(evidence: Evidence) -> Seen:
    """Judge the answers about a message that does not exist: alone, and among others."""
    found = {"alone": evidence.unknown_message, "among others": evidence.forward}
    texts, expected = [], []
    for place, reply in found.items():
        if isinstance(reply, Unasked):
            continue
        # It is the last one that was asked for.
        text = _of_unknown(reply)
        texts.append(f"{place}: {text}")
        expected.append(text == ROW_WITH_CODE_4)
    if not texts:
        _asked(evidence.unknown_message)
    return Seen("; ".join(texts), all(expected))


ROW_WITH_CODE_4 = "a row with code 4"


def _of_unknown(reply: Reply[Rows]) -> str:
    if reply.value is None:
        return f"{_how_it_ended(reply)} for the whole call"
    rows = [row for row in reply.value[1] if _pair_of(row, reply.asked[-1:])]
    if not rows:
        return "no row"
    if all(outcome_of(row).code == MESSAGE_NOT_FOUND for row in rows):
        return ROW_WITH_CODE_4
    return "a row with another code"


def page_parameter(evidence: Evidence) -> Seen:
    """Judge whether `page` is honoured."""
    first, *later = _tag_pages(evidence)
    if not later:
        raise _single_page(evidence)
    second = later[0]
    if second.value is None:
        return Seen(f"page 2: {_how_it_ended(second)}", False)
    is_first = first.value is not None and first.value.content == second.value.content
    rows = "no rows" if not second.value.rows else "the rows of page 1" if is_first else _OTHER_ROWS
    number = "no number" if second.value.number is None else f"number {second.value.number}"
    is_page = bool(second.value.rows) and second.value.number == 2 and rows == _OTHER_ROWS
    return Seen(f"asked for page 2: {number}, {rows}", is_page)


_OTHER_ROWS = "other rows"


def page_size(evidence: Evidence) -> Seen:
    """Judge how many rows a page has."""
    pages = _tag_pages(evidence)
    if len(pages) < 2:
        raise _single_page(evidence)
    sizes = [len(page.value.rows) for page in pages if page.value is not None]
    # The last page may have fewer, if it is the tag's last.
    full = sizes[:-1] if _is_whole(evidence) else sizes
    if len(sizes) < 2:
        raise NotSeenError("there is no second page with rows")
    text = ", ".join(f"{_counted(n, 'page')} of {size}" for size, n in Counter(sizes).items())
    return Seen(text, len(set(full)) == 1 and sizes[-1] <= sizes[0])


def total_counts_all(evidence: Evidence) -> Seen:
    """Judge what `total` counts."""
    pages = _tag_pages(evidence)
    first = pages[0].value
    rows = sum(len(page.value.rows) for page in pages if page.value is not None)
    if evidence.incomplete is not None:
        error = evidence.incomplete
        return Seen(f"total {error.expected}, and {error.received} rows on all pages that came", False)
    if first is None or not _is_whole(evidence):
        why = evidence.after_pages or Unasked("its pages ended in an error")
        raise NotSeenError(why.reason, is_trouble=why.is_trouble)
    totals = sorted({page.value.total for page in pages if page.value is not None})
    return Seen(
        f"total {' and '.join(map(str, totals))}, {_counted(rows, 'row')} on {_counted(len(pages), 'page')}",
        totals == [rows],
    )


def total_form(evidence: Evidence) -> Seen:
    """Judge whether `total` and `currentPage` are numbers or text."""
    envelopes = [envelope for envelope, _ in map(_raw, _tag_pages(evidence)) if envelope is not None]
    if not envelopes:
        raise NotSeenError("no page could be read")
    forms = {
        "total": {_type_of(each.total) for each in envelopes},
        "currentPage": {_type_of(each.current_page) for each in envelopes},
    }
    text = ", ".join(f"{name}: {' and '.join(sorted(kinds))}" for name, kinds in forms.items())
    return Seen(text, all(kinds == {"number"} for kinds in forms.values()))


def order(evidence: Evidence) -> Seen:
    """Judge in which order messages are answered: nothing relies on it."""
    forward, backward = _pairs(evidence.forward), _pairs(evidence.backward)
    if len(forward) < 2 or len(backward) < 2:
        raise NotSeenError("fewer than two messages were answered")
    as_asked = [
        _is_sorted([reply.asked.index(pair) for pair in pairs])
        for reply, pairs in ((_asked(evidence.forward), forward), (_asked(evidence.backward), backward))
    ]
    if all(as_asked):
        return Seen("as asked, in both directions", None)
    if forward == backward:
        return Seen("an order of its own, whichever way it is asked", None)
    return Seen("neither as asked nor always the same", None)


def completeness(evidence: Evidence) -> Seen:
    """Judge whether each message that exists is answered."""
    reply = _answered_rows(evidence.forward)
    asked = reply.asked[:-1]
    answered = set(_pairs(reply)) & set(asked)
    return Seen(f"{len(answered)} of {_counted(len(asked), 'message')} answered", len(answered) == len(asked))


def repeats(evidence: Evidence) -> Seen:
    """Judge whether a message that is asked for once is answered once."""
    reply = _answered_rows(evidence.forward)
    counts = Counter(_all_pairs(reply))
    if not counts:
        raise NotSeenError("no message was answered")
    several = sum(1 for count in counts.values() if count > 1)
    return Seen(f"{several} of {_counted(len(counts), 'message')} in several rows", several == 0)


def asked_twice(evidence: Evidence) -> Seen:
    """Judge how often a message is answered that is named twice in a call: the package never does that."""
    return Seen(_counted(len(_all_pairs(_answered_rows(evidence.twice))), "row"), None)


def phone_numbers(evidence: Evidence) -> Seen:
    """Judge whether numbers are answered as they are asked, in E.164."""
    reply = _answered_rows(evidence.forward)
    kinds = Counter(_how_matched(row, reply.asked) for row in reply.value[1]) if reply.value else Counter()
    if not kinds:
        raise NotSeenError("no message was answered")
    text = ", ".join(f"{kinds[kind]} {kind}" for kind in ("as asked", "in another notation", "not asked for"))
    return Seen(text, set(kinds) == {"as asked"})


def message_ids(evidence: Evidence) -> Seen:
    """Judge whether message ids are numbers."""
    reply = _answered_rows(evidence.forward)
    kinds = Counter(_type_of(row.message_id) for row in reply.value[1]) if reply.value else Counter()
    if not kinds:
        raise NotSeenError("no message was answered")
    return Seen(_listed(kinds), set(kinds) == {"number"})


def waiting_date(evidence: Evidence) -> Seen:
    """Judge whether a row that is Waiting has a date: the package takes it either way."""
    texts = []
    for place, rows in _rows_by_place(evidence).items():
        waiting = [row for row in rows if outcome_of(row).status is DeliveryStatus.WAITING]
        if waiting:
            dated = sum(1 for row in waiting if outcome_of(row).date is not None)
            texts.append(f"{place}: {dated} with a date, {len(waiting) - dated} without")
    if not texts:
        raise _nothing(evidence, "no row is Waiting")
    return Seen("; ".join(texts), None)


def casing(evidence: Evidence) -> Seen:
    """Judge how the statuses are written."""
    texts = Counter(_spelling(row) for row in _known_rows(evidence))
    if not texts:
        raise _nothing(evidence, "no row has a status that the vendor's pages name")
    return Seen(_listed(texts), set(texts) <= set(CASED))


def known_statuses(evidence: Evidence) -> Seen:
    """Judge whether there are statuses that no page of the vendor names."""
    rows = [row for rows in _rows_by_place(evidence).values() for row in rows]
    if not rows:
        raise _nothing(evidence, "there is no row")
    others = sum(1 for row in rows if outcome_of(row).status is DeliveryStatus.UNKNOWN)
    return Seen(f"{others} of {_counted(len(rows), 'row')} with another status", others == 0)


def date_form(evidence: Evidence) -> Seen:
    """Judge how dates are written."""
    rows = [row for rows in _rows_by_place(evidence).values() for row in rows]
    forms = Counter(form for row in rows if (form := _date_form(row)) is not None)
    if not forms:
        raise _nothing(evidence, "no row has a date")
    return Seen(_listed(forms), set(forms) == {_EPOCH_TEXT})


_EPOCH_TEXT = "epoch seconds as text"


def _date_form(row: Row) -> str | None:
    if row.date in (None, ""):
        return None
    if outcome_of(row).date is None:
        return "unreadable"
    if not isinstance(row.date, str):
        return "epoch seconds as a number"
    return _EPOCH_TEXT if row.date.isdecimal() else "date and time as text"


def rate_limit(evidence: Evidence) -> Seen:
    """Judge whether a limit of requests shows."""
    known = {name.lower(): name for name in LIMIT_HEADERS}
    names = Counter(
        known.get(name.lower(), "another name of the kind")
        for each in evidence.tries
        if each.answer is not None
        for name in each.answer.headers
        if name.lower() in known or _LIMIT_HEADER.match(name)
    )
    refused = sum(1 for each in evidence.tries if each.answer is not None and each.answer.http_status == 429)
    texts = [f"{name} in {_counted(count, 'answer')}" for name, count in sorted(names.items())]
    return Seen(", ".join(texts or ["no such header"]) + f"; HTTP 429: {refused}", None)


_LIMIT_HEADER = re.compile(r"(x-)?rate-?limit", re.IGNORECASE)


def latency(evidence: Evidence) -> Seen:
    """Judge how long answers take; connecting is part of the first."""
    took = [each.seconds for each in evidence.tries if each.answer is not None]
    unanswered = len(evidence.tries) - len(took)
    lost = f"; {_counted(unanswered, 'request')} without a whole answer" if unanswered else ""
    figures = " / ".join(f"{1000 * seconds:.0f}" for seconds in (min(took), median(took), max(took)))
    return Seen(f"{figures} ms of {_counted(len(took), 'answer')}{lost}", max(took) <= MAX_SECONDS)


def _asked(reply: Reply[Any] | Unasked) -> Reply[Any]:
    if isinstance(reply, Unasked):
        raise NotSeenError(reply.reason, is_trouble=reply.is_trouble)
    return reply


def _answered_rows(reply: Reply[Rows] | Unasked) -> Reply[Rows]:
    asked = _asked(reply)
    if asked.value is None:
        raise NotSeenError(f"the list was answered with: {_how_it_ended(asked)}")
    return asked


def _tag_pages(evidence: Evidence) -> tuple[Reply[Any], ...]:
    if not evidence.pages:
        _asked(evidence.after_pages or Unasked("no page came"))
    first = evidence.pages[0]
    if isinstance(first.error, SMSPartnerNotFoundError) or (first.value and not first.value.rows):
        raise NotSeenError("no message has the tag that was given")
    if first.value is None:
        raise NotSeenError(f"the tag was answered with: {_how_it_ended(first)}")
    return evidence.pages


def _is_whole(evidence: Evidence) -> bool:
    is_at_end = evidence.after_pages is None and evidence.incomplete is None
    return is_at_end and all(page.value is not None for page in evidence.pages)


def _single_page(evidence: Evidence) -> NotSeenError:
    after = evidence.after_pages
    if after is not None:
        return NotSeenError(after.reason, is_trouble=after.is_trouble)
    return NotSeenError("the tag has a single page")


def _nothing(evidence: Evidence, what: str) -> NotSeenError:
    """Return why there is no such row: that none was asked for, if so."""
    missing = [each for each in (evidence.forward, evidence.after_pages) if isinstance(each, Unasked)]
    if any(each.is_trouble for each in missing):
        return NotSeenError(next(each.reason for each in missing if each.is_trouble), is_trouble=True)
    return NotSeenError(what)


def _rows_by_place(evidence: Evidence) -> Mapping[str, list[Row]]:
    by_tag = [row for page in evidence.pages for row in _raw(page)[1]]
    by_list = (
        evidence.forward.value[1] if isinstance(evidence.forward, Reply) and evidence.forward.value else []
    )
    return {"by tag": by_tag, "by list": by_list}


def _raw(page: Reply[Any]) -> Rows | tuple[None, list[Row]]:
    try:
        return read_rows(page.answer) if page.answer is not None else (None, [])
    except SMSPartnerError:
        return None, []


def _known_rows(evidence: Evidence) -> Iterator[Row]:
    return (
        row
        for rows in _rows_by_place(evidence).values()
        for row in rows
        if outcome_of(row).status not in (DeliveryStatus.NOT_FOUND, DeliveryStatus.UNKNOWN)
    )


def _spelling(row: Row) -> str:
    """Return a status as it was written: in any case, but no text that says anything else."""
    status = outcome_of(row).status
    text = row.status or ""
    return text if text.casefold() == status.casefold() else f"{status.value} with other spaces"


def _pairs(reply: Reply[Rows] | Unasked) -> list[Pair]:
    """Return the messages that were answered, each once, in the order of the answer."""
    return list(dict.fromkeys(_all_pairs(_answered_rows(reply))))


def _all_pairs(reply: Reply[Rows]) -> list[Pair]:
    rows = reply.value[1] if reply.value else []
    return [pair for row in rows if (pair := _pair_of(row, reply.asked)) is not None]


def _pair_of(row: Row, asked: Iterable[Pair]) -> Pair | None:
    asked = set(asked)
    as_written = str(row.phone_number), str(row.message_id)
    normalised = to_phone_number(row.phone_number), str(row.message_id)
    return next((pair for pair in (as_written, normalised) if pair in asked), None)


def _how_matched(row: Row, asked: Iterable[Pair]) -> str:
    pair = _pair_of(row, asked)
    if pair is None:
        return "not asked for"
    return "as asked" if pair[0] == row.phone_number else "in another notation"


def _how_it_ended(reply: Reply[Any]) -> str:
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


_NO_JSON = "no JSON object with a code"


def _members(reply: Reply[Any]) -> str:
    members = fault_members(reply.answer) if reply.answer is not None else ()
    return " and ".join(f"`{name}`" for name in members) or _NO_JSON


def _type_of(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else "other"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{text}: {count}" for text, count in sorted(counts.items()))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is_sorted(numbers: list[int]) -> bool:
    return numbers == sorted(numbers)
