"""The sensor: its arguments, its polls and deferrals. How its modes end is in test_modes.py."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from environment import API_KEY
from harness import AIRFLOW_3, fire, new_context, stored

from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerDeliveryRateError,
    SMSPartnerError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
)
from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "spring"
MESSAGES = [("+33639980001", "1001"), ("+33639980002", "1002"), ("+33639980003", "1003")]


def sensor(**arguments: Any) -> SMSPartnerCampaignSensor:
    given = {"poke_interval": 0.02, "timeout": 30, "deferrable": True, **arguments}
    if "messages" not in given:
        given.setdefault("tag", TAG)
    return SMSPartnerCampaignSensor(task_id="await_campaign", **given)


def add(double: SMSPartnerDouble, *by_message: list[str], tag: str | None = TAG) -> None:
    for (phone_number, message_id), statuses in zip(MESSAGES, by_message, strict=False):
        double.add_message(phone_number, message_id, *statuses, tag=tag)


def defer(waiting: SMSPartnerCampaignSensor, context: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(context)
    return deferred.value


def resume(
    deferred: TaskDeferred, context: Any, event: dict[str, Any] | None = None, **arguments: Any
) -> Any:
    """Go on in a new worker, as Airflow does after the event."""
    event = event or fire(stored(deferred.trigger))
    return sensor(**arguments).resume_execution(
        deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context
    )


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "exactly one of `tag` and `messages`"),
        ({"tag": TAG, "messages": MESSAGES}, "exactly one of `tag` and `messages`"),
        ({"tag": TAG, "settled_ratio": 0}, "`settled_ratio` must be above 0"),
        ({"tag": TAG, "settled_ratio": 1.1}, "`settled_ratio` must be above 0"),
        ({"tag": TAG, "min_delivery_rate": 95}, "`min_delivery_rate` must be from 0 to 1"),
        (
            {"tag": TAG, "not_found_grace": timedelta(seconds=-1)},
            "`not_found_grace` must be a timedelta or a number",
        ),
    ],
)
def test_refuses_arguments_that_make_no_sense(arguments: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        SMSPartnerCampaignSensor(task_id="await_campaign", **arguments)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"tag": "two words"}, "tag must not contain white space"),
        ({"tag": "x" * 21}, "tag must be 1 to 20 characters"),
        ({"messages": [*MESSAGES, ("0612", 5)]}, r"messages\[3\]: phone_number is neither"),
        ({"messages": []}, "`messages` is empty"),
        ({"messages": "[('+33639980001', 1001)]"}, "a Jinja template renders to text"),
        ({"expected_total": "many"}, "`expected_total` must be a whole number"),
    ],
)
def test_refuses_rendered_arguments_before_anything_is_sent(
    double: SMSPartnerDouble, arguments: dict[str, Any], fault: str
) -> None:
    waiting = sensor(**dict.fromkeys(arguments, "{{ rendered later }}"))
    for name, value in arguments.items():
        setattr(waiting, name, value)

    with pytest.raises(ValueError, match=fault):
        waiting.execute(new_context())

    assert double.requests == []


def test_has_the_defaults_of_the_contract() -> None:
    plain = SMSPartnerCampaignSensor(task_id="await_campaign", tag=TAG)

    assert plain.settled_ratio == 1.0
    assert plain.expected_total is None
    assert plain.not_found_grace == timedelta(minutes=10)
    assert plain.min_delivery_rate is None
    assert plain.smspartner_conn_id == "smspartner_default"
    assert plain.deferrable is False
    assert (plain.output_path, plain.output_conn_id, plain.max_xcom_rows) == (None, None, 10_000)
    assert set(plain.template_fields) == {
        "tag",
        "messages",
        "expected_total",
        "output_path",
        "output_conn_id",
        "smspartner_conn_id",
    }


def test_links_to_the_account() -> None:
    (link,) = sensor().operator_extra_links

    assert isinstance(link, SMSPartnerAccountLink)
    assert link.get_link(sensor(), ti_key=None) == "https://my.smspartner.fr/"


def test_polls_before_it_defers(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"])
    context = new_context()

    rows = sensor().execute(context)

    assert [row["status"] for row in rows] == ["Delivered"]
    assert context["ti"].xcoms["summary"]["settled"] is True
    assert len(double.requests) == 1


def test_fetches_the_rows_anew_when_it_resumes(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Waiting", "Not delivered"])
    context = new_context()

    deferred = defer(sensor(), context)
    assert len(double.requests) == 1
    assert context["ti"].xcoms == {}

    rows = resume(deferred, context)

    assert [row["status"] for row in rows] == ["Delivered", "Not delivered"]
    assert context["ti"].xcoms["summary"]["total"] == 2


def test_watches_only_what_is_still_unsettled(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"], ["Waiting", "Delivered"], ["Teleported", "Delivered"], tag=None)

    trigger = defer(sensor(messages=MESSAGES, settled_ratio=1.0), new_context()).trigger

    assert trigger.messages == [list(MESSAGES[1]), list(MESSAGES[2])]
    assert trigger.settled == {"Delivered": 1}
    assert fire(stored(trigger))["counts"] == {"Delivered": 3}


def test_gives_a_row_for_each_message_once_and_in_order(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting", "Delivered"], ["Delivered"], ["Waiting", "KO"], tag=None)
    messages = [MESSAGES[2], MESSAGES[0], MESSAGES[2], MessageRef(*MESSAGES[1])]

    rows = sensor(messages=messages, deferrable=False).execute(new_context())

    assert [(row["message_id"], row["status"]) for row in rows] == [
        ("1003", "KO"),
        ("1001", "Delivered"),
        ("1002", "Delivered"),
    ]


def test_defers_again_if_the_rows_say_otherwise_than_the_event(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting"])
    context = new_context()
    first = defer(sensor(), context)

    with pytest.raises(TaskDeferred) as again:
        resume(first, context, {"verdict": "done", "counts": {"Delivered": 1}})

    assert again.value.trigger.goal == first.trigger.goal


def test_defers_again_if_the_rows_cannot_be_fetched_just_now(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in double.connection_env(requests_per_minute=0, max_attempts=1).items():
        monkeypatch.setenv(name, value)
    add(double, ["Waiting", "Delivered"])
    context = new_context()
    first = defer(sensor(), context)
    event = fire(stored(first.trigger))
    double.misbehave(Fault.status(503), times=1)

    with pytest.raises(TaskDeferred) as again:
        resume(first, context, event)

    assert [row["status"] for row in resume(again.value, context)] == ["Delivered"]


def test_keeps_its_deadline_where_airflow_loses_what_it_was_deferred_with(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting"])
    context = new_context()
    first = defer(sensor(), context)
    context["ti"].start_date -= timedelta(seconds=5)

    with pytest.raises(TaskDeferred) as again:
        sensor().execute_complete(context, event={"verdict": "done", "counts": {}})

    moved = again.value.trigger.goal["deadline"] - first.trigger.goal["deadline"]
    assert timedelta(seconds=-6) < moved < timedelta(seconds=-4)


def test_gives_airflow_a_later_deadline_than_the_triggers_own(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting"])

    deferred = defer(sensor(timeout=3600, poke_interval=600), new_context())

    assert deferred.trigger.goal["deadline"] + timedelta(minutes=15) < datetime.now(UTC) + deferred.timeout
    assert deferred.timeout < timedelta(seconds=3600 + 600, minutes=16)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"verdict": "timed_out", "counts": {"Waiting": 3}}, AirflowSensorTimeout),
        ({"verdict": "timed_out"}, AirflowSensorTimeout),
        ({"verdict": "not_found", "counts": {"Not found": 1}}, SMSPartnerNotFoundError),
        ({"verdict": "refused", "code": 10, "http_status": 200}, SMSPartnerCredentialsError),
        ({"verdict": "refused", "code": 90, "http_status": 400}, SMSPartnerRequestError),
    ],
)
def test_ends_without_retry_as_the_event_says(
    double: SMSPartnerDouble, event: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        sensor().execute_complete(new_context(), event=event)

    assert isinstance(raised.value, AirflowFailException | AirflowSensorTimeout)
    if isinstance(raised.value, SMSPartnerError):
        assert raised.value.code == event.get("code")
    assert double.requests == []


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "done",
        {"verdict": "success"},
        {"verdict": "wait", "counts": {}},
        {"verdict": "refused", "code": None, "http_status": 503},
        {"verdict": "timed_out", "counts": [1]},
        {"verdict": "timed_out", "counts": {"Lost": 1}},
    ],
)
@pytest.mark.parametrize("arguments", [{}, {"soft_fail": True}])
def test_fails_on_an_event_that_it_does_not_know(
    double: SMSPartnerDouble, event: Any, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="The trigger's event"):
        sensor(**arguments).resume_execution("execute_complete", {"event": event}, new_context())

    assert double.requests == []


def test_pushes_the_results_before_it_fails_for_a_low_delivery_rate(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"], ["Not delivered"], ["KO"])
    context = new_context()

    with pytest.raises(SMSPartnerDeliveryRateError, match=r"33\.33% of 3 messages .* less than the 90\.00%"):
        sensor(min_delivery_rate=0.9).execute(context)

    assert [row["status"] for row in context["ti"].xcoms["return_value"]] == [
        "Delivered",
        "Not delivered",
        "KO",
    ]
    assert context["ti"].xcoms["summary"]["delivery_rate"] == pytest.approx(1 / 3)


def test_pushes_nothing_where_no_xcom_is_wanted(double: SMSPartnerDouble) -> None:
    add(double, ["Not delivered"])
    context = new_context()

    with pytest.raises(SMSPartnerDeliveryRateError):
        sensor(min_delivery_rate=0.9, do_xcom_push=False).execute(context)

    assert context["ti"].xcoms == {}


def test_a_skip_says_what_happened(double: SMSPartnerDouble) -> None:
    double.misbehave(Fault.error(10), times=None)

    with pytest.raises(AirflowSkipException, match="refuses the credentials: the API key is wrong"):
        sensor(soft_fail=True).execute(new_context())


@pytest.mark.parametrize("deferrable", [True, False])
def test_never_fail_skips_whatever_happens(double: SMSPartnerDouble, deferrable: bool) -> None:
    waiting = sensor(never_fail=True, deferrable=deferrable)
    waiting.tag = "two words"

    with pytest.raises(AirflowSkipException):
        waiting.execute(new_context())


def test_a_timeout_names_the_last_trouble(double: SMSPartnerDouble) -> None:
    double.misbehave(Fault.status(503), times=None)

    with pytest.raises(AirflowSensorTimeout, match=r"HTTP 503.*timed out after 0:00:00"):
        sensor(timeout=0).execute(new_context())


@pytest.mark.parametrize("deferrable", [True, False])
def test_waits_progressively(double: SMSPartnerDouble, deferrable: bool) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"])
    arguments = {"exponential_backoff": True, "max_wait": 0.1, "deferrable": deferrable}
    context = new_context()

    if deferrable:
        resume(defer(sensor(**arguments), context), context, **arguments)
    else:
        sensor(**arguments).execute(context)

    first, second, third = [request.at for request in double.requests][:3]
    assert 0.1 <= second - first < 1
    assert 0.1 <= third - second < 1


def test_logs_one_line_a_poll(double: SMSPartnerDouble, campaign_lines: Callable[[], list[str]]) -> None:
    add(double, ["Waiting", "Delivered"], ["Delivered"], tag=None)

    sensor(messages=MESSAGES[:2], deferrable=False).execute(new_context())

    first, second = campaign_lines()
    assert re.fullmatch(
        r"Campaign of 2 messages: next poll in 0 s, at \d\d:\d\d:\d\d UTC; "
        r"1 of 2 settled \(50\.0%\): Delivered 1, Waiting 1\.",
        first,
    )
    assert second == "Campaign of 2 messages: 2 of 2 settled (100.0%): Delivered 2; done."


def test_warns_of_statuses_that_it_does_not_know(
    double: SMSPartnerDouble, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    add(double, ["Teleported"], ["Delivered"])
    caplog.set_level(logging.WARNING)

    first, _ = sensor().execute(new_context())

    assert (first["status"], first["raw_status"]) == ("Unknown", "Teleported")
    assert "1 messages have a status that this version does not know" in capfd.readouterr().out + caplog.text


def test_what_is_stored_and_sent_holds_no_key(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting", "Delivered"])

    deferred = defer(sensor(), new_context())

    assert API_KEY not in repr(
        (deferred.trigger.serialize(), deferred.kwargs, fire(stored(deferred.trigger)))
    )


def finish(context: Any, **arguments: Any) -> Any:
    """Wait to the end, in whatever mode."""
    try:
        return sensor(**arguments).execute(context)
    except TaskDeferred as deferred:
        return resume(deferred, context, **arguments)


BOTH = pytest.mark.parametrize("deferrable", [True, False])


@BOTH
def test_times_out_where_all_messages_are_final_but_more_were_expected(
    double: SMSPartnerDouble, deferrable: bool
) -> None:
    add(double, ["Delivered"], ["KO"], tag=None)

    with pytest.raises(AirflowSensorTimeout, match="2 of 2 settled"):
        finish(new_context(), messages=MESSAGES[:2], expected_total=3, timeout=0.3, deferrable=deferrable)

    assert len(double.requests) == 1


@BOTH
@pytest.mark.parametrize("by_list", [True, False])
def test_lets_rows_land_in_a_file_once_it_is_done(
    double: SMSPartnerDouble, tmp_path: Path, deferrable: bool, by_list: bool
) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Delivered"], tag=None if by_list else TAG)
    path, context = tmp_path / "rows.ndjson", new_context()
    watched = {"messages": MESSAGES[:2]} if by_list else {"tag": TAG}

    landed = finish(context, **watched, output_path=str(path), max_xcom_rows=1, deferrable=deferrable)

    assert landed == {"path": str(path), "rows": 2, "format": "ndjson"}
    assert [json.loads(line)["status"] for line in path.read_text().splitlines()] == ["Delivered"] * 2
    assert context["ti"].xcoms["summary"]["total"] == 2


def test_lands_nothing_while_the_rows_say_otherwise_than_the_event(
    double: SMSPartnerDouble, tmp_path: Path
) -> None:
    add(double, ["Waiting"])
    arguments = {"output_path": str(tmp_path / "rows.ndjson")}
    context = new_context()
    first = defer(sensor(**arguments), context)

    with pytest.raises(TaskDeferred):
        resume(first, context, {"verdict": "done", "counts": {"Delivered": 1}}, **arguments)

    assert list(tmp_path.iterdir()) == []


def test_asks_no_more_for_what_was_final_when_it_did_not_land(
    double: SMSPartnerDouble, tmp_path: Path
) -> None:
    add(double, ["Waiting"], ["Delivered"], tag=None)
    arguments = {"messages": MESSAGES[:2], "output_path": str(tmp_path / "rows.ndjson")}
    context = new_context()
    first = defer(sensor(**arguments), context)

    with pytest.raises(TaskDeferred) as again:
        resume(first, context, {"verdict": "done", "counts": {"Delivered": 2}}, **arguments)

    assert again.value.trigger.messages == [list(MESSAGES[0])]
    assert again.value.trigger.settled == {"Delivered": 1}


def test_pushes_where_the_rows_are_before_it_fails_for_a_low_delivery_rate(
    double: SMSPartnerDouble, tmp_path: Path
) -> None:
    add(double, ["Delivered"], ["KO"])
    context = new_context()

    with pytest.raises(SMSPartnerDeliveryRateError):
        sensor(min_delivery_rate=0.9, output_path=str(tmp_path / "rows.csv")).execute(context)

    assert context["ti"].xcoms["return_value"]["rows"] == 2


@BOTH
@pytest.mark.parametrize(("flag", "error"), [({}, ValueError), ({"never_fail": True}, AirflowSkipException)])
def test_tells_that_a_file_cannot_be_written_before_it_waits(
    double: SMSPartnerDouble, deferrable: bool, flag: dict[str, bool], error: type[Exception]
) -> None:
    waiting = sensor(deferrable=deferrable, **flag)
    waiting.output_path = "rows.xlsx"

    with pytest.raises(error):
        waiting.execute(new_context())

    assert double.requests == []


@BOTH
def test_refuses_more_rows_than_xcom_is_meant_for_on_its_first_poll(
    double: SMSPartnerDouble, deferrable: bool
) -> None:
    add(double, ["Waiting"], ["Waiting"])

    with pytest.raises(ValueError, match="2 rows are more than `max_xcom_rows`, 1"):
        sensor(max_xcom_rows=1, deferrable=deferrable).execute(new_context())
    with pytest.raises(ValueError, match="3 rows are more than `max_xcom_rows`, 1"):
        sensor(messages=MESSAGES, max_xcom_rows=1, deferrable=deferrable).execute(new_context())

    assert len(double.requests) == 1


@BOTH
def test_waits_for_messages_in_a_file(
    double: SMSPartnerDouble, tmp_path: Path, deferrable: bool, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Waiting", "KO"], ["Delivered"], tag=None)
    path = tmp_path / "messages.ndjson"
    path.write_text("".join(json.dumps({"phone_number": p, "message_id": m}) + "\n" for p, m in MESSAGES))

    rows = finish(new_context(), messages=str(path), deferrable=deferrable)

    assert [(row["message_id"], row["status"]) for row in rows] == [
        ("1001", "Delivered"),
        ("1002", "KO"),
        ("1003", "Delivered"),
    ]


def test_the_trigger_carries_the_path_of_a_file_and_not_its_messages(
    double: SMSPartnerDouble, tmp_path: Path
) -> None:
    add(double, ["Waiting", "Delivered"], ["Delivered"], tag=None)
    path = tmp_path / "messages.csv"
    path.write_text("phone_number,message_id\n" + "".join(f"{p},{m}\n" for p, m in MESSAGES[:2]))

    trigger = defer(sensor(messages=str(path)), new_context()).trigger

    assert (trigger.messages, trigger.settled) == (str(path), {})
    assert fire(stored(trigger)) == {"verdict": "done", "counts": {"Delivered": 2}}


def file_of(path: Path, messages: Iterable[tuple[str, str]]) -> str:
    path.write_text("phone_number,message_id\n" + "".join(f"{p},{m}\n" for p, m in messages))
    return str(path)


def asked(double: SMSPartnerDouble) -> list[list[int]]:
    return [[pair["messageId"] for pair in request.body["SMSStatut_List"]] for request in double.requests]


def test_asks_only_for_what_is_unsettled_of_a_file_and_lands_all_of_it(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Waiting", "KO"], ["Delivered"], tag=None)
    path, rows = file_of(tmp_path / "messages.csv", [*MESSAGES, MESSAGES[1]]), tmp_path / "rows.ndjson"

    landed = sensor(messages=path, output_path=str(rows), deferrable=False).execute(new_context())

    assert landed["rows"] == 3
    assert [json.loads(line)["status"] for line in rows.read_text().splitlines()] == [
        "Delivered",
        "KO",
        "Delivered",
    ]
    assert asked(double) == [[1001, 1002, 1003], [1001, 1002], [1001], [1001, 1002, 1003]]
    assert len(backlogs) == 2


def test_a_resumed_task_reads_a_file_once_and_lands_all_of_it(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting", "Delivered"], ["KO"], tag=None)
    arguments = {
        "messages": file_of(tmp_path / "messages.csv", MESSAGES[:2]),
        "output_path": f"{tmp_path}/rows.csv",
    }
    context = new_context()

    landed = resume(defer(sensor(**arguments), context), context, **arguments)

    assert landed["rows"] == 2
    assert asked(double) == [[1001, 1002]] * 3
    assert len(backlogs) == 3  # of the first task, the trigger and the second task


@BOTH
def test_lets_go_of_the_messages_of_a_file_when_it_fails(
    double: SMSPartnerDouble, tmp_path: Path, deferrable: bool, backlogs: list[PendingOnDisk]
) -> None:
    path = file_of(tmp_path / "messages.csv", MESSAGES)
    double.misbehave(Fault.error(10), times=None)

    with pytest.raises(SMSPartnerCredentialsError):
        sensor(messages=path, deferrable=deferrable).execute(new_context())


@pytest.mark.skipif(not AIRFLOW_3, reason="there a rescheduling sensor asks the metadata database")
def test_lets_go_of_the_messages_of_a_file_when_it_is_rescheduled(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting"], tag=None)
    path = file_of(tmp_path / "messages.csv", MESSAGES[:1])

    with pytest.raises(AirflowRescheduleException):
        sensor(messages=path, deferrable=False, mode="reschedule").execute(new_context())


@BOTH
def test_refuses_too_long_or_empty_a_file_before_anything_is_sent(
    double: SMSPartnerDouble, tmp_path: Path, deferrable: bool, backlogs: list[PendingOnDisk]
) -> None:
    long = file_of(tmp_path / "long.csv", [*MESSAGES, *MESSAGES])
    empty = file_of(tmp_path / "empty.csv", [])

    with pytest.raises(ValueError, match="3 rows are more than `max_xcom_rows`, 2"):
        sensor(messages=long, max_xcom_rows=2, deferrable=deferrable).execute(new_context())
    with pytest.raises(ValueError, match="`messages` is empty"):
        sensor(messages=empty, deferrable=deferrable).execute(new_context())

    assert double.requests == []


def test_says_how_many_messages_of_a_file_were_waited_for_in_vain(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    path = file_of(tmp_path / "messages.csv", MESSAGES)

    with pytest.raises(AirflowSensorTimeout, match="Campaign of 3 messages: 1 of 3 settled"):
        sensor(messages=path).execute_complete(
            new_context(), event={"verdict": "timed_out", "counts": {"Waiting": 2, "Delivered": 1}}
        )


@pytest.mark.skipif(not AIRFLOW_3, reason="there a rescheduling sensor asks the metadata database")
@pytest.mark.parametrize("written", [datetime.isoformat, lambda date: date], ids=["text", "date"])
@pytest.mark.parametrize(("ago", "end"), [(5, AirflowRescheduleException), (60, AirflowSensorTimeout)])
def test_a_rescheduled_wait_began_at_its_first_poll(
    double: SMSPartnerDouble,
    monkeypatch: pytest.MonkeyPatch,
    written: Callable[[datetime], object],
    ago: int,
    end: type[Exception],
) -> None:
    add(double, ["Waiting"])
    context = new_context()
    first = written(datetime.now(UTC) - timedelta(seconds=ago))
    monkeypatch.setattr(context["ti"], "get_first_reschedule_date", lambda _: first)

    with pytest.raises(end):
        sensor(deferrable=False, mode="reschedule").execute(context)
