"""A send: its options, its calls, and what it is recognised by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest

from airflow_provider_smspartner._sending import send as send_module
from airflow_provider_smspartner._sending.options import read_schedule
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

pd = pytest.importorskip("pandas")

PARIS = ZoneInfo("Europe/Paris")
NUMBERS = [f"+3363998{n:04}" for n in range(1_003)]


def test_one_text_in_calls_of_500() -> None:
    send = Send.of(NUMBERS, "Hello", tag="spring", max_recipients=2_000)

    calls = [send.call(position) for position in range(send.call_count)]
    assert [len(send.numbers_of(position)) for position in range(3)] == [500, 500, 3]
    assert {(call.request.method, call.request.path, call.request.may_repeat) for call in calls} == {
        ("POST", "/bulk-send", False)
    }
    bodies = [call.request.body or {} for call in calls]
    listed = [row for body in bodies for row in body["SMSList"]]
    assert listed == [{"phoneNumber": number, "message": "Hello"} for number in NUMBERS]
    assert [{**body, "SMSList": 0} for body in bodies] == [{"SMSList": 0, "tag": "spring"}] * 3


def test_what_is_checked_is_what_was_asked_for() -> None:
    with pytest.raises(SMSPartnerInputError, match="more than 1000 recipients"):
        Send.of(NUMBERS, "Hello")
    with pytest.raises(SMSPartnerInputError, match="which are 11 SMS"):
        Send.of(NUMBERS[:1], "x" * 671, unicode=True)
    unicode = Send.of(NUMBERS[:2], "x" * 71, unicode=True)
    assert unicode.count_sms(0, refused=NUMBERS[:1]) == 2


def test_own_texts_in_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_module, "MAX_RECIPIENTS_PER_CALL", 2)
    send = Send.of([(number, f"Hello {n}") for n, number in enumerate(NUMBERS[:5])], sender="Shop")

    bodies = [send.call(position).request.body or {} for position in range(send.call_count)]
    listed = [row for body in bodies for row in body["SMSList"]]
    assert [len(body["SMSList"]) for body in bodies] == [2, 2, 1]
    assert listed == [{"phoneNumber": each, "message": f"Hello {n}"} for n, each in enumerate(NUMBERS[:5])]
    assert {body["sender"] for body in bodies} == {"Shop"}


def test_options_on_the_wire() -> None:
    at = datetime(2026, 7, 14, 22, 30, tzinfo=UTC)
    send = Send.of(NUMBERS[:1], "Hello", scheduled_at=at, stop_notice=True, unicode=True, sandbox=True)

    assert dict(send.call(0).request.body or {}) == {
        "SMSList": [{"phoneNumber": NUMBERS[0], "message": "Hello"}],
        "scheduledDeliveryDate": "15/07/2026",  # in the time of Paris
        "time": 0,
        "minute": 30,
        "isStopSms": 1,
        "isUnicode": 1,
        "sandbox": 1,
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2026-11-27T09:00:00+01:00", "2026-11-27T08:00:00+00:00"),
        (" 2026-11-27T08:00:01Z ", "2026-11-27T08:05:00+00:00"),
        ("2026-11-27T09:03+01:00", "2026-11-27T08:05:00+00:00"),
        ("2026-11-27T08:55:00.000001Z", "2026-11-27T09:00:00+00:00"),
        (datetime(2026, 11, 27, 9, 5, tzinfo=PARIS), "2026-11-27T08:05:00+00:00"),
        # Half an hour from UTC: its minutes are not those of Paris.
        ("2026-11-27T14:33:00+05:45", "2026-11-27T08:50:00+00:00"),
        # Of classes that do not calculate as `datetime` does.
        (pendulum.datetime(2026, 11, 27, 9, 3, tz="Europe/Paris"), "2026-11-27T08:05:00+00:00"),
        (pd.Timestamp("2026-11-27T09:03:30+01:00"), "2026-11-27T08:05:00+00:00"),
    ],
)
def test_a_schedule_is_the_next_step_of_five_minutes(given: str | datetime, sent: str) -> None:
    read = read_schedule(given)

    assert read.isoformat() == sent
    assert (type(read), read.tzinfo) == (datetime, UTC)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-10-25T02:30:00+02:00", "25/10/2026 02:30"),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=PARIS), "25/10/2026 02:30"),
        ("2026-10-25T01:58:00+02:00", "25/10/2026 02:00"),
        ("2026-10-25T01:55:00+02:00", None),
        ("2026-10-25T03:00:00+01:00", None),
        ("2026-03-29T02:30:00+01:00", None),
    ],
    ids=str,
)
def test_a_schedule_in_the_hour_that_comes_twice_is_warned_about(
    given: str | datetime, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    Send.of(NUMBERS[:1], "Hello", scheduled_at=given)

    assert len(caplog.messages) == (told is not None)
    assert f"SMS Partner is told {told}, which is also" in caplog.text or not told


BAD_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "long tag": ({"tag": "x" * 21}, "1 to 20"),
    "half a character in a tag": ({"tag": "al\udce9rt"}, "tag cannot be sent: character 3 "),
    "half a character in a sender": ({"sender": "Sh\udce9p"}, "`sender` must be"),
    "short sender": ({"sender": "ab"}, "`sender` must be 3 to 11 letters or digits"),
    "long sender": ({"sender": "x" * 12}, "it is 12 characters"),
    "sender that is no text": ({"sender": 12345}, "it is of type int"),
    "sender with an accent": ({"sender": "Café"}, "`sender`"),
    "schedule without a zone": ({"scheduled_at": "2099-01-01T09:00:00"}, "no time zone"),
    "schedule in words": ({"scheduled_at": "tomorrow"}, "not an ISO date and time"),
    "schedule beyond the calendar": ({"scheduled_at": "0001-01-01T00:00:00+14:00"}, "is too far away"),
    "schedule at its end": ({"scheduled_at": datetime.max.replace(tzinfo=UTC)}, "is too far away"),
    "schedule at its end in Paris": ({"scheduled_at": "9999-12-31T23:30:00+00:00"}, "is too far away"),
    "schedule that is missing in a table": ({"scheduled_at": pd.NaT}, "is not a time"),
    "schedule of another kind": ({"scheduled_at": 5}, "not of type int"),
    "stop_notice as text": ({"stop_notice": "false"}, "`stop_notice` must be True or False, not of type str"),
    "unicode as text": ({"unicode": "false"}, "`unicode` must be True or False"),
    "sandbox as text": ({"sandbox": "false"}, "`sandbox` must be True or False"),
    "message as number": ({"message": 5}, "`message` must be text, not of type int"),
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
        Send.of([(NUMBERS[0], "Hello"), (NUMBERS[1], "Hallo")], tag="spring"),
    ]

    again = Send.of(tuple(NUMBERS[:2]), "Hello", tag="spring")
    assert again.fingerprint("key") == one.fingerprint("key")
    assert len({each.fingerprint("key") for each in [one, *others]}) == len(others) + 1
    assert one.fingerprint("another key") != one.fingerprint("key")


def test_a_set_of_recipients_is_the_same_send_in_every_process() -> None:
    numbers, pairs = NUMBERS[:50], [(number, "Hello") for number in NUMBERS[:50]]

    for given in ({*numbers}, frozenset(numbers), {*pairs}, dict.fromkeys(numbers).keys()):
        assert Send.of(given, None if given == {*pairs} else "Hello").numbers == tuple(numbers)
    assert Send.of(dict.fromkeys(numbers[::-1]).keys(), "Hello").numbers == tuple(numbers[::-1])


def test_a_send_shows_neither_numbers_nor_texts() -> None:
    assert repr(Send.of(NUMBERS[:2], "Hello", tag="spring")).count("spring") == 1
    assert "9980" not in repr(Send.of(NUMBERS[:2], "Hello"))
    assert "Hello" not in repr(Send.of(NUMBERS[:2], "Hello"))
    assert "9980" not in repr(Send.of(NUMBERS[:2], "Hello").call(0))
