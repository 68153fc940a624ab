"""Each answer and each refusal, as the vendor's pages show them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from clocks import START
from testing.client import Client, Run

PAIR = {"phoneNumber": "+33699999993", "messageId": 111111}
NOW = str(int(START.timestamp()))
FINE = {"success": True, "code": 200}


def body(**members: Any) -> str:
    return json.dumps({"apiKey": "test-key", "SMSStatut_List": [PAIR], **members})


def test_multi_status_rows(client: Client) -> None:
    client.double.add_message("+33699999993", "111111", "Delivered", stop_sms=True)
    client.double.add_message("+33699999994", 222222, "Waiting", is_spam=True)

    answer = client.multi_status(
        [
            {"phone_number": "0699999993", "message_id": "111111"},
            {"phone_number": "+33699999994", "message_id": 222222},
            {"phone_number": "06 99 99 99 92", "message_id": 1000},
        ]
    )

    delivered = {"phoneNumber": "+33699999993", "messageId": 111111, "status": "Delivered", "date": NOW}
    waiting = {"phoneNumber": "+33699999994", "messageId": 222222, "status": "Waiting"}
    failed = {"phoneNumber": "+33699999992", "messageId": 1000, "status": "Numéro introuvable"}
    assert answer == {
        **FINE,
        "StatutResponse_List": [
            {**FINE, **delivered, "stopSms": "1", "isSpam": "0"},
            {**FINE, **waiting, "stopSms": "0", "isSpam": "1"},
            {"success": False, "code": 4, **failed},
        ],
    }


def test_tag_rows(client: Client) -> None:
    phone_number, odd = "+33699999993", "  not   DELIVERED "
    client.double.add_message(phone_number, "1", "Delivered", tag="spring", stop_sms=True)
    client.double.add_message(phone_number, "2", "Waiting", tag="spring")
    client.double.add_message(phone_number, "3", odd, tag="spring")

    assert client.by_tag("spring") == {
        **FINE,
        "currentPage": 1,
        "total": 3,
        "StatutResponse_List": [
            {"phoneNumber": phone_number, "status": "Delivered", "date": NOW, "stopSMS": True},
            {"phoneNumber": phone_number, "status": "Waiting", "stopSMS": False},
            {"phoneNumber": phone_number, "status": odd, "date": NOW, "stopSMS": False},
        ],
    }


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (json.dumps({"apiKey": "test-key"}), 5),
        (body(SMSStatut_List=[PAIR] * 501), 50),
        ("[" * 100_000, 90),
        (b"\xff\xfe", 90),
        (body(SMSStatut_List=[PAIR, {"messageId": 1}]), 2),
        (body(SMSStatut_List=["+33699999993"]), 2),
        (body(SMSStatut_List=[{"phoneNumber": "+33699999993", "messageId": ""}]), 3),
    ],
    ids=itertools.count(),
)
def test_multi_status_refusals(client: Client, content: Any, code: int) -> None:
    response = client.post(content)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["success"], answer["code"]) == (False, code)
    assert answer["message"]
    assert len(client.post(body(SMSStatut_List=[PAIR] * 500)).json()["StatutResponse_List"]) == 500


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/v1/me", {}, 1),
        ("/v1/bulk-status-by-tag", {"apiKey": "test key", "tag": "spring"}, 10),
        ("/v1/bulk-status-by-tag", {"apiKey": "test-key"}, 3),
        ("/v1/message-cancel", {}, 1),
    ],
)
def test_a_get_without_key_or_tag(client: Client, path: str, query: Any, code: int) -> None:
    assert client.get(path, **query).json()["code"] == code


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("/v1/multi-status", "{", 90),
        ("/v1/bulk-send", "[]", 90),
        ("/v1/bulk-send", "{}", 1),
        ("/v1/bulk-send", '{"apiKey": "other"}', 10),
        ("/v1/bulk-send?apiKey=test-key", "{}", 1),
    ],
)
def test_key_of_a_post(client: Client, path: str, content: str, code: int) -> None:
    answer = client.session.post(client.double.url + path, data=content, timeout=60).json()
    assert (answer["success"], answer["code"]) == (False, code)


@pytest.mark.parametrize(("option", "http_statuses"), [(418, [418, 418, 418]), (None, [401, 404, 400])])
def test_http_status_of_errors(run: Run, option: Any, http_statuses: Any) -> None:
    client = run(error_http_status=option)
    responses = [
        client.get("/v1/me", apiKey="wrong"),
        client.get("/v1/bulk-status-by-tag", apiKey="test-key", tag="spring"),
        client.post("{"),
    ]
    assert [response.status_code for response in responses] == http_statuses
    assert [response.json()["code"] for response in responses] == [10, 4, 90]
