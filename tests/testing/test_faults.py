"""Each way to misbehave, as a client meets it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from testing.client import Client, Run

from airflow_provider_smspartner.testing import Fault

PAIRS = [{"phone_number": "+33699999993", "message_id": each} for each in (1, 2)]
PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()


def test_the_page_names_every_fault_as_it_can_be_made() -> None:
    calls = re.findall(r"^\| `(Fault\.\w.*?)` \|", PAGE, re.MULTILINE)
    made = {name for name, member in vars(Fault).items() if isinstance(member, staticmethod)}

    assert {re.split(r"[.(]", call)[1] for call in calls} == made
    for call in calls:
        assert isinstance(eval(call, {"Fault": Fault}), Fault), call  # noqa: S307 - a page of ours


@pytest.mark.parametrize(
    ("fault", "status", "text", "headers"),
    [
        (Fault.status(503, retry_after=0.5), 503, "Service Unavailable", {"Retry-After": "0.5"}),
        (Fault.status(599), 599, "Error", {"Retry-After": None}),
        (Fault.status(429, body="Trop de requêtes"), 429, "Trop de requêtes", {"Retry-After": None}),
        (Fault.html(502), 502, "<!DOCTYPE html>", {"Content-Type": "text/html"}),
        (
            Fault.fake_success(),
            200,
            '{"success":true,"code":200,"message":"Request queued for processing"}',
            {"Content-Type": "application/json"},
        ),
        (Fault.redirect("http://127.0.0.1:9/other", 307), 307, "", {"Location": "http://127.0.0.1:9/other"}),
        (Fault.headers({"X-RateLimit-Limit": "300"}), 200, '{"success": true', {"x-ratelimit-limit": "300"}),
        (
            Fault.body(b"\0\1", status=418, content_type="image/png"),
            418,
            "\0\1",
            {"Content-Type": "image/png"},
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_an_answer_of_its_own(
    client: Client, fault: Fault, status: int, text: str, headers: dict[str, str | None]
) -> None:
    usual = client.me()
    client.double.misbehave(fault)

    response = client.me()

    assert (response.status_code, response.content.decode()[: len(text)]) == (status, text)
    assert bool(response.content) == bool(text)
    for name, value in headers.items():
        got = response.headers.get(name)
        assert got == value or (value and got and got.startswith(f"{value};"))
    after = client.me()
    assert (after.status_code, after.content) == (200, usual.content)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (1, {"message": "non"}),
        (2, {"errors": [{"elementId": "children[SMSStatut_List].data", "message": "non"}]}),
        (3, {"error": {"message": "non"}}),
        (
            4,
            {
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
def test_error_shapes(client: Client, shape: int, expected: Any) -> None:
    client.double.misbehave(Fault.error(9, "non", shape=shape))
    assert client.multi_status(PAIRS) == {"success": False, "code": 9, **expected}


def test_pages_that_are_not_those_asked_for(run: Run) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=4)
    first = client.by_tag("spring")

    client.double.misbehave(Fault.ignore_page())
    # Not a request by tag: the fault waits for one.
    assert client.me().json()["success"] is True
    assert client.by_tag("spring", page=2) == first
    assert client.by_tag("spring", page=2)["currentPage"] == 2

    client.double.misbehave(Fault.repeat_page(), times=2)
    assert client.by_tag("spring") == first
    assert client.by_tag("spring", page=2) == {**first, "currentPage": 2}


def test_rows_that_move_on(run: Run) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=5)
    client.double.misbehave(Fault.sent_meanwhile(), times=2)

    first, second = client.by_tag("spring"), client.by_tag("spring", page=2)

    assert first["StatutResponse_List"][1] == second["StatutResponse_List"][0]
    assert (first["total"], second["total"]) == (5, 6)


@pytest.mark.parametrize(
    ("fault", "totals"),
    [
        (Fault.drifting_total(1), [4, 5, 6]),
        (Fault.drifting_total(-2), [4, 2, 0]),
        (Fault.total("2"), ["2"] * 3),
        (Fault.total(None), [None] * 3),
    ],
    ids=["growing", "shrinking", "text", "missing"],
)
def test_totals(run: Run, fault: Fault, totals: list[object]) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=4)
    client.double.misbehave(fault, times=3)

    answers = [client.by_tag("spring", page=page) for page in (1, 2, 3)]

    assert [answer["total"] for answer in answers] == totals
    assert [len(answer["StatutResponse_List"]) for answer in answers] == [2, 2, 0]
    assert client.by_tag("spring")["total"] == 4


def test_times_and_order(client: Client) -> None:
    client.double.misbehave(Fault.status(500), times=2)
    client.double.misbehave(Fault.status(502))
    assert [client.me().status_code for _ in range(4)] == [500, 500, 502, 200]
    # For ever, until cleared.
    client.double.misbehave(Fault.status(500), times=None)
    assert {client.me().status_code for _ in range(5)} == {500}
    client.double.clear_faults()
    assert client.me().status_code == 200


def test_only_one_endpoint(client: Client) -> None:
    for path in ("/v1/me", "/me", "me"):
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
    with pytest.raises(ValueError, match="not read"):
        Fault.reset_unread().after_processing()
    with pytest.raises(ValueError, match="shape"):
        Fault.error(4, shape=6)


NUMBER = "+33639980001"


@pytest.mark.parametrize(
    "fault", [lambda: Fault.status(502), Fault.fake_success], ids=["status", "fake success"]
)
def test_an_answer_instead_of_the_vendors(client: Client, fault: Callable[[], Fault]) -> None:
    client.double.misbehave(fault())
    before = client.send_to(NUMBER)
    assert client.double.sent == []
    client.double.misbehave(fault().after_processing())
    after = client.send_to(NUMBER)
    assert (after.status_code, after.content) == (before.status_code, before.content)
    assert len(client.double.sent) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.reset,
        Fault.reset_in_body,
        lambda: Fault.hang(0.05),
        Fault.truncated,
        lambda: Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    ],
    ids=["reset", "reset in body", "hang", "truncated", "raw"],
)
def test_an_answer_that_is_lost(client: Client, fault: Callable[[], Fault]) -> None:
    client.double.misbehave(fault())
    with pytest.raises(requests.RequestException):
        client.send_to(NUMBER)
    assert client.double.sent == []
    client.double.misbehave(fault().after_processing())
    with pytest.raises(requests.RequestException):
        client.send_to(NUMBER)
    assert len(client.double.sent) == 1


def test_the_vendor_acts_once(run: Run) -> None:
    # Faults that alter the vendor's answer have it process the request, too.
    client = run(page_size=2)
    client.double.misbehave(Fault.headers({"X-Served-By": "double"}).after_processing())
    response = client.send_to(NUMBER)
    assert (response.json()["nbSMS"], response.headers["X-Served-By"]) == (1, "double")
    assert len(client.double.sent) == 1
    # Those that alter the request still do.
    client.double.add_campaign("spring", size=4)
    client.double.misbehave(Fault.ignore_page().after_processing())
    assert client.by_tag("spring", page=2)["currentPage"] == 1
