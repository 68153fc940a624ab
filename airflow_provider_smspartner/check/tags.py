"""What the answers by tag say: about an unknown tag, and the pages of a known one."""

from __future__ import annotations

from collections import Counter

from airflow_provider_smspartner.check.judging import (
    NotSeenError,
    Seen,
    counted,
    how_it_ended,
    members_of,
    raw_rows,
    require_reply,
    type_of,
)
from airflow_provider_smspartner.check.probes import Evidence, Reply, Unasked
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError
from airflow_provider_smspartner.protocol import TagPage


def unknown_tag(evidence: Evidence) -> Seen:
    """Judge the answer about a tag that does not exist."""
    reply = require_reply(evidence.unknown_tag)
    if reply.value is not None:
        number = len(reply.value.rows)
        return Seen(f"success with {counted(number, 'row')} (HTTP {reply.http_status})", number == 0)
    return Seen(
        f"{how_it_ended(reply)}, {members_of(reply)}", isinstance(reply.error, SMSPartnerNotFoundError)
    )


def page_parameter(evidence: Evidence) -> Seen:
    """Judge whether `page` is honoured."""
    first, *later = _tag_pages(evidence)
    if not later:
        raise _single_page(evidence)
    second = later[0]
    if second.value is None:
        return Seen(f"page 2: {how_it_ended(second)}", False)
    is_first = first.value is not None and first.value.rows == second.value.rows
    rows = "no rows" if not second.value.rows else "the rows of page 1" if is_first else _OTHER_ROWS
    number = "no number" if second.value.number is None else f"number {second.value.number}"
    is_page = bool(second.value.rows) and second.value.number == 2 and rows == _OTHER_ROWS
    return Seen(f"asked for page 2: {number}, {rows}", is_page)


_OTHER_ROWS = "other rows"
_OTHER_PAGES = "the pages are not those that were asked for"


def page_size(evidence: Evidence) -> Seen:
    """Judge how many rows a page has."""
    pages = _tag_pages(evidence)
    sizes = [len(page.value.rows) for page in pages if page.value is not None]
    if len(sizes) < 2:
        raise _single_page(evidence)
    if evidence.incomplete is not None:
        raise NotSeenError(_OTHER_PAGES)
    # Only the tag's last page may have fewer.
    full = sizes[:-1] if evidence.after_pages is None else sizes
    text = ", ".join(f"{counted(n, 'page')} of {size}" for size, n in Counter(sizes).items())
    return Seen(text, len(set(full)) == 1 and sizes[-1] <= sizes[0])


def total_counts_all(evidence: Evidence) -> Seen:
    """Judge what `total` counts."""
    error = evidence.incomplete
    if error is not None:
        if len(evidence.pages) > 1 and not page_parameter(evidence).holds:
            raise NotSeenError(_OTHER_PAGES)
        return Seen(
            f"total {error.expected}, and {counted(error.received, 'row')} on the pages that came", False
        )
    for number, page in enumerate(evidence.pages, start=1):
        if page.error is not None and not isinstance(page.error, SMSPartnerNotFoundError):
            return Seen(f"page {number}: {how_it_ended(page)}", False)
    pages = _tag_pages(evidence)
    if evidence.after_pages is not None:
        require_reply(evidence.after_pages)
    values = [page.value for page in pages if page.value is not None]
    rows, totals = sum(len(page.rows) for page in values), sorted({page.total for page in values})
    said = f"total {' and '.join(map(str, totals))}"
    return Seen(f"{said}, {counted(rows, 'row')} on {counted(len(pages), 'page')}", totals == [rows])


def total_form(evidence: Evidence) -> Seen:
    """Judge whether `total` and `currentPage` are numbers or text."""
    envelopes = [envelope for envelope, _ in map(raw_rows, _tag_pages(evidence)) if envelope is not None]
    if not envelopes:
        raise NotSeenError("no page could be read")
    forms = {
        "total": {type_of(each.total) for each in envelopes},
        "currentPage": {type_of(each.current_page) for each in envelopes},
    }
    text = ", ".join(f"{name}: {' and '.join(sorted(kinds))}" for name, kinds in forms.items())
    return Seen(text, all(kinds == {"number"} for kinds in forms.values()))


def _tag_pages(evidence: Evidence) -> tuple[Reply[TagPage], ...]:
    if not evidence.pages:
        require_reply(evidence.after_pages or Unasked("no page came"))
    first = evidence.pages[0]
    if isinstance(first.error, SMSPartnerNotFoundError) or (first.value and not first.value.rows):
        raise NotSeenError("no message has the tag that was given")
    if first.value is None:
        raise NotSeenError(f"the tag was answered with: {how_it_ended(first)}")
    return evidence.pages


def _single_page(evidence: Evidence) -> NotSeenError:
    after = evidence.after_pages
    if after is not None:
        return NotSeenError(after.reason, is_trouble=after.is_trouble)
    return NotSeenError("the tag has a single page")
