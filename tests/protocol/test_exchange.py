"""Requests as they are sent: path, query, body, and where the key stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fuzz.oracles import KEY
from protocol.samples import MULTI_STATUS, PHONE, answer_of, multi_call, multi_row, tag_call

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.models import DeliveryStatus
from airflow_provider_smspartner.protocol import Call


@pytest.mark.parametrize(
    ("make", "path", "query"),
    [
        (tag_call, "/bulk-status-by-tag", {"tag": "montag"}),
        (lambda: protocol.tag_page("montag", 1), "/bulk-status-by-tag", {"tag": "montag"}),
        (lambda: protocol.tag_page("montag", 2), "/bulk-status-by-tag", {"tag": "montag", "page": "2"}),
        (protocol.account, "/me", {}),
        (lambda: protocol.cancel(" 0307 "), "/message-cancel", {"messageId": "0307"}),
        (protocol.stop_list, "/stop-sms/list", {}),
    ],
    ids=["tag", "first page", "later page", "account", "cancel", "stop list"],
)
def test_what_is_asked_by_get(make: Callable[[], Call[Any]], path: str, query: dict[str, str]) -> None:
    request = make().request

    assert (request.method, request.path) == ("GET", path)
    assert request.with_key(KEY) == ({"apiKey": KEY, **query}, None)


def test_multi_status() -> None:
    request = multi_call(("0619922264", 199897), ("+33600000001", "1000")).request
    query, body = request.with_key(KEY)

    assert (request.method, request.path, query) == ("POST", "/multi-status", {})
    assert json.loads(body or b"") == {
        "apiKey": KEY,
        "SMSStatut_List": [
            {"phoneNumber": "+33619922264", "messageId": 199897},
            {"phoneNumber": "+33600000001", "messageId": 1000},
        ],
    }


@pytest.mark.parametrize(
    ("message_id", "sent"),
    [
        ("0", 0),
        ("007", "007"),
        ("9" * 18, 10**18 - 1),
        ("1" * 19, "1" * 19),
        ("a1", "a1"),
    ],
)
def test_a_message_id_is_sent_as_an_integer_where_it_is_one(message_id: str, sent: int | str) -> None:
    call = multi_call((PHONE, message_id))
    body = {"success": True, "StatutResponse_List": [multi_row(messageId=sent)]}

    assert json.loads(call.request.with_key(KEY)[1] or b"")["SMSStatut_List"][0]["messageId"] == sent
    assert call.read(answer_of(body))[0].status is DeliveryStatus.DELIVERED


def test_all_but_what_sends_may_be_repeated_and_no_repr_shows_what_is_asked(call: Call[Any]) -> None:
    shown = repr(call) + repr(call.request) + repr(answer_of(MULTI_STATUS, headers={"X": PHONE}))

    assert call.request.may_repeat is (call.request.path != "/bulk-send")
    assert call.request.path in shown
    for hidden in ("montag", "6999999", "111111", "Bonjour"):  # nor 500 messages at length
        assert hidden not in shown


@pytest.mark.parametrize("tag", ["a", "x" * 20, "Été+2026&c=d"])
def test_tags(tag: str) -> None:
    assert protocol.check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", "x" * 21, "a b", "\u00a0", 5], ids=repr)
def test_what_is_no_tag(tag: object) -> None:
    fault = "be text, not of type int" if tag == 5 else ""
    with pytest.raises(ValueError, match=f"^tag must {fault}"):
        next(protocol.status_by_tag(tag))  # type: ignore[arg-type]
