"""Each answer and each refusal, as the vendor's pages show them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testing.client import Client, Run

PAIR = {"phoneNumber": "+33699999993", "messageId": 111111}


def body(**members: Any) -> Any:
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
    delivered, waiting, failed = answer.pop("StatutResponse_List")
    assert answer == {"success": True, "code": 200}
    date = delivered.pop("date")
    assert isinstance(date, str)
    assert date.isdecimal()
    fine = {"success": True, "code": 200}
    assert delivered == {
        **fine,
        "phoneNumber": "+33699999993",
        "messageId": 111111,
        "status": "Delivered",
        "stopSms": "1",
        "isSpam": "0",
    }
    assert waiting == {
        **fine,
        "phoneNumber": "+33699999994",
        "messageId": 222222,
        "status": "Waiting",
        "stopSms": "0",
        "isSpam": "1",
    }
    assert failed == {
        "success": False,
        "code": 4,
        "phoneNumber": "+33699999992",
        "messageId": 1000,
        "status": "Numéro introuvable",
    }


def test_tag_rows(client: Client) -> None:
    client.double.add_message("+33699999993", "1", "Delivered", tag="spring", stop_sms=True)
    client.double.add_message("+33699999993", "2", "Waiting", tag="spring")
    answer = client.by_tag("spring")
    delivered, waiting = answer.pop("StatutResponse_List")
    assert answer == {"success": True, "code": 200, "currentPage": 1, "total": 2}
    assert delivered.pop("date").isdecimal()
    assert delivered == {"phoneNumber": "+33699999993", "status": "Delivered", "stopSMS": True}
    assert waiting == {"phoneNumber": "+33699999993", "status": "Waiting", "stopSMS": False}


@pytest.mark.parametrize("status", ["ko", "  not   DELIVERED ", "Expiré", "???"])
def test_any_status_text(client: Client, status: Any) -> None:
    client.double.add_message("+33699999993", "1", status, tag="spring")
    (row,) = client.by_tag("spring")["StatutResponse_List"]
    assert row["status"] == status


def test_pages(run: Run) -> None:
    client = run(page_size=2)
    messages = client.double.add_campaign("spring", size=5, settle_seconds=0).messages
    phones = [message["phone_number"] for message in messages]
    first = client.by_tag("spring")
    assert first == client.by_tag("spring", page=1)
    pages = [first, *(client.by_tag("spring", page=page) for page in (2, 3, 4))]
    assert [page["currentPage"] for page in pages] == [1, 2, 3, 4]
    assert {page["total"] for page in pages} == {5}
    shown = [[row["phoneNumber"] for row in page["StatutResponse_List"]] for page in pages]
    assert shown == [phones[:2], phones[2:4], phones[4:], []]


def test_account(client: Client) -> None:
    answer = client.me().json()
    assert (answer["success"], answer["code"]) == (True, 200)
    assert answer["credits"]["creditSms"] == 269082
    assert answer["credits"]["balance"] == "10225.119"
    assert answer["user"]["username"] == "double@example.com"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (body(apiKey=""), 1),
        (json.dumps({"SMSStatut_List": [PAIR]}), 1),
        (body(apiKey="other"), 10),
        (body(SMSStatut_List=[]), 5),
        (json.dumps({"apiKey": "test-key"}), 5),
        (json.dumps({"apiKey": "test-key", "SMSStatus_List": [PAIR]}), 5),
        (body(SMSStatut_List=[PAIR] * 501), 50),
        ("{", 90),
        ("", 90),
        ("[]", 90),
        ("[" * 100_000, 90),
        (b"\xff\xfe", 90),
        (body(SMSStatut_List=[PAIR, {"messageId": 1}]), 2),
        (body(SMSStatut_List=[PAIR, {"phoneNumber": "", "messageId": 1}]), 2),
        (body(SMSStatut_List=["+33699999993"]), 2),
        (body(SMSStatut_List=[{"phoneNumber": "+33699999993"}]), 3),
        (body(SMSStatut_List=[{"phoneNumber": "+33699999993", "messageId": ""}]), 3),
    ],
)
def test_multi_status_refusals(client: Client, content: Any, code: int) -> None:
    response = client.post(content)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["success"], answer["code"]) == (False, code)
    assert answer["message"]


def test_500_pairs_are_not_too_many(client: Client) -> None:
    assert len(json.loads(client.post(body(SMSStatut_List=[PAIR] * 500)).text)["StatutResponse_List"]) == 500


@pytest.mark.parametrize(
    "path", ["/v1/me", "/v1/bulk-status-by-tag", "/v1/message-cancel", "/v1/stop-sms/list"]
)
@pytest.mark.parametrize(("query", "code"), [({}, 1), ({"apiKey": "test key"}, 10)])
def test_key_of_a_get(client: Client, path: str, query: Any, code: int) -> None:
    assert client.get(path, tag="spring", **query).json()["code"] == code


@pytest.mark.parametrize("path", ["/v1/multi-status", "/v1/send", "/v1/bulk-send"])
@pytest.mark.parametrize(
    ("content", "code"),
    [("{", 90), ("[]", 90), ("{}", 1), ('{"apiKey": ""}', 1), ('{"apiKey": "other"}', 10)],
)
def test_key_of_a_post(client: Client, path: str, content: str, code: int) -> None:
    answer = client.session.post(client.double.url + path, data=content, timeout=5).json()
    assert (answer["success"], answer["code"]) == (False, code)


@pytest.mark.parametrize("path", ["/v1/multi-status", "/v1/send", "/v1/bulk-send"])
def test_key_of_a_post_is_not_in_the_query(client: Client, path: str) -> None:
    url = f"{client.double.url}{path}?apiKey=test-key"
    answer = client.session.post(url, json={"SMSStatut_List": [PAIR]}, timeout=5).json()
    assert answer["code"] == 1


def test_missing_tag(client: Client) -> None:
    assert client.get("/v1/bulk-status-by-tag", apiKey="test-key").json()["code"] == 3


def test_unknown_tag_not_found(client: Client) -> None:
    answer = client.by_tag("spring")
    assert (answer["success"], answer["code"]) == (False, 4)


def test_unknown_tag_empty(run: Run) -> None:
    answer = run(unknown_tag="empty").by_tag("spring")
    assert answer == {"success": True, "code": 200, "currentPage": 1, "total": 0, "StatutResponse_List": []}


@pytest.mark.parametrize(
    ("option", "http_statuses"), [(200, [200, 200, 200]), (418, [418, 418, 418]), (None, [401, 404, 400])]
)
def test_http_status_of_errors(run: Run, option: Any, http_statuses: Any) -> None:
    client = run(error_http_status=option)
    responses = [
        client.get("/v1/me", apiKey="wrong"),
        client.get("/v1/bulk-status-by-tag", apiKey="test-key", tag="spring"),
        client.post("{"),
    ]
    assert [response.status_code for response in responses] == http_statuses
    assert [response.json()["code"] for response in responses] == [10, 4, 90]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/multi-status", "POST"),
        ("POST", "/v1/bulk-status-by-tag", "GET"),
        ("HEAD", "/v1/me", "GET"),
        ("GET", "/v1/send", "POST"),
        ("GET", "/v1/bulk-send", "POST"),
        ("POST", "/v1/message-cancel", "GET"),
        ("POST", "/v1/stop-sms/list", "GET"),
    ],
)
def test_wrong_method(client: Client, method: str, path: str, allowed: Any) -> None:
    response = client.session.request(method, client.double.url + path, timeout=5)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/", "/me", "/v2/me", "/v1/me/"])
def test_unknown_path(client: Client, path: str) -> None:
    assert client.get(path, apiKey="test-key").status_code == 404
