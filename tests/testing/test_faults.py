"""Each way to misbehave, as a client meets it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests
from loopback import SILENCE
from testing.client import Client, Run

from airflow_provider_smspartner.testing import Fault

PAIRS = [{"phone_number": "+33699999993", "message_id": each} for each in (1, 2)]


@pytest.mark.parametrize("retry_after", [2, 0.5, "Fri, 21 Nov 2025 10:00:00 GMT"])
def test_status(client: Client, retry_after: Any) -> None:
    client.double.misbehave(Fault.status(503, retry_after=retry_after))
    response = client.me()
    assert (response.status_code, response.text) == (503, "Service Unavailable")
    assert response.headers["Retry-After"] == str(retry_after)
    assert client.me().status_code == 200


def test_a_status_that_no_rfc_names(client: Client) -> None:
    client.double.misbehave(Fault.status(599))
    response = client.me()
    assert (response.status_code, response.text) == (599, "Error")


def test_status_with_a_body(client: Client) -> None:
    client.double.misbehave(Fault.status(429, body="Trop de requêtes"))
    response = client.me()
    assert (response.status_code, response.content.decode()) == (429, "Trop de requêtes")
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("status", [200, 502])
def test_html(client: Client, status: Any) -> None:
    client.double.misbehave(Fault.html(status))
    response = client.me()
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")


def test_fake_success(client: Client) -> None:
    client.double.misbehave(Fault.fake_success())
    response = client.get("/v1/me")
    assert response.text == '{"success":true,"code":200,"message":"Request queued for processing"}'
    assert response.headers["Content-Type"].startswith("application/json")


def test_redirect(client: Client) -> None:
    client.double.misbehave(Fault.redirect("http://127.0.0.1:9/elsewhere", 307))
    response = client.me()
    assert (response.status_code, response.headers["Location"]) == (307, "http://127.0.0.1:9/elsewhere")


def test_headers(client: Client) -> None:
    client.double.misbehave(Fault.headers({"X-RateLimit-Limit": "300", "Retry-After": "2"}))
    response = client.me()
    assert (response.status_code, response.json()["success"]) == (200, True)
    assert (response.headers["x-ratelimit-limit"], response.headers["retry-after"]) == ("300", "2")
    assert "X-RateLimit-Limit" not in client.me().headers


def test_body(client: Client) -> None:
    content = bytes(range(256))
    client.double.misbehave(Fault.body(content, status=418, content_type="image/png"))
    response = client.me()
    assert (response.status_code, response.content) == (418, content)
    assert response.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (1, {"success": False, "code": 9, "message": "non"}),
        (
            2,
            {
                "success": False,
                "code": 9,
                "errors": [{"elementId": "children[SMSStatut_List].data", "message": "non"}],
            },
        ),
        (3, {"success": False, "code": 9, "error": {"message": "non"}}),
        (
            4,
            {
                "success": False,
                "code": 55,
                "message": "Erreur",
                "errors": [{"success": False, "code": "9", "message": "non"}],
            },
        ),
        (
            5,
            {
                "success": True,
                "code": 200,
                "StatutResponse_List": [
                    {
                        "success": False,
                        "code": 9,
                        "phoneNumber": "+33699999993",
                        "messageId": each,
                        "status": "non",
                    }
                    for each in (1, 2)
                ],
            },
        ),
    ],
)
def test_error_shapes(client: Client, shape: Any, expected: Any) -> None:
    client.double.misbehave(Fault.error(9, "non", shape=shape))
    assert client.multi_status(PAIRS) == expected


def test_error_without_a_code(client: Client) -> None:
    client.double.misbehave(Fault.error(None, "NOCREDITS", shape=3, http_status=402))
    response = client.me()
    assert response.status_code == 402
    assert response.json() == {"success": False, "error": {"message": "NOCREDITS"}}


def test_failed_rows_need_rows_to_fail(client: Client) -> None:
    client.double.misbehave(Fault.error(4, shape=5))
    assert client.post('{"apiKey": "test-key", "SMSStatut_List": []}').json()["code"] == 5
    with pytest.raises(ValueError, match="shape"):
        Fault.error(4, shape=6)


def test_ignore_page(run: Run) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=4)
    first = client.by_tag("spring")
    client.double.misbehave(Fault.ignore_page())
    # Not a request by tag: the fault waits for one.
    assert client.me().json()["success"] is True
    assert client.by_tag("spring", page=2) == first
    assert client.by_tag("spring", page=2)["currentPage"] == 2


def test_repeat_page(run: Run) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=4)
    first = client.by_tag("spring")
    client.double.misbehave(Fault.repeat_page(), times=2)
    assert client.by_tag("spring") == first
    assert client.by_tag("spring", page=2) == {**first, "currentPage": 2}


@pytest.mark.parametrize(("step", "totals"), [(1, [4, 5, 6]), (-2, [4, 2, 0])])
def test_drifting_total(run: Run, step: int, totals: list[int]) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=4)
    client.double.misbehave(Fault.drifting_total(step), times=None)
    assert [client.by_tag("spring", page=page)["total"] for page in (1, 2, 3)] == totals


@pytest.mark.parametrize("value", [0, "2", -1, None, "many"])
def test_total(client: Client, value: Any) -> None:
    client.double.add_campaign("spring", size=2)
    client.double.misbehave(Fault.total(value))
    answer = client.by_tag("spring")
    assert answer["total"] == value
    assert len(answer["StatutResponse_List"]) == 2
    assert client.by_tag("spring")["total"] == 2


def test_rows(client: Client) -> None:
    client.double.add_campaign("spring", size=3)
    client.double.misbehave(Fault.rows(lambda rows: rows[::-1] + rows[:1]), times=2)
    phones = [row["phoneNumber"] for row in client.by_tag("spring")["StatutResponse_List"]]
    assert [phone[-1] for phone in phones] == ["2", "1", "0", "0"]
    assert client.by_tag("no-such-tag")["code"] == 4


@pytest.mark.parametrize("value", ["Teleported", None, [{}], 10**4000])
def test_field(client: Client, value: Any) -> None:
    client.double.add_campaign("spring", size=2)
    client.double.misbehave(Fault.field("status", value))
    rows = client.by_tag("spring")["StatutResponse_List"]
    assert [row["status"] for row in rows] == [value] * 2
    assert all(row["phoneNumber"].startswith("+") for row in rows)


def test_many_rows(client: Client) -> None:
    client.double.add_campaign("spring", size=3)
    client.double.misbehave(Fault.many_rows(10_000), times=2)
    answer = client.by_tag("spring")
    assert answer["total"] == len(answer["StatutResponse_List"]) == 10_000
    listed = client.multi_status(PAIRS)
    assert len(listed["StatutResponse_List"]) == 10_000
    assert "total" not in listed


def test_times_and_order(client: Client) -> None:
    client.double.misbehave(Fault.status(500), times=2)
    client.double.misbehave(Fault.status(502))
    assert [client.me().status_code for _ in range(4)] == [500, 500, 502, 200]


def test_for_ever_until_cleared(client: Client) -> None:
    client.double.misbehave(Fault.status(500), times=None)
    assert {client.me().status_code for _ in range(5)} == {500}
    client.double.clear_faults()
    assert client.me().status_code == 200


@pytest.mark.parametrize("path", ["/v1/me", "/me", "me"])
def test_only_one_endpoint(client: Client, path: str) -> None:
    client.double.misbehave(Fault.status(500), path=path)
    assert client.by_tag("spring")["code"] == 4
    assert client.me().status_code == 500


def test_impossible_faults(client: Client) -> None:
    with pytest.raises(ValueError, match="no endpoint"):
        client.double.misbehave(Fault.reset(), path="/v1/sent")
    with pytest.raises(ValueError, match="makes no sense"):
        client.double.misbehave(Fault.ignore_page(), path="/v1/me")
    with pytest.raises(ValueError, match="times"):
        client.double.misbehave(Fault.reset(), times=0)


ANSWERS_OF_ITS_OWN: dict[str, Callable[[], Fault]] = {
    "status": lambda: Fault.status(502),
    "html": Fault.html,
    "body": lambda: Fault.body(b"{}"),
    "fake success": Fault.fake_success,
    "error": lambda: Fault.error(500),
    "too many": lambda: Fault.status(429),
}
NO_ANSWER: dict[str, Callable[[], Fault]] = {
    "reset": Fault.reset,
    "reset in body": Fault.reset_in_body,
    "hang": lambda: Fault.hang(0.05),
    "truncated": Fault.truncated,
    "raw": lambda: Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
}
BOTH_CALLS = pytest.mark.parametrize("call", ["send", "bulk-send"])


def send(client: Client, call: str) -> requests.Response:
    number = "+33639980001"
    return client.send_to(number) if call == "send" else client.bulk_send({number: "Bonjour"})


@BOTH_CALLS
@pytest.mark.parametrize("name", ANSWERS_OF_ITS_OWN)
def test_an_answer_instead_of_the_vendors(client: Client, call: str, name: str) -> None:
    fault = ANSWERS_OF_ITS_OWN[name]()
    client.double.misbehave(fault)
    before = send(client, call)
    assert client.double.sent == []
    client.double.misbehave(fault.after_processing())
    after = send(client, call)
    assert (after.status_code, after.content) == (before.status_code, before.content)
    assert len(client.double.sent) == 1


@BOTH_CALLS
@pytest.mark.parametrize("name", NO_ANSWER)
def test_an_answer_that_is_lost(client: Client, call: str, name: str) -> None:
    fault = NO_ANSWER[name]()
    client.double.misbehave(fault)
    with pytest.raises(requests.RequestException):
        send(client, call)
    assert client.double.sent == []
    client.double.misbehave(fault.after_processing())
    with pytest.raises(requests.RequestException):
        send(client, call)
    assert len(client.double.sent) == 1


def test_an_sms_has_left_before_a_time_out(client: Client) -> None:
    client.double.misbehave(Fault.hang(60).after_processing())
    url, body = f"{client.double.url}/v1/send", {"phoneNumbers": "+33639980001", "message": "Bonjour"}
    with pytest.raises(requests.ReadTimeout):
        client.session.post(url, json={"apiKey": client.double.api_key, **body}, timeout=SILENCE)
    assert len(client.double.sent) == 1


def test_the_vendor_acts_once(client: Client) -> None:
    # Faults that alter the vendor's answer have it process the request, too.
    client.double.misbehave(Fault.headers({"X-Served-By": "double"}).after_processing())
    response = send(client, "send")
    assert (response.json()["nb_sms"], response.headers["X-Served-By"]) == (1, "double")
    assert len(client.double.sent) == 1


def test_faults_that_change_the_request_still_do(run: Run) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=4)
    client.double.misbehave(Fault.ignore_page().after_processing())
    assert client.by_tag("spring", page=2)["currentPage"] == 1


def test_a_refused_request_has_sent_nothing_before_its_answer_is_lost(client: Client) -> None:
    client.double.add_stop("+33639980001")
    client.double.misbehave(Fault.reset().after_processing())
    with pytest.raises(requests.ConnectionError):
        send(client, "send")
    assert client.double.sent == []


def test_the_log_counts_what_was_sent_before_a_fault(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_smspartner")
    client.double.misbehave(Fault.status(502).after_processing())
    client.double.misbehave(Fault.reset().after_processing())
    send(client, "bulk-send")
    with pytest.raises(requests.ConnectionError):
        send(client, "send")
    # A line is written once the connection is dealt with.
    client.me()
    assert caplog.messages == [
        "POST /v1/bulk-send: HTTP 502, 1 SMS",
        "POST /v1/send: no answer, 1 SMS",
        "GET /v1/me: HTTP 200",
    ]


def test_nothing_is_processed_of_what_is_not_read() -> None:
    with pytest.raises(ValueError, match="not read"):
        Fault.reset_unread().after_processing()
