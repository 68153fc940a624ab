"""Answers that are another call's, or about other messages: never believed, always asked for again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from loopback import Ask, RawServer, both_ways, response, said

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.protocol import Answer, Call, answers
from airflow_provider_smspartner.protocol.codes import CREDENTIALS, STATUS

PHONE = "+33639980000"
ASKED = [(PHONE, n) for n in range(1, 4)]

Json = dict[str, Any]


def _row(number: int, **members: Any) -> Json:
    return {
        "success": True,
        "code": 200,
        "phoneNumber": PHONE,
        "messageId": number,
        "status": "Delivered",
        **members,
    }


def _tag_row(number: int) -> Json:
    return {
        "phoneNumber": f"+3363998{number:04}",
        "status": "Delivered",
        "stopSMS": False,
        "date": "1517989111",
    }


def _list(*rows: Json, **members: Any) -> Json:
    return {"success": True, "code": 200, "StatutResponse_List": list(rows), **members}


ABOUT_OTHERS = _list(*(_row(n) for n in range(1000, 1500)))
TAG_PAGE = _list(_tag_row(1), currentPage=1, total=1)
EMPTY_TAG_PAGE = _list(currentPage=1, total=0)
ACCOUNT: Json = {
    "success": True,
    "code": 200,
    "credits": {"creditSms": 5, "balance": "1.5", "currency": "EUR"},
}


def _answer(body: Json, http_status: int = 200) -> Answer:
    return Answer(http_status, {}, json.dumps(body).encode())


def _list_call() -> Call[Any]:
    return next(protocol.multi_status(ASKED))


@pytest.mark.parametrize(
    ("call", "body", "fault"),
    [
        (_list_call(), ABOUT_OTHERS, "none of its rows is about a message that was asked for"),
        (_list_call(), _list(_row(1, phoneNumber="+33639980009")), "none of its rows"),
        (_list_call(), TAG_PAGE, "about a tag"),
        (_list_call(), EMPTY_TAG_PAGE, "about a tag"),
        (_list_call(), _list(_row(1), currentPage=1, total="1"), "about a tag"),
        (_list_call(), ACCOUNT, "without a StatutResponse_List"),
        (protocol.tag_page("montag", 1), _list(*(_row(n) for n in range(3))), "about a list of messages"),
        (protocol.tag_page("montag", 2), _list(*(_row(n) for n in range(3))), "about a list of messages"),
        (
            protocol.tag_page("montag", 1),
            _list(_tag_row(1), currentPage=3, total=9),
            "page 3 where the first",
        ),
        (protocol.tag_page("montag", 1), ACCOUNT, "without a StatutResponse_List"),
        (protocol.account(), {**ACCOUNT, "StatutResponse_List": []}, "about messages"),
        (protocol.account(), TAG_PAGE, "without credits"),
    ],
)
def test_an_answer_to_another_call_cannot_be_used(call: Call[Any], body: Json, fault: str) -> None:
    with pytest.raises(SMSPartnerUnavailableError, match=fault) as caught:
        call.read(_answer(body))

    assert "63998" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"success": True, "code": 200}, "without credits"),
        ({**ACCOUNT, "StatutResponse_List": []}, "another call, about messages"),
    ],
    ids=["fake success", "messages"],
)
def test_a_large_answer_about_the_account_is_no_more_believed_than_a_small_one(
    body: Json, fault: str
) -> None:
    padded = json.dumps(body).encode() + b" " * answers.LARGE_BYTES

    with pytest.raises(SMSPartnerUnavailableError, match=fault):
        protocol.account().read(Answer(200, {}, padded))


@pytest.mark.parametrize(
    "body",
    [
        _list(_row(1), _row(2), _row(3)),
        _list(_row(1), _row(2), _row(3), *(_row(n) for n in range(100, 200))),
        _list(_row(1), _row(2), _row(3), total=3),
        _list(*(_row(n, phoneNumber="0033 6 39 98 00 00") for n in (1, 2, 3))),
    ],
    ids=["plain", "others beside them", "a total", "another notation"],
)
def test_a_plausible_answer_about_a_list_is_read(body: Json) -> None:
    assert [status.status for status in _list_call().read(_answer(body))] == ["Delivered"] * 3


@pytest.mark.parametrize("number", [None, 0, "0", 1, "1"])
def test_a_plausible_first_page_is_read(number: object) -> None:
    rows = [{**_tag_row(n), "messageId": n} for n in range(2)]

    assert (
        len(protocol.tag_page("montag", 1).read(_answer(_list(*rows, currentPage=number, total=2))).rows) == 2
    )


@both_ways
@pytest.mark.parametrize(
    ("what", "argument", "body"),
    [
        ("multi_status", ASKED, ABOUT_OTHERS),
        ("multi_status", ASKED, EMPTY_TAG_PAGE),
        ("status_by_tag", "montag", _list(*(_row(n) for n in range(3)))),
        ("status_by_tag", "montag", _list(_tag_row(1), currentPage=3, total=1)),
    ],
    ids=["others", "tag page", "list", "another page"],
)
def test_an_answer_to_another_call_is_asked_for_again(
    ask: Ask, what: str, argument: Any, body: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(said(response(json.dumps(body).encode()))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("k", max_attempts=2))
        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), what, argument)

    assert len(server.heads) == 2


NONE_KNOWN: Json = {"success": False, "code": 4, "message": "Message not found"}


@both_ways
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "400 Bad Request"])
def test_code_4_for_a_whole_list_means_that_none_is_known(
    ask: Ask, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(said(response(json.dumps(NONE_KNOWN).encode(), status=status))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("k"))
        rows = ask(SMSPartnerHook(), "multi_status", ASKED)

    assert [(row["message_id"], row["status"], row["code"], row["raw_status"]) for row in rows] == [
        (str(n), "Not found", 4, None) for n in (1, 2, 3)
    ]
    assert len(server.heads) == 1


def test_http_404_without_code_4_is_a_refused_request() -> None:
    with pytest.raises(SMSPartnerRequestError, match="Check the host of the Airflow connection"):
        _list_call().read(_answer({"success": False, "message": "x"}, 404))


@both_ways
@pytest.mark.parametrize("body", [NONE_KNOWN, EMPTY_TAG_PAGE], ids=["code 4", "empty"])
def test_an_unknown_tag_is_named(ask: Ask, body: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(said(response(json.dumps(body).encode()))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("k"))
        with pytest.raises(SMSPartnerNotFoundError, match="no message with the tag 'montag'") as caught:
            ask(SMSPartnerHook(), "status_by_tag", "montag")

    assert "Message not found" not in str(caught.value)
    assert caught.value.code == (4 if body is NONE_KNOWN else None)


@both_ways
def test_an_incomplete_tag_is_named_with_the_way_round(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    body = _list(_tag_row(1), currentPage=1, total=5)
    with RawServer(said(response(json.dumps(body).encode()))) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("k"))
        with pytest.raises(SMSPartnerIncompleteError, match=r"'montag'.*SMSPartnerMultiStatusOperator"):
            ask(SMSPartnerHook(), "status_by_tag", "montag")


@pytest.mark.parametrize("code", sorted({**CREDENTIALS, **STATUS.refusals}))
def test_every_refusal_says_what_to_do_next(code: int) -> None:
    with pytest.raises(SMSPartnerError, match=rf"\(code {code}, HTTP 200\)\. [A-Z].+\.$"):
        _list_call().read(_answer({"success": False, "code": code}))
