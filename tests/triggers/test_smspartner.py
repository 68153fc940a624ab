"""The trigger, run on a real event loop against the double."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign_triggers import campaign_trigger
from campaign_triggers import fire as fire_all
from certificates import issue
from clocks import FakeClock
from environment import API_KEY
from harness import fire, new_context, stored
from sensors.waits import sensor
from waits_for import LIMIT

from airflow_provider_smspartner import models
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner._waiting.report import PollReport
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

TAG = "spring"
MESSAGES = [["+33639980001", "1001"], ["+33639980002", "1002"], ["+33639980003", "1003"]]


def trigger(*, tag: str | None = TAG, messages: Any = None, **arguments: Any) -> SMSPartnerCampaignTrigger:
    given = {"poke_interval": 0.02, **arguments}
    return campaign_trigger(tag=None if messages else tag, messages=messages, **given)


def add(double: SMSPartnerDouble, *by_message: list[str], tag: str | None = TAG) -> None:
    for (phone_number, message_id), statuses in zip(MESSAGES, by_message, strict=False):
        double.add_message(phone_number, message_id, *statuses, tag=tag)


def connect(monkeypatch: pytest.MonkeyPatch, double: SMSPartnerDouble, **extra: Any) -> None:
    for name, value in double.connection_env(requests_per_minute=0, **extra).items():
        monkeypatch.setenv(name, value)


def asked(double: SMSPartnerDouble) -> list[list[int]]:
    return [[pair["messageId"] for pair in request.body["SMSStatut_List"]] for request in double.requests]


def file_of(path: Path, messages: Iterable[Iterable[str]]) -> str:
    path.write_text("phone_number,message_id\n" + "".join(f"{p},{m}\n" for p, m in messages))
    return str(path)


def numbered(count: int) -> list[tuple[str, str]]:
    return [(f"+336399{number:05}", str(number)) for number in range(count)]


@pytest.fixture
def clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    monkeypatch.setattr(SMSPartnerCampaignTrigger, "_clock", staticmethod(clock.now))
    return clock


def test_fires_a_verdict_and_counts_once_a_tag_has_settled(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Waiting", "Not delivered"])

    assert fire(stored(trigger())) == {"verdict": "done", "counts": {"Delivered": 1, "Not delivered": 1}}
    assert len(double.requests) == 3


def test_takes_stored_messages_as_they_are(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    def normalised(text: str) -> str:
        raise AssertionError("the library of phone numbers would be loaded on the event loop")

    double.add_message("+8613912345678", "1001", "Delivered")
    monkeypatch.setattr(models, "normalised", normalised)

    event = fire(stored(trigger(messages=[["+8613912345678", "1001"]])))

    assert event == {"verdict": "done", "counts": {"Delivered": 1}}


@pytest.mark.parametrize("kind", ["list", "file"])
def test_asks_only_for_what_is_still_unsettled(
    double: SMSPartnerDouble, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Waiting", "Delivered"], ["Delivered"], tag=None)
    messages: Any = MESSAGES
    if kind == "file":
        backlogs = request.getfixturevalue("backlogs")
        messages = file_of(tmp_path / "messages.csv", [*MESSAGES, MESSAGES[0]])

    assert fire(stored(trigger(messages=messages))) == {"verdict": "done", "counts": {"Delivered": 3}}

    assert asked(double) == [[1001, 1002, 1003], [1001, 1002], [1001]]
    assert kind == "list" or len(backlogs) == 1


@pytest.mark.parametrize(
    ("statuses", "times", "event"),
    [
        (["Waiting"], {"timeout": 60}, {"verdict": "timed_out", "counts": {"Waiting": 1}}),
        ([], {"grace": 60, "timeout": 600}, {"verdict": "not_found", "counts": {}}),
    ],
    ids=["deadline", "grace"],
)
def test_fires_when_its_time_or_the_grace_for_an_unknown_tag_is_over(
    *, double: SMSPartnerDouble, clock: FakeClock, statuses: list[str], times: dict[str, Any], event: Any
) -> None:
    if statuses:
        add(double, statuses)

    async def time_passes(request: Any, proceed: Any, _: Any) -> Any:
        clock.advance(25)
        return proceed(request)

    double.misbehave(Fault("time passes", time_passes), times=None)

    assert fire(stored(trigger(**times))) == event
    assert len(double.requests) == 3


def test_a_restarted_trigger_keeps_its_deadline(double: SMSPartnerDouble, clock: FakeClock) -> None:
    add(double, ["Waiting"])
    first = trigger(timeout=60)

    asyncio.run(stop_after_a_poll(first))
    clock.advance(61)

    # Set anew, the deadline would be as far away as at first.
    assert fire(stored(first))["verdict"] == "timed_out"


@pytest.mark.parametrize(("kind", "code"), [("tag", 10), ("tag", 90), ("file", 10), ("file", 90)])
def test_a_refusal_ends_the_wait_at_once_and_lets_go_of_a_file(
    double: SMSPartnerDouble, tmp_path: Path, kind: str, code: int, request: pytest.FixtureRequest
) -> None:
    double.misbehave(Fault.error(code), times=None)
    messages = None
    if kind == "file":
        request.getfixturevalue("backlogs")
        messages = file_of(tmp_path / "messages.csv", MESSAGES)

    assert fire(stored(trigger(messages=messages))) == {
        "verdict": "refused",
        "code": code,
        "http_status": 200,
    }
    assert len(double.requests) == 1


@pytest.mark.parametrize(
    "fault", [Fault.status(503), Fault.reset(), Fault.fake_success()], ids=lambda each: each.name
)
def test_passing_trouble_does_not_end_the_wait(
    double: SMSPartnerDouble, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, double, max_attempts=1)
    add(double, ["Delivered"])
    double.misbehave(fault, times=5)

    assert fire(stored(trigger()))["verdict"] == "done"
    assert len(double.requests) == 6


def test_a_call_of_a_long_list_that_is_not_found_leaves_the_others(double: SMSPartnerDouble) -> None:
    for message in numbered(700):
        double.add_message(*message, "Delivered")
    double.misbehave(Fault.error(4), times=1)

    event = fire(trigger(messages=numbered(700), grace=0))

    assert event["verdict"] == "not_found"
    assert event["counts"] in ({"Not found": 500, "Delivered": 200}, {"Not found": 200, "Delivered": 500})


def test_many_triggers_keep_to_the_sockets_of_their_connection(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, double, max_connections=2)
    for number, message in enumerate(numbered(30)):
        double.add_message(*message, "Waiting", "Delivered", tag=f"tag{number}")

    async def all_of_them() -> list[dict[str, Any]]:
        return await fire_all(*(trigger(tag=f"tag{number}") for number in range(30)))

    assert asyncio.run(all_of_them()) == [{"verdict": "done", "counts": {"Delivered": 1}}] * 30
    assert double.max_in_flight <= 2
    assert len({request.peer_port for request in double.requests}) <= 2


async def stop_after_a_poll(watching: SMSPartnerCampaignTrigger) -> None:
    polled = asyncio.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PollReport, "log_to", lambda *_: polled.set())
        run = asyncio.ensure_future(anext(watching.run()))
        await asyncio.wait_for(polled.wait(), LIMIT)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run


def test_logs_one_line_a_poll(double: SMSPartnerDouble, campaign_lines: Callable[[], list[str]]) -> None:
    add(double, ["Waiting", "Delivered"])

    fire(trigger())

    poll, last = campaign_lines()
    assert re.fullmatch(
        r"Campaign 'spring': next poll in 0 s, at \S+ UTC; 0 of 1 settled .*: Waiting 1\.", poll
    )
    assert last == "Campaign 'spring': 1 of 1 settled (100.0%): Delivered 1; done."


def test_neither_its_repr_nor_its_event_holds_what_is_secret(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"], ["Delivered"], ["Delivered"], tag=None)
    watching = trigger(messages=MESSAGES)

    shown = repr(watching) + str(watching) + json.dumps(fire(watching))

    assert "messages=3" in shown
    assert "3363998" not in shown
    assert API_KEY not in repr(watching.serialize())


def test_a_reading_of_a_long_file_that_is_broken_off_settles_nothing(
    double: SMSPartnerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backlogs: list[PendingOnDisk]
) -> None:
    connect(monkeypatch, double, max_connections=1, max_attempts=1)
    messages = numbered(1_700)
    for number, message in enumerate(messages):
        double.add_message(*message, *["Waiting"] * (number >= 1_650), "Delivered")
    unavailable = Fault.status(503)

    async def fail_the_last(request: Any, proceed: Any, transport: Any) -> Any:
        if len(request.body["SMSStatut_List"]) < 500:
            return await unavailable.apply(request, proceed, transport)
        return proceed(request)

    double.misbehave(Fault("the last call fails", fail_the_last), times=4)

    event = fire(trigger(messages=file_of(tmp_path / "messages.csv", messages)))

    assert event == {"verdict": "done", "counts": {"Delivered": 1_700}}
    assert [(len(ids), ids[0]) for ids in asked(double)] == [
        *[(500, 0), (500, 500), (500, 1_000), (200, 1_500)] * 2,
        (50, 1_650),
    ]


def test_a_bad_file_is_reported_before_anything_is_sent(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    path = file_of(tmp_path / "messages.csv", [*MESSAGES, ("+3369876543x", "7")])

    event = fire(trigger(messages=path))

    assert (event["verdict"], event["is_bad_input"], double.requests) == ("failed", True, [])
    assert "messages.csv, line 5: phone_number is neither" in event["error"]
    with pytest.raises(SMSPartnerInputError, match=re.escape(event["error"])):
        sensor(tag="spring").execute_complete(new_context(), event=event)


@pytest.mark.parametrize("trouble", [OSError("s3cr3t"), RuntimeError("s3cr3t"), SMSPartnerInputError("half")])
def test_a_file_that_cannot_be_read_for_now_does_not_end_the_wait(
    double: SMSPartnerDouble,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
    campaign_lines: Callable[[], list[str]],
) -> None:
    add(double, ["Delivered"], tag=None)
    failures, read = [trouble] * 2, MessageFile.__iter__

    def sometimes(source: MessageFile) -> Iterator[MessageRef]:
        if failures:
            raise failures.pop()
        return read(source)

    monkeypatch.setattr(MessageFile, "__iter__", sometimes)

    path = file_of(tmp_path / "messages.csv", MESSAGES[:1])
    assert fire(trigger(messages=path)) == {"verdict": "done", "counts": {"Delivered": 1}}

    lines = campaign_lines()
    assert sum("cannot be read in the triggerer for now" in line for line in lines) == 2
    assert not [line for line in lines if "s3cr3t" in line]


def test_a_file_that_is_not_there_is_waited_for_until_the_deadline(double: SMSPartnerDouble) -> None:
    assert fire(trigger(messages="/nowhere/messages.csv", timeout=0.1)) == {"verdict": "timed_out"}


def test_authorities_that_cannot_be_used_for_now_do_not_end_the_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = issue(tmp_path)
    bundle = tmp_path / "authorities.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with SMSPartnerDouble(ssl_context=certificate.server) as double:
        connect(monkeypatch, double)
        add(double, ["Delivered"])

        async def mend() -> list[dict[str, Any]]:
            firing = asyncio.ensure_future(fire_all(trigger(), trigger(messages=MESSAGES[:1])))
            await asyncio.sleep(0.1)
            bundle.write_bytes(certificate.authority.read_bytes())
            return await firing

        assert asyncio.run(mend()) == [{"verdict": "done", "counts": {"Delivered": 1}}] * 2


def test_whatever_is_raised_inside_ends_with_an_event(
    double: SMSPartnerDouble,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise LookupError(MESSAGES[0][0])

    add(double, ["Delivered"])
    monkeypatch.setattr(Wait, "conclude", fail)

    event = fire(trigger())

    assert event["verdict"] == "failed"
    with pytest.raises(
        SMSPartnerError, match="The trigger failed with LookupError; the log of the triggerer"
    ):
        sensor(tag="spring").execute_complete(new_context(), event=event)
    told = "".join([caplog.text, *capfd.readouterr()])
    assert "in fail" in told
    assert "33639980001" not in told


def test_a_trigger_that_is_cancelled_between_polls_lets_go_of_its_file(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting"], tag=None)
    watching = trigger(messages=file_of(tmp_path / "messages.csv", MESSAGES[:1]), poke_interval=60)

    asyncio.run(stop_after_a_poll(watching))

    assert len(double.requests) == 1


def test_a_trigger_that_is_cancelled_while_it_loads_neither_waits_nor_leaves_anything(
    double: SMSPartnerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backlogs: list[PendingOnDisk]
) -> None:
    begun, go_on, read = threading.Event(), threading.Event(), []

    def slowly(source: MessageFile) -> Iterator[MessageRef]:
        for number in range(10):
            read.append(number)
            begun.set()
            go_on.wait(LIMIT)
            yield MessageRef(f"+3363998000{number}", number)

    monkeypatch.setattr(MessageFile, "__iter__", slowly)
    watching = trigger(messages=str(tmp_path / "messages.csv"))

    async def stop_midway() -> None:
        run = asyncio.ensure_future(anext(watching.run()))
        assert await asyncio.to_thread(begun.wait, LIMIT)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run, LIMIT)
        go_on.set()

    asyncio.run(stop_midway())  # waits for its threads

    assert read == [0]
    assert double.requests == []
