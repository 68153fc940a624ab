"""What the exchanges say: about keys, limits and time."""

from __future__ import annotations

import re
from collections import Counter
from statistics import median

from airflow_provider_smspartner.check.judging import (
    NO_JSON,
    Seen,
    counted,
    how_it_ended,
    members_of,
    require_reply,
)
from airflow_provider_smspartner.check.probes import Evidence
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError

MAX_SECONDS = 10.0
"""What every sample of the vendor's uses as its time-out, and what a connection has by default."""


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


def account(evidence: Evidence) -> Seen:
    """Judge the account's answer: that there is one is what a check begins with."""
    return Seen(how_it_ended(evidence.account), True)


def wrong_key_code(evidence: Evidence) -> Seen:
    """Judge the code of a wrong key."""
    reply = require_reply(evidence.wrong_key)
    is_refused = isinstance(reply.error, SMSPartnerCredentialsError)
    return Seen(how_it_ended(reply), is_refused and reply.error is not None and reply.error.code == 10)


def wrong_key_status(evidence: Evidence) -> Seen:
    """Judge the HTTP status of a wrong key, and where its code stands."""
    reply = require_reply(evidence.wrong_key)
    status, members = reply.http_status, members_of(reply)
    is_expected = status is not None and (status == 200 or 400 <= status < 500)
    return Seen(f"HTTP {status}, {members}", is_expected and reply.error is not None and members != NO_JSON)


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
    texts = [f"{name} in {counted(count, 'answer')}" for name, count in sorted(names.items())]
    return Seen(", ".join(texts or ["no such header"]) + f"; HTTP 429: {refused}", None)


_LIMIT_HEADER = re.compile(r"(x-)?rate-?limit", re.IGNORECASE)


def latency(evidence: Evidence) -> Seen:
    """Judge how long answers take; connecting is part of the first."""
    took = [each.seconds for each in evidence.tries if each.answer is not None]
    unanswered = len(evidence.tries) - len(took)
    lost = f"; {counted(unanswered, 'request')} without a whole answer" if unanswered else ""
    figures = " / ".join(f"{1000 * seconds:.0f}" for seconds in (min(took), median(took), max(took)))
    return Seen(f"{figures} ms of {counted(len(took), 'answer')}{lost}", max(took) <= MAX_SECONDS)
