"""The table of what this package assumes about the API, and what was found of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_smspartner.check import exchanges, lists, rows, tags
from airflow_provider_smspartner.check.judging import NotSeenError, Seen
from airflow_provider_smspartner.check.probes import Evidence


class Source(StrEnum):
    """How well something is known."""

    DOCUMENTED = "D"
    CLIENT_CODE = "C"
    INFERRED = "I"
    UNKNOWN = "U"


class Verdict(StrEnum):
    """What became of an assumption."""

    HOLDS = "holds"
    FAILS = "DOES NOT HOLD"
    NOTED = "noted"
    """Nothing was assumed: now it is known."""
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Assumption:
    """
    One thing that this package assumes, or takes either way.

    :param name: what it is about.
    :param source: how well it is known.
    :param assumed: in words.
    :param judge: what the answers say about it.
    :param otherwise: what it means for users if it does not hold.
    """

    name: str
    source: Source
    assumed: str
    judge: Callable[[Evidence], Seen]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Finding:
    """
    An assumption, and what became of it.

    :param seen: in words; why not, where it was not seen.
    :param is_trouble: whether it was to be asked, and could not be.
    """

    assumption: Assumption
    verdict: Verdict
    seen: str
    is_trouble: bool = False


D, C, I, U = Source  # noqa: E741 - as the legend has them

ASSUMPTIONS = (
    Assumption(
        "account",
        D,
        "/me with a right key is a success with credits",
        exchanges.account,
        "The connection test fails.",
    ),
    Assumption(
        "wrong key: code",
        D,
        "refused with code 10",
        exchanges.wrong_key_code,
        "A wrong key may be taken for something else, and be tried again.",
    ),
    Assumption(
        "wrong key: HTTP status",
        C,
        "HTTP 200 or 4xx, with a JSON body",
        exchanges.wrong_key_status,
        "A wrong key may be taken for an outage, and be tried again.",
    ),
    Assumption(
        "unknown tag",
        U,
        "code 4, or no rows",
        tags.unknown_tag,
        "Waiting for a tag that was mistyped, or sent a moment ago, ends in another error.",
    ),
    Assumption(
        "unknown message",
        D,
        lists.ROW_WITH_CODE_4,
        lists.unknown_message,
        'Harmless, if there is no row or code 4 for the whole call: both are read as "Not found".',
    ),
    Assumption(
        "page parameter",
        I,
        "page=2 gives currentPage 2 and other rows",
        tags.page_parameter,
        "Tags of more than one page end in an error: ask for such campaigns by list.",
    ),
    Assumption(
        "page size",
        I,
        "all pages but the last are equally large",
        tags.page_size,
        "Reading a large tag may take more requests, or end in an error.",
    ),
    Assumption(
        "total",
        I,
        "counts the rows of all pages",
        tags.total_counts_all,
        "Tags end in an error, or rows may be missed: ask for campaigns by list.",
    ),
    Assumption(
        "total, currentPage",
        D,
        "numbers",
        tags.total_form,
        "Harmless, if they are figures as text.",
    ),
    Assumption(
        "order of a list",
        U,
        "any",
        lists.order,
        "",
    ),
    Assumption(
        "completeness of a list",
        U,
        "each message that exists has a row",
        lists.completeness,
        'Messages without a row are read as "Not found". Are those that you gave known to the vendor?',
    ),
    Assumption(
        "repeats in a list",
        U,
        "one row a message",
        lists.repeats,
        "Harmless: of several rows the final status counts.",
    ),
    Assumption(
        "a message asked for twice",
        U,
        "either way",
        lists.asked_twice,
        "",
    ),
    Assumption(
        "phone numbers",
        D,
        "answered in E.164, as asked",
        lists.phone_numbers,
        "Harmless, if they are in another notation. Rows that were not asked for are passed over.",
    ),
    Assumption(
        "message ids",
        D,
        "numbers",
        lists.message_ids,
        "Harmless, if they are text.",
    ),
    Assumption(
        "date of a Waiting row",
        U,
        "either way",
        rows.waiting_date,
        "",
    ),
    Assumption(
        "casing of statuses",
        C,
        "Delivered, Not delivered, Waiting, KO",
        rows.casing,
        "Harmless: case and spaces make no difference.",
    ),
    Assumption(
        "other statuses",
        D,
        "none",
        rows.known_statuses,
        'They are read as "Unknown", and end a wait. Look at raw_status to see what they are.',
    ),
    Assumption(
        "dates",
        D,
        "epoch seconds as text",
        rows.date_form,
        "Harmless, unless they are unreadable: those are read as null.",
    ),
    Assumption(
        "rate limit",
        U,
        "headers of any kind, or none",
        exchanges.rate_limit,
        "",
    ),
    Assumption(
        "latency: min / median / max",
        C,
        f"an answer within {exchanges.MAX_SECONDS:g} s",
        exchanges.latency,
        "Raise the connection's timeout.",
    ),
)


def judge(evidence: Evidence) -> list[Finding]:
    """Return what became of each assumption, in the table's order."""
    return [_judge(each, evidence) for each in ASSUMPTIONS]


def _judge(assumption: Assumption, evidence: Evidence) -> Finding:
    try:
        seen = assumption.judge(evidence)
    except NotSeenError as error:
        return Finding(assumption, Verdict.NOT_SEEN, str(error), is_trouble=error.is_trouble)
    verdict = Verdict.NOTED if seen.holds is None else Verdict.HOLDS if seen.holds else Verdict.FAILS
    return Finding(assumption, verdict, seen.text)
