"""What the answers about a list of messages say: which rows there are, and for which messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from airflow_provider_smspartner.check.judging import (
    NotSeenError,
    Seen,
    counted,
    how_it_ended,
    listed,
    require_reply,
    type_of,
)
from airflow_provider_smspartner.check.probes import Evidence, Reply, Rows, Unasked
from airflow_provider_smspartner.models import Pair
from airflow_provider_smspartner.protocol.rows import MESSAGE_NOT_FOUND, Row, outcome_of, to_phone_number

ROW_WITH_CODE_4 = "a row with code 4"


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
        require_reply(evidence.unknown_message)
    return Seen("; ".join(texts), all(expected))


def _of_unknown(reply: Reply[Rows]) -> str:
    if reply.value is None:
        return f"{how_it_ended(reply)} for the whole call"
    rows = [row for row in reply.value[1] if _pair_of(row, reply.asked[-1:])]
    if not rows:
        return "no row"
    if all(outcome_of(row).code == MESSAGE_NOT_FOUND for row in rows):
        return ROW_WITH_CODE_4
    return "a row with another code"


def order(evidence: Evidence) -> Seen:
    """Judge in which order messages are answered: nothing relies on it."""
    forward, backward = _pairs(evidence.forward), _pairs(evidence.backward)
    if len(forward) < 2 or len(backward) < 2:
        raise NotSeenError("fewer than two messages were answered")
    as_asked = [
        _is_sorted([reply.asked.index(pair) for pair in pairs])
        for reply, pairs in (
            (require_reply(evidence.forward), forward),
            (require_reply(evidence.backward), backward),
        )
    ]
    if all(as_asked):
        return Seen("as asked, in both directions", None)
    if forward == backward:
        return Seen("an order of its own, whichever way it is asked", None)
    return Seen("neither as asked nor always the same", None)


def completeness(evidence: Evidence) -> Seen:
    """Judge whether each message that exists is answered."""
    reply = require_reply(evidence.forward)
    if reply.value is None:
        return Seen(f"{how_it_ended(reply)} for the whole call", False)
    asked = reply.asked[:-1]
    answered = set(_pairs(reply)) & set(asked)
    return Seen(f"{len(answered)} of {counted(len(asked), 'message')} answered", len(answered) == len(asked))


def repeats(evidence: Evidence) -> Seen:
    """Judge whether a message that is asked for once is answered once."""
    reply = _answered_rows(evidence.forward)
    counts = Counter(_all_pairs(reply))
    if not counts:
        raise NotSeenError("no message was answered")
    several = sum(1 for count in counts.values() if count > 1)
    return Seen(f"{several} of {counted(len(counts), 'message')} in several rows", several == 0)


def asked_twice(evidence: Evidence) -> Seen:
    """Judge how often a message is answered that is named twice in a call: the package never does that."""
    return Seen(counted(len(_all_pairs(_answered_rows(evidence.twice))), "row"), None)


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
    kinds = Counter(type_of(row.message_id) for row in reply.value[1]) if reply.value else Counter()
    if not kinds:
        raise NotSeenError("no message was answered")
    return Seen(listed(kinds), set(kinds) == {"number"})


def _answered_rows(reply: Reply[Rows] | Unasked) -> Reply[Rows]:
    asked = require_reply(reply)
    if asked.value is None:
        raise NotSeenError(f"the list was answered with: {how_it_ended(asked)}")
    return asked


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


def _is_sorted(numbers: list[int]) -> bool:
    return numbers == sorted(numbers)
