"""What is sent: to whom, how it is answered, and what is kept of it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clocks import START
from testing.client import Client, Run

from airflow_provider_smspartner.testing import SentSMS

ONE, TWO, THREE = "+33639980001", "+33639980002", "+33639980003"

PARIS = ZoneInfo("Europe/Paris")


def send(client: Client, *numbers: str, **options: Any) -> Any:
    return client.send_to(*numbers, **options).json()


def numbers_sent(client: Client) -> list[str]:
    return [sms.phone_number for sms in client.double.sent]


def test_what_is_kept_of_an_sms(client: Client) -> None:
    response = client.send_to("06 39 98 00 01", TWO, message="a" * 161, tag="spring", sender="Shop")
    assert (response.status_code, type(response.json()["message_id"])) == (200, int)
    assert client.double.sent == [
        SentSMS(
            phone_number=number,
            text="a" * 161,
            message_id=str(response.json()["message_id"]),
            parts=2,
            tag="spring",
            sender="Shop",
            scheduled_for=None,
            stop_notice=False,
            unicode=False,
            sandbox=False,
        )
        for number in (ONE, TWO)
    ]


def test_own_texts(client: Client) -> None:
    answer = client.bulk_send({"0639980001": "Bonjour", TWO: "a" * 161}).json()
    message_id = answer.pop("message_id")
    fine = {"success": True, "code": 200}
    assert type(message_id) is int
    assert answer == {
        **fine,
        "currency": "EUR",
        "cost": 0.11399999999999999,  # as PHP computes it
        "nbSMS": 3,
        "SMSResponse_List": [
            {**fine, "nbSms": 1, "cost": 0.038, "phoneNumber": ONE},
            {**fine, "nbSms": 2, "cost": 0.076, "phoneNumber": TWO},
        ],
    }
    assert [(sms.phone_number, sms.text, sms.message_id) for sms in client.double.sent] == [
        (ONE, "Bonjour", str(message_id)),
        (TWO, "a" * 161, str(message_id)),
    ]


def test_what_was_sent_can_be_forgotten(client: Client) -> None:
    message_id = send(client, ONE, message="Code 4711")["message_id"]
    snapshot = client.double.sent
    snapshot.clear()
    assert len(client.double.sent) == 1
    # Where a failed test shows what was sent, it shows no number and no text.
    assert ONE not in repr(client.double.sent)
    assert "4711" not in repr(client.double.sent)
    client.double.clear_sent()
    assert client.double.sent == []
    # It is still asked about by those who await it.
    (row,) = client.multi_status([{"phone_number": ONE, "message_id": message_id}])["StatutResponse_List"]
    assert row["success"] is True


DATE = {"scheduledDeliveryDate": "01/01/2030"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"SMSList": "text"}, 2),
        ({"SMSList": [{}] * 501}, 50),
        ({"message": ""}, 43),
        ({"SMSList": [{"phoneNumber": ONE}]}, 43),
        ({"message": "a" * 1531}, 52),
        ({"sender": "abcdefghijkl"}, 44),
        ({"scheduledDeliveryDate": "2030-01-01", "time": 8, "minute": 0}, 45),
        ({"scheduledDeliveryDate": "31/02/2030", "time": 8, "minute": 0}, 45),
        ({**DATE, "time": 25, "minute": 0}, 46),
        ({**DATE, "time": 8, "minute": 7}, 47),
        ({"scheduledDeliveryDate": "01/01/2020", "time": 8, "minute": 0}, 48),
        ({"time": 8, "minute": 0}, 49),
    ],
    ids=itertools.count(),
)
def test_bad_requests(client: Client, options: Any, code: int) -> None:
    answer = send(client, ONE, **options)
    assert (answer["success"], answer["code"]) == (False, code)
    assert answer["message"]
    assert client.double.sent == []


@pytest.mark.parametrize("option", {"sandbox": 2, "isStopSms": "yes", "tag": 7}.items(), ids=str)
def test_validation(client: Client, option: tuple[str, Any]) -> None:
    response = client.send_to(ONE, **dict([option]))
    answer = response.json()
    assert (response.status_code, answer["success"], answer["code"]) == (400, False, 9)
    assert answer["errors"][0]["elementId"] == f"children[{option[0]}].data"
    assert client.double.sent == []


def test_some_numbers_are_refused(client: Client) -> None:
    client.double.refuse("06 39 98 00 02", 13)
    client.double.add_stop("06 39 98 00 03")
    asked = (TWO, ONE, THREE, "12345")
    answer = send(client, *asked)
    assert (answer["success"], answer["nbSMS"], answer["cost"]) == (True, 1, 0.038)
    fine, *refused = sorted(answer["SMSResponse_List"], key=lambda row: not row["success"])
    assert fine["phoneNumber"] == ONE
    assert refused == [
        {"success": False, "code": 13, "phoneNumber": TWO},
        {"success": False, "code": 14, "phoneNumber": THREE},
        {"success": False, "code": 9, "phoneNumber": "12345"},
    ]
    assert [row["phoneNumber"] for row in answer["SMSResponse_List"]] == list(asked)
    assert numbers_sent(client) == [ONE]


def test_no_number_left(client: Client) -> None:
    client.double.add_stop(ONE)
    client.double.refuse(TWO, 987)
    answer = send(client, ONE, TWO)
    assert (answer["success"], answer["code"]) == (False, 55)
    assert [(inner["success"], inner["code"]) for inner in answer["errors"]] == [
        (False, "14"),
        (False, "987"),
    ]
    assert "message_id" not in answer
    assert client.double.sent == []


def test_a_number_that_stands_twice_gets_one_sms(client: Client) -> None:
    answer = client.bulk_send({ONE: "first", "0639980001": "second", TWO: "first"}).json()
    assert ([row["code"] for row in answer["SMSResponse_List"]], answer["nbSMS"]) == ([200, 15, 200], 2)
    assert numbers_sent(client) == [ONE, TWO]


def test_credit(client: Client) -> None:
    client.double.credit_sms = 3
    assert send(client, ONE, message="a" * 161)["success"] is True
    assert client.me().json()["credits"]["creditSms"] == client.double.credit_sms == 1
    answer = send(client, ONE, TWO)
    assert (answer["success"], answer["code"]) == (False, 11)
    assert client.double.credit_sms == 1
    assert numbers_sent(client) == [ONE]
    # The sandbox costs nothing.
    assert send(client, ONE, TWO, sandbox=1)["success"] is True
    assert client.double.credit_sms == 1
    client.double.credit_sms = None
    assert send(client, ONE, TWO)["success"] is True


def test_stop_list(client: Client) -> None:
    assert client.stop_list() == {"success": True, "code": 200, "nbData": 0, "data": []}
    client.double.add_stop("0639980001")
    client.double.advance(86400)
    client.double.add_stop(TWO)
    client.double.add_stop(TWO)

    # As a clock in Paris shows it.
    assert client.stop_list() == {
        "success": True,
        "code": 200,
        "nbData": 2,
        "data": [
            {"id": 1, "phoneNumber": ONE, "createdAt": "2026-03-02 10:00:00"},
            {"id": 2, "phoneNumber": TWO, "createdAt": "2026-03-03 10:00:00"},
        ],
    }


def test_a_sent_message_settles(run: Run) -> None:
    client = run(settle_seconds=100)
    client.double.add_message(THREE, "1", "Delivered", tag="spring")
    message_id = send(client, ONE, TWO, tag="spring", isUnicode=1, isStopSms="1")["message_id"]
    assert {(sms.unicode, sms.stop_notice) for sms in client.double.sent} == {(True, True)}
    asked = [{"phone_number": number, "message_id": message_id} for number in (ONE, TWO)]

    def by_id() -> list[str]:
        return [row["status"] for row in client.multi_status(asked)["StatutResponse_List"]]

    client.double.advance(1000)
    # What has the same tag is one campaign.
    assert client.statuses("spring") == ["Delivered", *by_id()] == ["Delivered", "Waiting", "Waiting"]
    client.double.advance(50)
    assert client.statuses("spring") == ["Delivered", *by_id()] == ["Delivered", "Delivered", "Waiting"]
    client.double.advance(50)
    assert client.statuses("spring") == ["Delivered", *by_id()] == ["Delivered"] * 3


def scheduled(moment: datetime) -> dict[str, Any]:
    local = moment.astimezone(PARIS)
    return {"scheduledDeliveryDate": f"{local:%d/%m/%Y}", "time": f"{local:%H}", "minute": local.minute}


IN_AN_HOUR = START + timedelta(hours=1)


def test_a_scheduled_message_waits_for_its_time(run: Run) -> None:
    client = run(settle_seconds=100)
    answer = send(client, ONE, tag="spring", **scheduled(IN_AN_HOUR))
    assert answer["scheduledDeliveryDate"] == "2026-03-02 11:00:00"
    assert client.double.sent[0].scheduled_for == IN_AN_HOUR
    assert client.statuses("spring") == ["Waiting"]
    client.double.advance(3600 + 50)
    assert client.statuses("spring") == ["Waiting"]
    client.double.advance(50)
    assert client.statuses("spring") == ["Delivered"]


def test_hour_24_is_midnight(client: Client) -> None:
    options = {"scheduledDeliveryDate": "30/06/2098", "time": "24", "minute": "55"}
    assert send(client, ONE, **options)["scheduledDeliveryDate"] == "2098-07-01 00:55:00"
    # Summer time: two hours before UTC.
    assert client.double.sent[0].scheduled_for == datetime(2098, 6, 30, 22, 55, tzinfo=UTC)


def test_a_cancelled_message_is_unknown(run: Run) -> None:
    # Even where unknown ones are made up.
    client = run(auto_campaigns=True)
    kept = send(client, ONE, tag="spring")["message_id"]
    message_id = send(client, ONE, TWO, tag="spring", **scheduled(IN_AN_HOUR))["message_id"]
    answer = client.cancel(message_id)
    assert (answer.pop("message", ""), answer) == ("Message cancelled", {"success": True, "code": 200})
    asked = [{"phone_number": ONE, "message_id": each} for each in (kept, message_id)]
    assert [row["code"] for row in client.multi_status(asked)["StatutResponse_List"]] == [200, 4]
    assert len(client.statuses("spring")) == 1
    assert [sms.cancelled for sms in client.double.sent] == [False, True, True]


def test_what_cannot_be_cancelled(client: Client) -> None:
    first, second, third = (send(client, ONE, **scheduled(IN_AN_HOUR))["message_id"] for _ in range(3))
    at_once = send(client, ONE)["message_id"]
    client.cancel(first)

    def codes() -> list[int]:
        return [client.cancel(each)["code"] for each in ("", "nonsense", 307, first, second, at_once)]

    client.double.advance(3600 - 301)
    assert client.cancel(third)["code"] == 200
    client.double.advance(2)
    assert codes() == [3, 4, 4, 5, 6, 7]
    client.double.advance(300)
    assert codes() == [3, 4, 4, 5, 7, 7]
    assert [sms.cancelled for sms in client.double.sent] == [True, False, True, False]


@pytest.mark.parametrize(
    ("unicode", "read"),
    [(0, "Pret\n5 €: (oe) l'a"), (1, "Prêt\n5 €: [œ] l’a~")],  # noqa: RUF001
)
def test_a_text_is_kept_as_its_recipient_reads_it(client: Client, unicode: int, read: str) -> None:
    send(client, "bulk-send", ONE, message="Prêt:br:5 :euro:: [œ] l’a~", isUnicode=unicode)  # noqa: RUF001

    assert [sms.text for sms in client.double.sent] == [read]
