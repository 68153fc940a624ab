"""What the rows say, by tag and by list: their statuses and dates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from airflow_provider_smspartner.check.judging import NotSeenError, Seen, counted, listed, raw_rows
from airflow_provider_smspartner.check.probes import Evidence, Reply, Unasked
from airflow_provider_smspartner.models import DeliveryStatus
from airflow_provider_smspartner.protocol.rows import Row, outcome_of

CASED = ("Delivered", "Not delivered", "Waiting", "KO", "ko")
"""The statuses as the vendor's pages write them."""


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
    return Seen(listed(texts), set(texts) <= set(CASED))


def known_statuses(evidence: Evidence) -> Seen:
    """Judge whether there are statuses that no page of the vendor names."""
    rows = [row for rows in _rows_by_place(evidence).values() for row in rows]
    if not rows:
        raise _nothing(evidence, "there is no row")
    others = sum(1 for row in rows if outcome_of(row).status is DeliveryStatus.UNKNOWN)
    return Seen(f"{others} of {counted(len(rows), 'row')} with another status", others == 0)


def date_form(evidence: Evidence) -> Seen:
    """Judge how dates are written."""
    rows = [row for rows in _rows_by_place(evidence).values() for row in rows]
    forms = Counter(form for row in rows if (form := _date_form(row)) is not None)
    if not forms:
        raise _nothing(evidence, "no row has a date")
    return Seen(listed(forms), set(forms) == {_EPOCH_TEXT})


_EPOCH_TEXT = "epoch seconds as text"


def _date_form(row: Row) -> str | None:
    if row.date in (None, ""):
        return None
    if outcome_of(row).date is None:
        return "unreadable"
    if not isinstance(row.date, str):
        return "epoch seconds as a number"
    return _EPOCH_TEXT if row.date.isdecimal() else "date and time as text"


def _nothing(evidence: Evidence, what: str) -> NotSeenError:
    """Return why there is no such row: that none was asked for, if so."""
    missing = [each for each in (evidence.forward, evidence.after_pages) if isinstance(each, Unasked)]
    if any(each.is_trouble for each in missing):
        return NotSeenError(next(each.reason for each in missing if each.is_trouble), is_trouble=True)
    return NotSeenError(what)


def _rows_by_place(evidence: Evidence) -> Mapping[str, list[Row]]:
    by_tag = [row for page in evidence.pages for row in raw_rows(page)[1]]
    by_list = (
        evidence.forward.value[1] if isinstance(evidence.forward, Reply) and evidence.forward.value else []
    )
    return {"by tag": by_tag, "by list": by_list}


def _known_rows(evidence: Evidence) -> Iterator[Row]:
    return (
        row
        for rows in _rows_by_place(evidence).values()
        for row in rows
        if outcome_of(row).status not in (DeliveryStatus.NOT_FOUND, DeliveryStatus.UNKNOWN)
    )


def _spelling(row: Row) -> str:
    """Return a status as it was written: in any case, but no text that says anything else."""
    text = row.status or ""
    return text if text == " ".join(text.split()) else f"{outcome_of(row).status.value} with other spaces"
