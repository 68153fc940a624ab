"""The sensor: its arguments, its polls and deferrals. How its modes end is in test_modes.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from clocks import FakeClock
from environment import API_KEY
from harness import AIRFLOW_3, fire, new_context, stored
from killing import killed, slowly
from sensors.waits import BOTH, MESSAGES, TAG, add, defer, finish, resume, sensor

from airflow_provider_smspartner._waiting import wait
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

ON_AIRFLOW_3 = pytest.mark.skipif(
    not AIRFLOW_3, reason="there a rescheduling sensor asks the metadata database"
)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "exactly one of `tag` and `messages`"),
        ({"tag": TAG, "messages": MESSAGES}, "exactly one of `tag` and `messages`"),
        ({"tag": TAG, "settled_ratio": 0}, "`settled_ratio` must be above 0"),
        ({"tag": TAG, "min_delivery_rate": 95}, "`min_delivery_rate` must be from 0 to 1"),
        ({"tag": TAG, "not_found_grace": timedelta(-1)}, "`not_found_grace` must be a timedelta or a number"),
    ],
)
def test_refuses_arguments_that_make_no_sense(arguments: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        SMSPartnerCampaignSensor(task_id="await_campaign", **arguments)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("tag", "two words", "tag must not contain white space"),
        ("messages", [*MESSAGES, ("0612", 5)], r"messages\[3\]: phone_number is neither"),
        ("messages", [], "`messages` is empty"),
        ("messages", "[('+33639980001', 1001)]", "a Jinja template renders to text"),
        ("expected_total", "many", "`expected_total` must be a whole number"),
    ],
)
def test_refuses_rendered_arguments_before_anything_is_sent(
    double: SMSPartnerDouble, name: str, value: object, fault: str
) -> None:
    waiting = sensor(**{name: "{{ rendered later }}"})
    setattr(waiting, name, value)

    with pytest.raises(ValueError, match=fault):
        waiting.execute(new_context())

    assert double.requests == []


def test_a_poll_outside_of_a_task_leaves_no_connection_open(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting", "Delivered"])
    waiting = sensor(deferrable=False)

    assert [bool(waiting.poke(new_context())) for _ in range(2)] == [False, True]
    # Each on a connection of its own: the one before was closed.
    assert len({request.peer_port for request in double.requests}) == 2


def test_polls_before_it_defers_and_fetches_the_rows_anew_when_it_resumes(double: SMSPartnerDouble) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Waiting", "Not delivered"])
    context = new_context()

    deferred = defer(sensor(), context)
    assert len(double.requests) == 1
    assert context["ti"].xcoms == {}
    assert API_KEY not in repr((deferred.trigger.serialize(), deferred.kwargs))

    rows = resume(deferred, context)
    assert [row["status"] for row in rows] == ["Delivered", "Not delivered"]
    assert context["ti"].xcoms["summary"]["total"] == 2


def test_watches_only_what_is_still_unsettled(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"], ["Waiting", "Delivered"], ["Teleported", "Delivered"], tag=None)

    trigger = defer(sensor(messages=MESSAGES), new_context()).trigger

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


def test_keeps_its_deadline_where_airflow_loses_what_it_was_deferred_with(
    double: SMSPartnerDouble, clock: FakeClock
) -> None:
    add(double, ["Waiting"])
    context = new_context()
    first = defer(sensor(), context)
    context["ti"].start_date = clock.now() - timedelta(seconds=5)

    with pytest.raises(TaskDeferred) as again:
        sensor().execute_complete(context, event={"verdict": "done", "counts": {}})

    assert first.trigger.goal["deadline"] - again.value.trigger.goal["deadline"] == timedelta(seconds=5)


def test_gives_airflow_a_later_deadline_than_the_triggers_own(
    double: SMSPartnerDouble, clock: FakeClock
) -> None:
    add(double, ["Waiting"])

    deferred = defer(sensor(timeout=3600, poke_interval=600), new_context())

    assert deferred.trigger.goal["deadline"] == clock.now() + timedelta(seconds=3600)
    assert timedelta(seconds=3600, minutes=15) < deferred.timeout < timedelta(seconds=3600 + 600, minutes=16)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"verdict": "timed_out", "counts": {"Waiting": 3}}, AirflowSensorTimeout),
        ({"verdict": "timed_out"}, AirflowSensorTimeout),
        ({"verdict": "not_found", "counts": {"Not found": 1}}, SMSPartnerNotFoundError),
        ({"verdict": "refused", "code": 10, "http_status": 200}, SMSPartnerCredentialsError),
        ({"verdict": "refused", "code": 90, "http_status": 400}, SMSPartnerRequestError),
        ({"verdict": "success"}, ValueError),
        (None, ValueError),
    ],
)
def test_ends_as_the_event_says(
    double: SMSPartnerDouble, event: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match="The trigger's event" if error is ValueError else None) as raised:
        sensor().execute_complete(new_context(), event=event)

    if error is not ValueError:
        assert isinstance(raised.value, AirflowFailException | AirflowSensorTimeout)
    if isinstance(raised.value, SMSPartnerError):
        assert raised.value.code == event.get("code")
    assert double.requests == []


@pytest.mark.parametrize("is_pushed", [True, False], ids=["pushed", "no XCom"])
def test_pushes_the_results_before_it_fails_for_a_low_delivery_rate(
    double: SMSPartnerDouble, is_pushed: bool
) -> None:
    add(double, ["Delivered"], ["Not delivered"], ["KO"])
    context = new_context()

    with pytest.raises(SMSPartnerDeliveryRateError, match=r"33\.33% of 3 messages .* less than the 90\.00%"):
        sensor(min_delivery_rate=0.9, do_xcom_push=is_pushed).execute(context)

    rows = context["ti"].xcoms.get("return_value", [])
    assert [row["status"] for row in rows] == ["Delivered", "Not delivered", "KO"] * is_pushed
    assert ("summary" in context["ti"].xcoms) is is_pushed


def test_a_timeout_names_the_last_trouble(double: SMSPartnerDouble) -> None:
    double.misbehave(Fault.status(503), times=None)

    with pytest.raises(AirflowSensorTimeout, match=r"HTTP 503.*timed out after 0:00:00"):
        sensor(timeout=0).execute(new_context())


def test_waits_progressively_in_all_modes(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    add(double, ["Waiting", "Waiting", "Waiting", "Waiting", "Delivered"])
    arguments: dict[str, Any] = {"exponential_backoff": True, "poke_interval": 60, "max_wait": 100}
    pauses = []
    waiting = sensor(**arguments, timeout=600, deferrable=False)
    between_polls: Callable[..., float] = waiting._get_next_poke_interval

    def remember(*given: Any) -> float:
        pauses.append(between_polls(*given))
        return 0.0

    rhythm = defer(sensor(**arguments, timeout=600), new_context()).trigger.rhythm
    monkeypatch.setattr(waiting, "_get_next_poke_interval", remember)
    waiting.execute(new_context())

    assert (rhythm["exponential_backoff"], rhythm["poke_interval"], rhythm["max_wait"]) == (True, 60, 100)
    assert len(pauses) == 3
    assert all(30 <= pause <= 100 for pause in pauses)


@BOTH
def test_times_out_where_all_messages_are_final_but_more_were_expected(
    double: SMSPartnerDouble, deferrable: bool
) -> None:
    add(double, ["Delivered"], ["KO"], tag=None)

    with pytest.raises(
        AirflowSensorTimeout, match=r"2 of 2 settled.*`settled_ratio` is 1 and `expected_total` is 3\.$"
    ):
        finish(new_context(), messages=MESSAGES[:2], expected_total=3, timeout=0.3, deferrable=deferrable)

    assert len(double.requests) == 1


@ON_AIRFLOW_3
@pytest.mark.parametrize(
    ("written", "end"), [("text", AirflowRescheduleException), ("date", AirflowSensorTimeout)]
)
def test_a_rescheduled_wait_began_at_its_first_poll(
    double: SMSPartnerDouble, written: str, end: type[Exception]
) -> None:
    add(double, ["Waiting"])
    context = new_context()
    # Airflow looks at the time itself.
    first = datetime.now(UTC) - timedelta(seconds=5 if end is AirflowRescheduleException else 3600)
    context["ti"].get_first_reschedule_date = lambda _: first.isoformat() if written == "text" else first

    with pytest.raises(end):
        sensor(deferrable=False, mode="reschedule", timeout=600).execute(context)


def test_no_clock_of_airflow_ends_a_wait_before_the_poll_at_its_deadline(
    double: SMSPartnerDouble, clock: FakeClock
) -> None:
    limits = []

    class Slow(SMSPartnerCampaignSensor):
        """Is at its deadline by the time Airflow's own loop compares its clock with `timeout`."""

        def poke(self, context: Any) -> Any:
            done = super().poke(context)
            limits.append(self.timeout)
            clock.advance(31)
            return done

    add(double, ["Waiting"], ["Delivered"])
    slow = Slow(task_id="await_campaign", tag=TAG, poke_interval=0.02, timeout=30, deferrable=False)

    with pytest.raises(AirflowSensorTimeout, match="1 of 2 settled"):
        slow.execute(new_context())

    assert len(double.requests) == 2
    assert min(limits) > slow.timeout == 30


def change_key(double: SMSPartnerDouble) -> None:
    double.api_key = "new-key"
    object.__setattr__(double._vendor, "api_key", "new-key")


def test_goes_on_with_a_key_that_was_changed_between_polls(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(double, ["Waiting", "Delivered"])
    waiting = sensor(deferrable=False)
    between_polls: Callable[..., float] = waiting._get_next_poke_interval

    def change(*arguments: Any) -> float:
        change_key(double)
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        return between_polls(*arguments)

    monkeypatch.setattr(waiting, "_get_next_poke_interval", change)

    assert [row["status"] for row in waiting.execute(new_context())] == ["Delivered"]


def test_ends_at_once_where_refused_credentials_are_unchanged(double: SMSPartnerDouble) -> None:
    change_key(double)

    with pytest.raises(SMSPartnerCredentialsError):
        sensor(deferrable=False).execute(new_context())

    assert len(double.requests) == 1


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail", None])
@pytest.mark.parametrize(
    ("ending", "is_end", "reason"),
    [
        ({"error": "Trigger failure"}, False, "Trigger failure"),
        ({"error": "Trigger timeout"}, True, "No triggerer has ended the wait"),
        ({"event": {"verdict": "timed_out", "counts": None}}, True, "timed out after"),
        ({"event": {"verdict": "done", "counts": {"Delivered": 1}}}, False, "isn't defined"),
    ],
    ids=["crash", "no triggerer", "timed out", "no connection"],
)
def test_a_resumed_wait_is_skipped_as_any_other_and_says_why(
    flag: str | None, ending: dict[str, Any], is_end: bool, reason: str
) -> None:
    waiting = sensor(tag=TAG, smspartner_conn_id="absent", deferrable=True, **({flag: True} if flag else {}))
    skips = flag == "never_fail" or (flag == "soft_fail" and is_end)

    with pytest.raises(AirflowException, match=reason) as raised:
        waiting.resume_execution(
            "__fail__" if "error" in ending else "execute_complete", ending, new_context()
        )

    assert isinstance(raised.value, AirflowSkipException) == skips


@pytest.mark.parametrize("mode", ["poke", pytest.param("reschedule", marks=ON_AIRFLOW_3)])
def test_a_skip_says_why_in_each_mode(double: SMSPartnerDouble, mode: str) -> None:
    waiting = sensor(tag="absent", mode=mode, deferrable=False, soft_fail=True, not_found_grace=0)

    with pytest.raises(AirflowSkipException, match=r"Skipped instead of failed: .* not known to SMS Partner"):
        waiting.execute(new_context())


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A double whose tag "endless" takes half a minute to read, and "long" less than a second."""
    monkeypatch.setattr(wait, "OVERTIME_SECONDS", 0.1)
    with SMSPartnerDouble(api_key="key", page_size=1, latency=0.03) as started:
        for name, value in started.connection_env(requests_per_minute=0, max_connections=1).items():
            monkeypatch.setenv(name, value)
        for tag, pages in (("endless", 1_000), ("long", 30)):
            for number in range(pages):
                started.add_message(f"+336399{number:05}", f"{tag}{number}", "Delivered", tag=tag)
        yield started


def test_a_poll_ends_with_the_time_of_its_wait(slow: SMSPartnerDouble) -> None:
    with pytest.raises(AirflowSensorTimeout, match="The time was over before"):
        sensor(tag="endless", timeout=0.3, deferrable=False).execute(new_context())

    assert len(slow.requests) < 1_000


def test_the_last_reading_of_a_campaign_that_is_done_is_not_cut(slow: SMSPartnerDouble) -> None:
    done = {"verdict": "done", "counts": {"Delivered": 30}}

    rows = sensor(tag="long", timeout=0).execute_complete(new_context(), event=done)

    assert len(rows) == 30


# Each case is a process that imports Airflow: what the handler does is looked at once.
@pytest.mark.parametrize(
    ("mode", "raises"),
    [
        pytest.param({"mode": "poke"}, True, id="poke, the handler raises"),
        pytest.param(
            {"mode": "reschedule"}, False, id="reschedule", marks=[ON_AIRFLOW_3, pytest.mark.nightly]
        ),
        pytest.param({"deferrable": True}, False, id="deferrable"),
    ],
)
def test_a_poll_that_is_terminated_ends_soon_without_a_result(
    double: SMSPartnerDouble, tmp_path: Path, mode: dict[str, Any], raises: bool
) -> None:
    double.add_campaign(TAG, size=50 * 200, settle_seconds=0)
    double.misbehave(slowly(0.3), times=None)

    told, later = killed(
        double,
        "SMSPartnerCampaignSensor",
        {"tag": TAG, "output_path": str(tmp_path / "rows.csv"), "soft_fail": True, **mode},
        raises=raises,
        when=lambda: len(double.requests) >= 3,
    )

    # Neither skipped, nor rescheduled, nor deferred.
    assert told["outcome"].startswith("Terminated" if raises else "SMSPartnerError: The task was terminated")
    assert told["xcoms"] == {}
    assert later <= 5
    assert list(tmp_path.iterdir()) == []
