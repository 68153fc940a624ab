"""Answers that are another call's, or about other messages: never believed, always asked for again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from combinations import in_turn
from loopback import BOTH, Ask, RawServer, both_ways, response, said
from protocol import samples
from protocol.samples import answer_of, error_of

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.protocol import Call

PHONE = "+33639980000"
ASKED = [(PHONE, n) for n in range(1, 4)]

Json = dict[str, Any]


def _row(number: int, **members: Any) -> Json:
    row = {"success": True, "code": 200, "phoneNumber": PHONE, "messageId": number, "status": "Delivered"}
    return {**row, **members}


def _tag_row(number: int) -> Json:
    return {"phoneNumber": f"+3363998{number:04}", "status": "Delivered", "date": "1517989111"}


def _list(*rows: Json, **members: Any) -> Json:
    return {"success": True, "code": 200, "StatutResponse_List": list(rows), **members}


ABOUT_OTHERS = _list(*(_row(n) for n in range(1000, 1500)))
ABOUT_A_LIST = _list(*(_row(n) for n in range(3)))
TAG_PAGE = _list(_tag_row(1), currentPage=1, total=1)
PAGE_3 = _list(_tag_row(1), currentPage=3, total=9)
EMPTY_TAG_PAGE = _list(currentPage=1, total=0)
ACCOUNT: Json = json.loads(samples.ACCOUNT)
NONE_KNOWN: Json = {"success": False, "code": 4, "message": "Message not found"}


def _list_call() -> Call[Any]:
    return next(protocol.multi_status(ASKED))


@pytest.mark.parametrize(
    ("call", "body", "fault"),
    [
        (_list_call(), ABOUT_OTHERS, "none of its rows is about a message that was asked for"),
        (_list_call(), EMPTY_TAG_PAGE, "about a tag"),
        (_list_call(), _list(_row(1), currentPage=1, total="1"), "about a tag"),
        (protocol.tag_page("montag", 1), ABOUT_A_LIST, "about a list of messages"),
        (protocol.tag_page("montag", 2), ABOUT_A_LIST, "about a list of messages"),
        (protocol.tag_page("montag", 1), PAGE_3, "page 3 where the first was asked for"),
        (protocol.tag_page("montag", 1), ACCOUNT, "without a StatutResponse_List"),
        (protocol.account(), {**ACCOUNT, "StatutResponse_List": []}, "about messages"),
        (protocol.account(), TAG_PAGE, "without credits"),
    ],
)
def test_an_answer_to_another_call_cannot_be_used(call: Call[Any], body: Json, fault: str) -> None:
    error = error_of(call, body)

    assert type(error) is SMSPartnerUnavailableError
    assert fault in str(error)
    assert "63998" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        _list(_row(1), _row(2), _row(3), *(_row(n) for n in range(100, 200))),
        _list(_row(1), _row(2), _row(3), total=3),
        _list(_row(1), _row(2), _row(3), currentPage=1),
        _list(*(_row(n, phoneNumber="0033 6 39 98 00 00") for n in (1, 2, 3))),
    ],
    ids=["others beside them", "a total", "a page", "another notation"],
)
def test_a_plausible_answer_about_a_list_is_read(body: Json) -> None:
    assert [status.status for status in _list_call().read(answer_of(body))] == ["Delivered"] * 3


@pytest.mark.parametrize("number", [None, 0, "1"])
def test_a_plausible_first_page_is_read(number: object) -> None:
    page = protocol.tag_page("montag", 1).read(answer_of({**ABOUT_A_LIST, "currentPage": number, "total": 3}))

    assert len(page.rows) == 3


@in_turn(
    asked={
        "others": ("multi_status", ABOUT_OTHERS, SMSPartnerUnavailableError, 2),
        "tag page": ("multi_status", EMPTY_TAG_PAGE, SMSPartnerUnavailableError, 2),
        "list": ("status_by_tag", ABOUT_A_LIST, SMSPartnerUnavailableError, 2),
        "another page": ("status_by_tag", PAGE_3, SMSPartnerUnavailableError, 2),
        "unknown tag": ("status_by_tag", NONE_KNOWN, SMSPartnerNotFoundError, 1),
        "empty tag": ("status_by_tag", EMPTY_TAG_PAGE, SMSPartnerNotFoundError, 1),
        "incomplete tag": ("status_by_tag", {**TAG_PAGE, "total": 2}, SMSPartnerIncompleteError, 2),
    },
    ask=BOTH,
)
def test_what_a_hook_makes_of_it(
    asked: tuple[str, Json, type[SMSPartnerError], int], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    what, body, error_type, requests = asked
    with RawServer(said(response(json.dumps(body).encode()))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("k", max_attempts=2))
        with pytest.raises(error_type) as caught:
            ask(SMSPartnerHook(), what, "montag" if what == "status_by_tag" else ASKED)

    assert len(server.heads) == requests
    assert "Message not found" not in str(caught.value)
    assert caught.value.code == (4 if body is NONE_KNOWN else None)


@both_ways
def test_code_4_for_a_whole_list_means_that_none_is_known(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(said(response(json.dumps(NONE_KNOWN).encode(), status="404 Not Found"))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("k"))
        rows = ask(SMSPartnerHook(), "multi_status", ASKED)

    assert [(row["message_id"], row["status"], row["code"], row["raw_status"]) for row in rows] == [
        (str(n), "Not found", 4, None) for n in (1, 2, 3)
    ]
    assert len(server.heads) == 1
