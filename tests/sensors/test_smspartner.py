"""The sensor: its arguments, its polls and deferrals. How its modes end is in test_modes.py."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
from sensors.waits import BOTH, MESSAGES, TAG, add, defer, finish, resume, sensor

from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerDeliveryRateError,
    SMSPartnerError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
)
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


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
        "phone_numbers",
        "pseudonym_conn_id",
        "smspartner_conn_id",
    }


def test_polls_before_it_defers(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"])
    context = new_context()

    rows = sensor().execute(context)

    assert [row["status"] for row in rows] == ["Delivered"]
    assert context["ti"].xcoms["summary"]["settled"] is True
    assert len(double.requests) == 1


def test_a_poll_outside_of_a_task_leaves_no_connection_open(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting", "Delivered"])
    waiting = sensor(deferrable=False)

    polls = [bool(waiting.poke(new_context())) for _ in range(2)]

    assert polls == [False, True]
    # Each on a connection of its own: the one before was closed.
    assert len({request.peer_port for request in double.requests}) == 2


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
    arguments: dict[str, Any] = {
        "exponential_backoff": True,
        # Without the most, the first pause would be half of this or more.
        "poke_interval": 60,
        "max_wait": 0.1,
        "timeout": 600,
        "deferrable": deferrable,
    }
    context = new_context()

    if deferrable:
        resume(defer(sensor(**arguments), context), context, **arguments)
    else:
        sensor(**arguments).execute(context)

    first, second, third = [request.at for request in double.requests][:3]
    assert 0.1 <= second - first < 15
    assert 0.1 <= third - second < 15


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


@BOTH
def test_times_out_where_all_messages_are_final_but_more_were_expected(
    double: SMSPartnerDouble, deferrable: bool
) -> None:
    add(double, ["Delivered"], ["KO"], tag=None)

    with pytest.raises(AirflowSensorTimeout, match="2 of 2 settled"):
        finish(new_context(), messages=MESSAGES[:2], expected_total=3, timeout=0.3, deferrable=deferrable)

    assert len(double.requests) == 1


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


def test_a_poll_just_before_the_deadline_is_followed_by_the_one_at_the_deadline(
    double: SMSPartnerDouble,
) -> None:
    class Slow(SMSPartnerCampaignSensor):
        """Is at its deadline by the time Airflow's own loop looks at the clock."""

        def poke(self, context: Any) -> Any:
            done = super().poke(context)
            time.sleep(max(0.0, began + timeout + 0.1 - time.monotonic()))
            return done

    add(double, ["Waiting"], ["Delivered"])
    # The first poll is to be answered in that time.
    timeout = 3
    slow = Slow(task_id="await_campaign", tag=TAG, poke_interval=0.02, timeout=timeout, deferrable=False)
    context, began = new_context(), time.monotonic()

    with pytest.raises(AirflowSensorTimeout, match="1 of 2 settled"):
        slow.execute(context)

    assert len(double.requests) == 2
    assert slow.timeout == timeout
