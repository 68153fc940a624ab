"""Requests as they are sent: path, query, body, and where the key stands."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from protocol.samples import (
    KEY,
    MULTI_STATUS,
    PHONE,
    answer_of,
    multi_call,
    multi_row,
    tag_call,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.models import DeliveryStatus
from airflow_provider_smspartner.protocol import Call, Request


class TestRequests:
    """What goes over the wire."""

    def test_by_tag(self) -> None:
        request = tag_call().request

        assert (request.method, request.path) == ("GET", "/bulk-status-by-tag")
        assert request.with_key(KEY) == ({"apiKey": KEY, "tag": "montag"}, None)

    def test_account(self) -> None:
        request = protocol.account().request

        assert (request.method, request.path) == ("GET", "/me")
        assert request.with_key(KEY) == ({"apiKey": KEY}, None)

    def test_all_but_what_sends_may_be_repeated(self, call: Call[Any]) -> None:
        assert call.request.may_repeat is (call.request.path not in {"/send", "/bulk-send"})

    def test_cancelling(self) -> None:
        request = protocol.cancel(" 0307 ").request

        assert (request.method, request.path) == ("GET", "/message-cancel")
        assert request.with_key(KEY) == ({"apiKey": KEY, "messageId": "0307"}, None)

    def test_stop_list(self) -> None:
        request = protocol.stop_list().request

        assert (request.method, request.path) == ("GET", "/stop-sms/list")
        assert request.with_key(KEY) == ({"apiKey": KEY}, None)

    def test_multi_status(self) -> None:
        request = multi_call(("0619922264", 199897), ("+33600000001", "1000")).request
        query, body = request.with_key(KEY)

        assert (request.method, request.path) == ("POST", "/multi-status")
        assert query == {}
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
            ("199897", 199897),
            ("007", "007"),
            ("9" * 18, 10**18 - 1),
            ("1" * 19, "1" * 19),
            ("a1", "a1"),
        ],
    )
    def test_a_message_id_is_sent_as_an_integer_where_it_is_one(
        self, message_id: str, sent: int | str
    ) -> None:
        body = multi_call((PHONE, message_id)).request.with_key(KEY)[1]

        assert json.loads(body or b"")["SMSStatut_List"][0]["messageId"] == sent

    def test_a_message_id_that_is_no_integer_is_matched_too(self) -> None:
        body = {"success": True, "StatutResponse_List": [multi_row(messageId="007")]}

        assert multi_call((PHONE, "007")).read(answer_of(body))[0].status is DeliveryStatus.DELIVERED

    def test_a_plus_survives_the_query(self) -> None:
        assert urlencode(Request("GET", "/me", may_repeat=True).with_key("+/ é")[0]) == "apiKey=%2B%2F+%C3%A9"

    def test_no_repr_shows_tag_messages_or_answer(self, call: Call[Any]) -> None:
        shown = repr(call) + repr(call.request) + repr(answer_of(MULTI_STATUS, headers={"X": PHONE}))

        assert "montag" not in shown
        assert "699999993" not in shown
        assert "111111" not in shown  # nor 500 messages at length
        assert call.request.path in shown

    @pytest.mark.parametrize("tag", ["a", "x" * 20, "Été-2026", "été", "a+b&c=d"])
    def test_tags(self, tag: str) -> None:
        assert next(protocol.status_by_tag(tag)).request.query == {"tag": tag}

    def test_what_is_no_text_is_no_tag(self) -> None:
        with pytest.raises(ValueError, match=r"^tag must be text, not of type int$"):
            protocol.check_tag(5)

    @pytest.mark.parametrize("tag", ["", "x" * 21, "a b", "a\n", "\u00a0", "\t", None, 5, b"x"], ids=repr)
    def test_what_is_no_tag(self, tag: object) -> None:
        with pytest.raises(ValueError, match=r"^tag must"):
            protocol.check_tag(tag)
        with pytest.raises(ValueError, match=r"^tag must"):
            next(protocol.status_by_tag(tag))  # type: ignore[arg-type]
