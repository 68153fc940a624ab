"""The sensor writes its rows to a file, and reads its messages from one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import TaskDeferred
from combinations import in_turn
from harness import AIRFLOW_3, fire, new_context, stored
from sensors.waits import BOTH, MESSAGES, TAG, add, defer, finish, resume, sensor

from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


def file_of(path: Path, messages: Iterable[tuple[str, str]]) -> str:
    path.write_text("phone_number,message_id\n" + "".join(f"{p},{m}\n" for p, m in messages))
    return str(path)


def asked(double: SMSPartnerDouble) -> list[list[int]]:
    return [[pair["messageId"] for pair in request.body["SMSStatut_List"]] for request in double.requests]


@in_turn(deferrable=[True, False], by_list=[False, True])
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
    add(double, ["Waiting"], ["Delivered"], tag=None)
    arguments = {"messages": MESSAGES[:2], "output_path": str(tmp_path / "rows.ndjson")}
    context = new_context()
    first = defer(sensor(**arguments), context)

    with pytest.raises(TaskDeferred) as again:
        resume(first, context, {"verdict": "done", "counts": {"Delivered": 2}}, **arguments)

    assert list(tmp_path.iterdir()) == []
    # It asks no more for what was final.
    assert again.value.trigger.messages == [list(MESSAGES[0])]
    assert again.value.trigger.settled == {"Delivered": 1}


@BOTH
def test_refuses_more_rows_than_xcom_is_meant_for_on_its_first_poll(
    double: SMSPartnerDouble, tmp_path: Path, deferrable: bool, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting"], ["Waiting"])
    long = file_of(tmp_path / "long.csv", [*MESSAGES, *MESSAGES])

    with pytest.raises(ValueError, match="2 rows are more than `max_xcom_rows`, 1"):
        sensor(max_xcom_rows=1, deferrable=deferrable).execute(new_context())
    with pytest.raises(ValueError, match="3 rows are more than `max_xcom_rows`, 1"):
        sensor(messages=MESSAGES, max_xcom_rows=1, deferrable=deferrable).execute(new_context())
    with pytest.raises(ValueError, match="3 rows are more than `max_xcom_rows`, 2"):
        sensor(messages=long, max_xcom_rows=2, deferrable=deferrable).execute(new_context())

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
    path = file_of(tmp_path / "messages.csv", MESSAGES[:2])

    trigger = defer(sensor(messages=path), new_context()).trigger

    assert (trigger.messages, trigger.settled) == (path, {})
    assert fire(stored(trigger)) == {"verdict": "done", "counts": {"Delivered": 2}}


def test_asks_only_for_what_is_unsettled_of_a_file_and_lands_all_of_it(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting", "Waiting", "Delivered"], ["Waiting", "KO"], ["Delivered"], tag=None)
    path, rows = file_of(tmp_path / "messages.csv", [*MESSAGES, MESSAGES[1]]), tmp_path / "rows.ndjson"

    landed = sensor(messages=path, output_path=str(rows), deferrable=False).execute(new_context())

    assert landed["rows"] == 3
    statuses = [json.loads(line)["status"] for line in rows.read_text().splitlines()]
    assert statuses == ["Delivered", "KO", "Delivered"]
    assert asked(double) == [[1001, 1002, 1003], [1001, 1002], [1001], [1001, 1002, 1003]]
    assert len(backlogs) == 2


def test_a_resumed_task_reads_a_file_once_and_lands_all_of_it(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting", "Delivered"], ["KO"], tag=None)
    path = file_of(tmp_path / "messages.csv", MESSAGES[:2])
    arguments: dict[str, Any] = {"messages": path, "output_path": f"{tmp_path}/rows.csv"}
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
    empty = file_of(tmp_path / "empty.csv", [])
    double.misbehave(Fault.error(10), times=None)

    with pytest.raises(SMSPartnerCredentialsError):
        sensor(messages=path, deferrable=deferrable).execute(new_context())
    with pytest.raises(ValueError, match="`messages` is empty"):
        sensor(messages=empty, deferrable=deferrable).execute(new_context())


@pytest.mark.skipif(not AIRFLOW_3, reason="there a rescheduling sensor asks the metadata database")
def test_lets_go_of_the_messages_of_a_file_when_it_is_rescheduled(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    add(double, ["Waiting"], tag=None)
    path = file_of(tmp_path / "messages.csv", MESSAGES[:1])

    with pytest.raises(AirflowRescheduleException):
        sensor(messages=path, deferrable=False, mode="reschedule").execute(new_context())
