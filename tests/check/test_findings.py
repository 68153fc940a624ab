"""Each quirk of the API that the command is to settle, and what it says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from check.asking import Check, about, campaign_of
from combinations import in_turn
from environment import API_KEY
from loopback import connect

from airflow_provider_smspartner.check.probes import UNKNOWN_PHONE_NUMBER
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

BY_TAG, BY_LIST, ACCOUNT = "bulk-status-by-tag", "multi-status", "me"

BEHAVE = Fault.headers({})
"""For the first of several requests."""


def test_what_the_vendor_documents_holds(double: SMSPartnerDouble, check: Check) -> None:
    campaign = campaign_of(double, settle_seconds=60)
    double.add_message("+33639981111", 1500, "Delivered", tag=campaign.tag)

    done = check(*about(campaign), "--json")

    assert done.exit_code == 0
    assert "error: " not in done.err
    assert set(done.verdicts().values()) == {"holds", "noted"}
    assert done.finding("page parameter")["seen"] == "asked for page 2: number 2, other rows"
    assert done.finding("page size")["seen"] == "2 pages of 50, 1 page of 21"
    assert done.finding("total")["seen"] == "total 121, 121 rows on 3 pages"
    assert done.finding("completeness of a list")["seen"] == "4 of 4 messages answered"
    assert done.finding("order of a list")["seen"] == "as asked, in both directions"
    assert done.finding("a message asked for twice")["seen"] == "2 rows"
    assert done.finding("date of a Waiting row")["seen"] == (
        "by tag: 0 with a date, 120 without; by list: 0 with a date, 4 without"
    )
    assert done.finding("casing of statuses")["seen"] == "Delivered: 1, Waiting: 124"
    assert done.finding("dates")["seen"] == "epoch seconds as text: 1"
    assert done.finding("rate limit")["seen"] == "no such header; HTTP 429: 0"


def each_row(**changes: Callable[[dict[str, Any]], Any]) -> Fault:
    """Change members of each row."""
    return Fault.rows(lambda rows: [row | {k: change(row) for k, change in changes.items()} for row in rows])


def statuses(change: Callable[[str], str]) -> Fault:
    return each_row(status=lambda row: change(row["status"]))


def dates(change: Callable[[str], object]) -> Fault:
    return each_row(date=lambda row: change(row["date"]))


@dataclass
class Quirk:
    """What the vendor does, the finding that shows it, and what does not hold."""

    fault: Fault
    name: str
    seen: str
    failing: set[str]


PAGES, TOTAL, CASING = "page parameter", "total", "casing of statuses"
COMPLETE, UNKNOWN, ORDER = "completeness of a list", "unknown message", "order of a list"
WHOLE_CALL = "not found (code 4, HTTP 404) for the whole call"
OTHER_CODE = "a row with another code"
SPACED = "Delivered: 4, Delivered with other spaces: 114, Not delivered with other spaces: 6"
OF_TAGS = {
    "page ignored": Quirk(
        Fault.ignore_page(), PAGES, "asked for page 2: number 1, the rows of page 1", {PAGES}
    ),
    "text": Quirk(
        Fault.total("120"), "total, currentPage", "total: text, currentPage: number", {"total, currentPage"}
    ),
    "too large": Quirk(Fault.total(130), TOTAL, "total 130, and 120 rows on the pages that came", {TOTAL}),
    "too small": Quirk(Fault.total(20), TOTAL, "total 20, 50 rows on 1 page", {TOTAL}),
    "missing": Quirk(Fault.total(None), TOTAL, "page 1: an answer that can't be used (HTTP 200)", {TOTAL}),
    "waiting with a date": Quirk(
        statuses(lambda _: "Waiting"),
        "date of a Waiting row",
        "by tag: 120 with a date, 0 without",
        set(),
    ),
    "lower case": Quirk(
        statuses(str.lower), CASING, "Delivered: 4, delivered: 114, not delivered: 6", {CASING}
    ),
    "spaces": Quirk(statuses(" {}\n".format), CASING, SPACED, {CASING}),
    "another status": Quirk(
        statuses(lambda _: "Teleported"),
        "other statuses",
        "120 of 125 rows with another status",
        {"other statuses"},
    ),
    "dates as numbers": Quirk(
        dates(int), "dates", "epoch seconds as a number: 120, epoch seconds as text: 4", {"dates"}
    ),
    "unreadable dates": Quirk(
        dates(lambda _: "yesterday"), "dates", "epoch seconds as text: 4, unreadable: 120", {"dates"}
    ),
    "refused": Quirk(
        Fault.error(3, http_status=400),
        "unknown tag",
        "refused (code 3, HTTP 400), `code`",
        {TOTAL, "unknown tag"},
    ),
    "fake success": Quirk(
        Fault.fake_success(),
        "unknown tag",
        "an answer that can't be used (HTTP 200), `code`",
        {TOTAL, "unknown tag"},
    ),
}

# In the order of the tags' quirks that they stand beside: neither shows in what is seen of the other.
OF_LISTS = {
    "code 4": Quirk(
        Fault.error(4, http_status=404),
        UNKNOWN,
        f"alone: {WHOLE_CALL}; among others: {WHOLE_CALL}",
        {UNKNOWN, COMPLETE},
    ),
    "the unknown known": Quirk(
        each_row(success=lambda _: True, code=lambda _: 200, status=lambda _: "Waiting"),
        UNKNOWN,
        f"alone: {OTHER_CODE}; among others: {OTHER_CODE}",
        {UNKNOWN},
    ),
    "a row missing": Quirk(
        Fault.rows(lambda rows: [row for row in rows if row["messageId"] != 1002]),
        COMPLETE,
        "3 of 4 messages answered",
        {COMPLETE},
    ),
    "rows repeated": Quirk(
        Fault.rows(lambda rows: rows + rows[:2]),
        "repeats in a list",
        "2 of 5 messages in several rows",
        {"repeats in a list"},
    ),
    "rows of others": Quirk(
        Fault.rows(lambda rows: [*rows, rows[0] | {"messageId": 5}]),
        "phone numbers",
        "5 as asked, 0 in another notation, 1 not asked for",
        {"phone numbers"},
    ),
    "no row for the unknown": Quirk(
        Fault.rows(lambda rows: [row for row in rows if row["success"]]),
        UNKNOWN,
        "alone: no row; among others: no row",
        {UNKNOWN},
    ),
    "reversed": Quirk(
        Fault.rows(lambda rows: rows[::-1]), ORDER, "neither as asked nor always the same", set()
    ),
    "ids as text": Quirk(
        each_row(messageId=lambda row: str(row["messageId"])), "message ids", "text: 5", {"message ids"}
    ),
    "sorted": Quirk(
        Fault.rows(lambda rows: sorted(rows, key=lambda row: str(row["messageId"]))),
        ORDER,
        "an order of its own, whichever way it is asked",
        set(),
    ),
    "answered once": Quirk(
        Fault.rows(lambda rows: [row for at, row in enumerate(rows) if row not in rows[:at]]),
        "a message asked for twice",
        "1 row",
        set(),
    ),
    "national notation": Quirk(
        each_row(phoneNumber=lambda row: str(row["phoneNumber"]).replace("+33", "0")),
        "phone numbers",
        "0 as asked, 5 in another notation, 0 not asked for",
        {"phone numbers"},
    ),
}


@in_turn(tag=OF_TAGS, messages=OF_LISTS)
def test_a_quirk_is_reported(double: SMSPartnerDouble, check: Check, tag: Quirk, messages: Quirk) -> None:
    campaign = campaign_of(double)
    # The messages have settled by the second look.
    double.advance(10)
    double.misbehave(tag.fault, times=None, path=BY_TAG)
    double.misbehave(messages.fault, times=None, path=BY_LIST)

    done = check(*about(campaign), "--json")

    for quirk in (tag, messages):
        assert done.finding(quirk.name)["seen"] == quirk.seen
    assert done.failing() == tag.failing | messages.failing
    assert done.exit_code == (1 if done.failing() else 0)
    assert len(double.requests) == done.report["requests"]["sent"] <= 20


def test_a_limit_of_requests_that_shows(double: SMSPartnerDouble, check: Check) -> None:
    headers = {"X-RateLimit-Limit": "300", "x-ratelimit-remaining": "9", "RateLimit-of-mine": "1"}
    double.misbehave(Fault.headers(headers), times=None, path=ACCOUNT)

    assert check("--json").finding("rate limit")["seen"] == (
        "X-RateLimit-Limit in 2 answers, X-RateLimit-Remaining in 2 answers, "
        "another name of the kind in 2 answers; HTTP 429: 0"
    )


@in_turn(
    error=[(1, "`code`"), (2, "`code` and `errors`"), (3, "`code` and `error`"), (4, "`code` and `errors`")],
    http_status=[200, 401],
)
def test_the_shape_of_a_wrong_key(
    double: SMSPartnerDouble, check: Check, error: tuple[int, str], http_status: int
) -> None:
    shape, members = error
    double.misbehave(BEHAVE, path=ACCOUNT)
    double.misbehave(Fault.error(10, shape=shape, http_status=http_status), path=ACCOUNT)

    done = check("--json")

    assert done.exit_code == 0
    assert done.finding("wrong key: code")["seen"] == f"refused (code 10, HTTP {http_status})"
    assert done.finding("wrong key: HTTP status")["seen"] == f"HTTP {http_status}, {members}"


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        (Fault.error(12), {"wrong key: code"}),
        (Fault.status(500), {"wrong key: code", "wrong key: HTTP status"}),
        (Fault.fake_success(), {"wrong key: code"}),
        (Fault.error(10, http_status=500), {"wrong key: HTTP status"}),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_wrong_key_that_is_taken_otherwise(
    double: SMSPartnerDouble, check: Check, fault: Fault, failing: set[str]
) -> None:
    double.misbehave(BEHAVE, path=ACCOUNT)
    double.misbehave(fault, times=None, path=ACCOUNT)

    done = check("--json")

    assert (done.exit_code, done.failing()) == (1, failing)
    # Whatever comes of it: one request.
    assert len([each for each in double.requests if each.path.endswith(ACCOUNT)]) == 2


@pytest.mark.parametrize(
    ("answered", "seen"),
    [
        ({"unknown_tag": "empty"}, "success with 0 rows (HTTP 200)"),
        ({"unknown_tag": "not_found"}, "not found (code 4, HTTP 200), `code`"),
        ({"unknown_tag": "not_found", "error_http_status": None}, "not found (code 4, HTTP 404), `code`"),
    ],
    ids=["empty", "HTTP 200", "HTTP 404"],
)
def test_an_unknown_tag(monkeypatch: pytest.MonkeyPatch, check: Check, answered: Any, seen: str) -> None:
    with SMSPartnerDouble(api_key=API_KEY, **answered) as double:
        connect(monkeypatch, double)
        done = check("--tag", "mistyped", "--json")

    assert done.exit_code == 0
    assert done.finding("unknown tag")["seen"] == seen
    assert done.finding("total")["seen"] == "no message has the tag that was given"


def test_made_up_things_have_nothing_of_the_users(double: SMSPartnerDouble, check: Check) -> None:
    campaign = campaign_of(double)
    check(*about(campaign))
    check(*about(campaign))

    keys = {each.query.get("apiKey") or each.body["apiKey"] for each in double.requests}
    assert keys == {API_KEY, "made-up-key-of-the-check-command"}
    tags = [each.query["tag"] for each in double.requests if each.path.endswith(BY_TAG)]
    made_up = [tag for tag in tags if tag != campaign.tag]
    assert len(set(made_up)) == 2
    assert all(len(tag) <= 20 and tag == tag.lower() for tag in made_up)
    pairs = [
        (pair["phoneNumber"], pair["messageId"])
        for each in double.requests
        if each.path.endswith(BY_LIST)
        for pair in each.body["SMSStatut_List"]
    ]
    known = {(each["phone_number"], int(each["message_id"])) for each in campaign.messages}
    unknown = {pair for pair in pairs if pair not in known}
    assert {number for number, _ in unknown} == {UNKNOWN_PHONE_NUMBER}
    assert all(2_000_000_000 <= message_id < 2**31 for _, message_id in unknown)


def test_the_wrong_key_comes_last_or_not_at_all(double: SMSPartnerDouble, check: Check) -> None:
    campaign = campaign_of(double)
    check(*about(campaign))
    wrong = [each.query.get("apiKey") not in (None, API_KEY) for each in double.requests]
    assert wrong.index(True) == len(wrong) - 1

    double.clear_requests()
    done = check(*about(campaign), "--skip-wrong-key", "--json")

    assert done.exit_code == 0
    assert done.finding("wrong key: code")["verdict"] == "not seen"
    assert done.finding("wrong key: code")["seen"] == "--skip-wrong-key was given"
    assert {each.query.get("apiKey", API_KEY) for each in double.requests} == {API_KEY}
