"""What the command says about each quirk of the API that it is to settle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from check.asking import Check, about
from combinations import in_turn
from environment import API_KEY

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

BY_TAG, BY_LIST, ACCOUNT = "bulk-status-by-tag", "multi-status", "me"
PAGES, LIST, ROWS = "pages of a tag", "list of messages", "statuses and dates"
UNKNOWN, KEY = "unknown message", "wrong key"


IN_ORDER = (
    "4 of 4 answered, in the order asked for; 0 in several rows; 0 not asked for; "
    "0 numbers in another notation; 0 ids not as numbers"
)


def test_what_the_vendor_documents(double: SMSPartnerDouble, tmp_path: Path, check: Check) -> None:
    done = check(*about(double, tmp_path, settle_seconds=60), "--json")

    assert (done.exit_code, done.err) == (0, "")
    assert [each["seen"] for each in done.probes()][:7] == [
        "success",
        "pages of 50, 50, 20 rows; currentPage 1, 2, 3; total 120",
        IN_ORDER,
        "not found (code 4, HTTP 200)",
        "a row with code 4",
        "Waiting: 124; dates: none: 124; of Waiting rows: none: 124",
        "refused (code 10, HTTP 200)",
    ]
    assert len(double.requests) == 8
    keys = [each.query.get("apiKey") or each.body["apiKey"] for each in double.requests]
    assert keys == [*[API_KEY] * 7, "made-up-key-of-the-check-command"]


Quirk = tuple[Fault, str, str]


def each_row(name: str, change: Callable[[Any], object]) -> Fault:
    return Fault.rows(lambda rows: [row | {name: change(row[name])} for row in rows])


# Of tags and of lists, side by side: neither shows in what is seen of the other.
OF_TAGS = {
    "page ignored": (Fault.ignore_page(), PAGES, "page 2 has the rows of page 1; incomplete: 50 of 120 rows"),
    "total too large": (Fault.total(130), PAGES, "total 130; incomplete: 120 of 130 rows"),
    "total too small": (Fault.total(20), PAGES, "pages of 50 rows; currentPage 1; total 20"),
    "no total": (Fault.total(None), PAGES, "an answer that can't be used (HTTP 200)"),
    "lower case": (each_row("status", str.lower), ROWS, "known, but written otherwise: 120"),
    "a new status": (each_row("status", lambda _: "Teleported"), ROWS, "another: 120"),
    "dates as numbers": (each_row("date", int), ROWS, "another number: 120"),
    "unreadable dates": (each_row("date", lambda _: "yesterday"), ROWS, "unreadable: 120"),
    "refused": (Fault.error(3, http_status=400), "unknown tag", "refused (code 3, HTTP 400)"),
    "fake success": (Fault.fake_success(), "unknown tag", "an answer that can't be used (HTTP 200)"),
}
OF_LISTS = {
    "refused": (Fault.error(4, http_status=404), LIST, "not found (code 4, HTTP 404)"),
    "the unknown known": (
        Fault.rows(lambda rows: [row | {"success": True, "code": 200, "status": "Waiting"} for row in rows]),
        UNKNOWN,
        "a row with another code",
    ),
    "none for the unknown": (
        Fault.rows(lambda rows: [row for row in rows if row["success"]]),
        UNKNOWN,
        "no row",
    ),
    "a row missing": (Fault.rows(lambda rows: rows[1:]), LIST, "3 of 4 answered"),
    "repeated": (Fault.rows(lambda rows: rows + rows[:2]), LIST, "2 in several rows"),
    "others": (Fault.rows(lambda rows: [*rows, rows[0] | {"messageId": 5}]), LIST, "1 not asked for"),
    "ids as text": (each_row("messageId", str), LIST, "5 ids not as numbers"),
    "national": (each_row("phoneNumber", lambda it: it.replace("+33", "0")), LIST, "5 numbers in another"),
    "reversed": (Fault.rows(lambda rows: rows[::-1]), LIST, "4 of 4 answered, in another order"),
}


@in_turn(tag=OF_TAGS, messages=OF_LISTS)
def test_a_quirk_is_seen(
    double: SMSPartnerDouble, tmp_path: Path, check: Check, tag: Quirk, messages: Quirk
) -> None:
    arguments = list(about(double, tmp_path))
    double.advance(10)  # the messages have settled
    for (fault, _, _), path in ((tag, BY_TAG), (messages, BY_LIST)):
        double.misbehave(fault, times=None, path=path)

    done = check(*arguments, "--json")

    for _, probe, seen in (tag, messages):
        assert seen in done.seen(probe)
        assert probe in done.differing() or "another order" in seen
    assert done.exit_code == 1
    assert len(double.requests) <= 20


@pytest.mark.parametrize(
    ("fault", "seen", "differs"),
    [
        (Fault.error(10, shape=4, http_status=401), "refused (code 10, HTTP 401)", False),
        (Fault.error(12), "an answer that can't be used (code 12, HTTP 200)", True),
        (Fault.error(10, http_status=500), "refused (code 10, HTTP 500)", True),
        (Fault.status(500), "an answer that can't be used (HTTP 500)", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_key_is_asked_with_once(
    double: SMSPartnerDouble, check: Check, fault: Fault, seen: str, differs: bool
) -> None:
    double.misbehave(Fault.headers({"X-RateLimit-Limit": "300"}), path=ACCOUNT)
    double.misbehave(fault, times=None, path=ACCOUNT)

    done = check("--json")

    assert (done.exit_code, done.seen(KEY), KEY in done.differing()) == (int(differs), seen, differs)
    assert "x-ratelimit-limit: 1; slowest answer: " in done.seen("limit and time")
    assert len([each for each in double.requests if each.path.endswith(ACCOUNT)]) == 2
    double.clear_requests()
    assert check("--skip-wrong-key", "--json").seen(KEY) == "nothing: --skip-wrong-key was given"
    assert {each.query.get("apiKey", API_KEY) for each in double.requests} == {API_KEY}
