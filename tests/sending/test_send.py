"""A send: its options, its calls, and what it is recognised by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_smspartner._sending.options import read_schedule
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

PARIS = ZoneInfo("Europe/Paris")
NUMBERS = [f"+3363998{n:04}" for n in range(1_203)]
OPTIONS: dict[str, Any] = {"max_recipients": 10_000}


def test_one_text_in_calls_of_500() -> None:
    send = Send.of(NUMBERS, "Hello", tag="spring", **OPTIONS)

    calls = [send.call(position) for position in range(send.call_count)]
    assert [len(send.numbers_of(position)) for position in range(3)] == [500, 500, 203]
    assert {(call.request.method, call.request.path, call.request.may_repeat) for call in calls} == {
        ("POST", "/send", False)
    }
    bodies = [call.request.body or {} for call in calls]
    assert ",".join(body["phoneNumbers"] for body in bodies) == ",".join(NUMBERS)
    assert {(body["message"], body["tag"]) for body in bodies} == {("Hello", "spring")}
    assert set(bodies[0]) == {"phoneNumbers", "message", "tag"}


def test_own_texts_in_calls_of_500() -> None:
    send = Send.of([(number, f"Hello {n}") for n, number in enumerate(NUMBERS)], sender="Shop", **OPTIONS)

    bodies = [send.call(position).request.body or {} for position in range(send.call_count)]
    listed = [row for body in bodies for row in body["SMSList"]]
    assert [len(body["SMSList"]) for body in bodies] == [500, 500, 203]
    assert listed == [{"phoneNumber": each, "message": f"Hello {n}"} for n, each in enumerate(NUMBERS)]
    assert {body["sender"] for body in bodies} == {"Shop"}


def test_options_on_the_wire() -> None:
    at = datetime.now(PARIS).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=2)
    send = Send.of(NUMBERS[:1], "Hello", scheduled_at=at, stop_notice=True, unicode=True, sandbox=True)

    body = dict(send.call(0).request.body or {})
    assert body == {
        "phoneNumbers": NUMBERS[0],
        "message": "Hello",
        "scheduledDeliveryDate": f"{at:%d/%m/%Y}",
        "time": 9,
        "minute": 0,
        "isStopSms": 1,
        "isUnicode": 1,
        "sandbox": 1,
    }


@pytest.mark.parametrize(
    ("connection", "dag", "sandbox"),
    [
        (False, None, False),
        (False, True, True),
        (False, False, False),
        (True, None, True),
        (True, True, True),
        (True, False, True),
    ],
)
def test_no_dag_leaves_the_sandbox_of_its_connection(
    connection: bool, dag: bool | None, sandbox: bool
) -> None:
    send = Send.of(NUMBERS[:1], "Hello", sandbox=dag, always_sandbox=connection)

    assert send.options.sandbox is sandbox
    assert ("sandbox" in (send.call(0).request.body or {})) is sandbox


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2026-11-27T09:00:00+01:00", "2026-11-27T08:00:00+00:00"),
        ("2026-11-27T08:00:00Z", "2026-11-27T08:00:00+00:00"),
        ("2026-11-27T09:03+01:00", "2026-11-27T08:05:00+00:00"),
        ("2026-11-27T08:55:00.000001Z", "2026-11-27T09:00:00+00:00"),
        (datetime(2026, 11, 27, 9, 5, tzinfo=PARIS), "2026-11-27T08:05:00+00:00"),
        # Half an hour from UTC: its minutes are not those of Paris.
        ("2026-11-27T14:33:00+05:45", "2026-11-27T08:50:00+00:00"),
    ],
)
def test_a_schedule_is_the_next_step_of_five_minutes(given: str | datetime, sent: str) -> None:
    assert read_schedule(given).isoformat() == sent


def test_a_schedule_is_told_in_the_time_of_paris() -> None:
    in_summer = datetime((datetime.now(UTC).year + 1), 7, 14, 22, 30, tzinfo=UTC)

    body = Send.of(NUMBERS[:1], "Hello", scheduled_at=in_summer).call(0).request.body or {}

    assert (body["scheduledDeliveryDate"], body["time"], body["minute"]) == (f"15/07/{in_summer.year}", 0, 30)


BAD_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "tag with a space": ({"tag": "a b"}, "white space"),
    "long tag": ({"tag": "x" * 21}, "1 to 20"),
    "short sender": ({"sender": "ab"}, "`sender` must be 3 to 11 letters or digits"),
    "long sender": ({"sender": "x" * 12}, "it is 12 characters"),
    "sender with a space": ({"sender": "My Shop"}, "`sender`"),
    "sender with an accent": ({"sender": "Café"}, "`sender`"),
    "schedule without a zone": ({"scheduled_at": "2099-01-01T09:00:00"}, "no time zone"),
    "schedule that is none": ({"scheduled_at": "tomorrow"}, "not an ISO date and time"),
    "schedule of another kind": ({"scheduled_at": 5}, "not of type int"),
    "stop_notice as text": ({"stop_notice": "false"}, "`stop_notice` must be True or False"),
    "unicode as text": ({"unicode": "false"}, "`unicode` must be True or False"),
    "sandbox as text": ({"sandbox": "false"}, "`sandbox` must be True or False"),
    "message as number": ({"message": 5}, "`message` must be text"),
}


@pytest.mark.parametrize(("options", "fault"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=fault):
        Send.of(NUMBERS[:1], **{"message": "Hello", **options})


def test_a_fingerprint_tells_sends_apart_and_nothing_else() -> None:
    one = Send.of(NUMBERS[:2], "Hello", tag="spring")
    others = [
        Send.of(NUMBERS[:1], "Hello", tag="spring"),
        Send.of(NUMBERS[1::-1], "Hello", tag="spring"),
        Send.of(NUMBERS[:2], "Hallo", tag="spring"),
        Send.of(NUMBERS[:2], "Hello", tag="summer"),
        Send.of(NUMBERS[:2], "Hello", tag="spring", sandbox=True),
        Send.of([(number, "Hello") for number in NUMBERS[:2]], tag="spring"),
    ]

    again = Send.of(tuple(NUMBERS[:2]), "Hello", tag="spring")
    assert again.fingerprint("key") == one.fingerprint("key")
    assert len({each.fingerprint("key") for each in [one, *others]}) == len(others) + 1
    assert one.fingerprint("another key") != one.fingerprint("key")


def test_a_send_shows_neither_numbers_nor_texts() -> None:
    assert repr(Send.of(NUMBERS[:2], "Hello", tag="spring")).count("spring") == 1
    assert "9980" not in repr(Send.of(NUMBERS[:2], "Hello"))
    assert "Hello" not in repr(Send.of(NUMBERS[:2], "Hello"))
    assert "9980" not in repr(Send.of(NUMBERS[:2], "Hello").call(0))
