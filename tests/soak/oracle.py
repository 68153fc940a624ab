"""
Which verdicts a wait may end with, and when: worked out from the script alone, with none of the package's code.

When exactly a wait polls is not known: it may poll along with others after half of its pause, and faults delay it. So a
state that lasts is surely seen, and one that passes quickly may be seen or not. Most waits have one verdict that is
right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from soak.script import NEVER, Script, WaitScript

SLACK = 120.0
"""Seconds that single faults, which are tried again, may delay a poll and its answer."""

OVERTIME = 62.0
"""Seconds that the last poll of a wait may take."""


class Span(NamedTuple):
    """From when until when something holds."""

    begins: float
    ends: float


def verdicts(wait: WaitScript, script: Script) -> dict[str, Span]:
    """
    Return the verdicts that are right, each with the time in which the wait may end with it.

    :param wait: the wait.
    :param script: what happens meanwhile.
    """
    found: dict[str, Span] = {}
    surely_seen_after = 2 * wait.longest_pause + SLACK
    last_poll = max([wait.deadline + wait.longest_pause, *(started for _, started in wait.restarts)]) + SLACK
    for span, verdict in _states(wait, script, last_poll):
        if verdict is None:
            continue
        seen = list(_observable(wait, script, span))
        if not seen:
            continue
        sure = [each for each in seen if min(each.ends, wait.deadline) - each.begins >= surely_seen_after]
        latest = sure[0].begins + surely_seen_after if sure else seen[-1].ends + SLACK
        earliest = found[verdict].begins if verdict in found else seen[0].begins
        found[verdict] = Span(earliest, latest)
        if sure:
            return found
    found["timed_out"] = Span(wait.deadline, last_poll + OVERTIME)
    return found


def counts_by(wait: WaitScript, when: float) -> list[dict[str, int]]:
    """Return what a wait that ends at a time may have counted: what was true then, or a moment before."""
    turns = {turn for group in wait.campaign.groups for turn in group.turns if when - SLACK <= turn <= when}
    found = []
    for moment in (when - SLACK, *sorted(turns)):
        counts = wait.campaign.counts_at(moment)
        if wait.by_tag:
            del counts["Not found"]
        found.append(dict(+counts))
    return found


def _states(wait: WaitScript, script: Script, last_poll: float) -> Iterator[tuple[Span, str | None]]:
    """Yield, one after the other, the spans in which a poll would mean the same, and what it would mean."""
    refused_from = script.connections[wait.conn_id].refused_from
    turns = {turn for group in wait.campaign.groups for turn in group.turns}
    turns |= {wait.begins + wait.grace, refused_from, last_poll}
    edges = sorted({wait.begins, *(turn for turn in turns if wait.begins < turn <= last_poll)})
    for begins, ends in pairwise(edges):
        yield Span(begins, ends), "refused" if begins >= refused_from else _judge(wait, begins)


def _judge(wait: WaitScript, when: float) -> str | None:
    if wait.campaign.refused_message is not None and not wait.by_tag:
        return "refused"
    counts: Counter[str] = wait.campaign.counts_at(when)
    missing = counts["Not found"]
    known = counts.total() - missing
    total = known if wait.by_tag else known + missing
    settled = known - counts["Waiting"]
    if total and settled >= wait.settled_ratio * total - 1e-6 and known >= (wait.expected_total or 0):
        return "done"
    lacks = total == 0 or total > known
    return "not_found" if lacks and when >= wait.begins + wait.grace else None


def _observable(wait: WaitScript, script: Script, span: Span) -> Iterator[Span]:
    """Yield the parts of a span in which the wait's trigger runs and the vendor answers."""
    outages = script.connections[wait.conn_id].outages
    gaps = [*wait.restarts, *((outage.begins, outage.ends) for outage in outages)]
    begins = span.begins
    for gap_begins, gap_ends in sorted(gaps):
        if gap_ends <= begins:
            continue
        if gap_begins >= span.ends:
            break
        if gap_begins > begins:
            yield Span(begins, gap_begins)
        begins = max(begins, gap_ends)
    if begins < span.ends and begins < NEVER:
        yield Span(begins, span.ends)
