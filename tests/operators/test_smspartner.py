"""The operators, against the double."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from harness import new_context

from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
)
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerStatusByTagOperator,
)
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "spring"
MESSAGES = [("+33639980001", "1001"), ("+33639980002", "1002"), ("+33639980003", "1003")]


def by_tag(**arguments: Any) -> SMSPartnerStatusByTagOperator:
    return SMSPartnerStatusByTagOperator(task_id="fetch", **{"tag": TAG, **arguments})


def by_list(**arguments: Any) -> SMSPartnerMultiStatusOperator:
    return SMSPartnerMultiStatusOperator(task_id="fetch", **{"messages": MESSAGES, **arguments})


def file_of(path: Path, messages: Iterable[tuple[str, str]], *more: str) -> str:
    path.write_text("phone_number,message_id\n" + "\n".join([*map(",".join, messages), *more]) + "\n")
    return str(path)


def test_fetches_all_pages_of_a_tag(double: SMSPartnerDouble) -> None:
    double.add_campaign(TAG, size=120, settle_seconds=0, outcomes={"Delivered": 0.95, "Not delivered": 0.05})
    context = new_context()

    rows = by_tag().execute(context)

    summary = context["ti"].xcoms["summary"]
    assert len(rows) == 120
    assert len(double.requests) == 3
    assert (summary["total"], summary["delivered"], summary["not_delivered"]) == (120, 114, 6)
    assert (summary["settled"], summary["delivery_rate"]) == (True, 0.95)
    assert datetime.fromisoformat(summary["checked_at"]).utcoffset() is not None


def test_gives_rows_by_tag_in_plain_json(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    double.add_message(*MESSAGES[0], "Delivered", tag=TAG, stop_sms=True)
    for name, value in double.connection_env("other").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT")

    (row,) = by_tag(smspartner_conn_id="other").execute(new_context())

    assert re.fullmatch(r"20..-..-..T..:..:..\+00:00", row.pop("date") or "")
    assert json.loads(json.dumps(row)) == {
        "phone_number": "+33639980001",
        "message_id": None,
        "status": "Delivered",
        "raw_status": "Delivered",
        "stop_sms": True,
        "is_spam": None,
        "code": None,
    }


def test_gives_a_row_for_each_message_in_order(double: SMSPartnerDouble) -> None:
    double.add_message(*MESSAGES[0], "Delivered", is_spam=True)
    double.add_message(*MESSAGES[2], "Waiting")
    context = new_context()

    rows = by_list(messages=[MESSAGES[2], *MESSAGES]).execute(context)

    assert [(row["message_id"], row["status"], row["is_spam"], row["code"]) for row in rows] == [
        ("1003", "Waiting", False, 200),
        ("1001", "Delivered", True, 200),
        ("1002", "Not found", None, 4),
    ]
    assert rows[2]["raw_status"] == "Numéro introuvable"
    assert context["ti"].xcoms["summary"]["settled"] is False
    assert context["ti"].xcoms["summary"]["not_found"] == 1


@pytest.mark.parametrize("in_file", [False, True], ids=["list", "file"])
def test_no_messages_are_no_campaign_and_nothing_is_asked(
    double: SMSPartnerDouble, tmp_path: Path, in_file: bool
) -> None:
    context = new_context()
    given = file_of(tmp_path / "messages.csv", []) if in_file else []

    assert by_list(messages=given).execute(context) == []
    assert context["ti"].xcoms["summary"]["total"] == 0
    assert context["ti"].xcoms["summary"]["delivery_rate"] is None
    assert double.requests == []


@pytest.mark.parametrize("unknown_tag", ["not_found", "empty"])
def test_an_unknown_tag_fails_unless_it_may_be_empty(
    unknown_tag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SMSPartnerDouble(api_key="key", unknown_tag=unknown_tag) as double:
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        context = new_context()

        with pytest.raises(SMSPartnerNotFoundError):
            by_tag().execute(new_context())
        assert by_tag(allow_empty=True).execute(context) == []
        assert context["ti"].xcoms["summary"]["total"] == 0
        double.misbehave(Fault.error(10))
        with pytest.raises(SMSPartnerCredentialsError):
            by_tag(allow_empty=True).execute(context)


def test_lets_rows_land_in_a_file(double: SMSPartnerDouble, tmp_path: Path) -> None:
    double.add_campaign(TAG, size=120, settle_seconds=0)
    path, context = tmp_path / "new" / "spring.ndjson", new_context()

    landed = by_tag(output_path=str(path), max_xcom_rows=1).execute(context)

    assert landed == {"path": str(path), "rows": 120, "format": "ndjson"}
    assert [json.loads(line) for line in path.read_text().splitlines()] == by_tag().execute(new_context())
    assert context["ti"].xcoms["summary"]["total"] == 120


def test_a_file_that_cannot_be_written_is_reported_before_anything_is_asked(
    double: SMSPartnerDouble, tmp_path: Path
) -> None:
    (tmp_path / "file-as-folder").touch()

    with pytest.raises(OSError, match="file-as-folder"):
        by_tag(output_path=f"{tmp_path}/file-as-folder/rows.ndjson").execute(new_context())

    assert double.requests == []


def test_a_failed_run_leaves_the_old_file_as_it_was(double: SMSPartnerDouble, tmp_path: Path) -> None:
    double.add_campaign(TAG, size=120, settle_seconds=0)
    double.misbehave(Fault.total(999), times=None)
    path = tmp_path / "rows.ndjson"
    path.write_text("old")

    with pytest.raises(SMSPartnerIncompleteError) as raised:
        by_tag(output_path=str(path)).execute(new_context())

    assert [each.name for each in tmp_path.iterdir()] == ["rows.ndjson"]
    assert path.read_text() == "old"
    assert raised.value.__notes__ == ["120 rows had been read before this error; they are not returned."]


def test_more_rows_than_xcom_is_meant_for_are_refused_on_the_first_page(double: SMSPartnerDouble) -> None:
    double.add_campaign(TAG, size=120, settle_seconds=0)

    with pytest.raises(ValueError, match=r"120 rows are more than `max_xcom_rows`, 119: .* `output_path`"):
        by_tag(max_xcom_rows=119).execute(new_context())

    assert len(double.requests) == 1
    assert len(by_tag(max_xcom_rows=120).execute(new_context())) == 120
    assert len(by_tag(max_xcom_rows=119, do_xcom_push=False).execute(new_context())) == 120


def test_holds_messages_of_a_file_on_disk_until_it_ends(
    double: SMSPartnerDouble, tmp_path: Path, backlogs: list[PendingOnDisk]
) -> None:
    messages = [(f"+3363998{n:04}", str(n)) for n in range(1_200)]
    for message in messages[::-1]:
        double.add_message(*message, "Delivered")
    path = file_of(tmp_path / "messages.csv", [*messages, *messages[:10]])

    landed = by_list(messages=path, output_path=f"{tmp_path}/rows.csv").execute(new_context())

    assert landed["rows"] == 1_200
    rows = (tmp_path / "rows.csv").read_text().splitlines()[1:]
    assert [tuple(row.split(",")[:2]) for row in rows] == messages
    assert len(double.requests) == 3
    assert len(backlogs) == 1


def test_a_fault_at_the_end_of_a_file_is_reported_before_anything_is_asked(
    double: SMSPartnerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backlogs: list[PendingOnDisk]
) -> None:
    # So that nothing but the check itself reads ahead.
    for name, value in double.connection_env(requests_per_minute=0, max_connections=1).items():
        monkeypatch.setenv(name, value)
    messages = [(f"+3363998{n:04}", str(n)) for n in range(1_200)]
    path = file_of(tmp_path / "messages.csv", messages, "+3369876543x,7")

    with pytest.raises(ValueError, match=r"messages\.csv, line 1202: phone_number is neither") as raised:
        by_list(messages=path, output_path=f"{tmp_path}/rows.csv").execute(new_context())

    assert double.requests == []
    assert "9876543" not in str(raised.value)
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.parametrize("in_file", [False, True], ids=["list", "file"])
def test_more_messages_than_xcom_is_meant_for_are_refused_before_anything_is_asked(
    double: SMSPartnerDouble, tmp_path: Path, in_file: bool
) -> None:
    messages = [*MESSAGES, *MESSAGES]
    given = file_of(tmp_path / "messages.csv", messages) if in_file else messages

    with pytest.raises(ValueError, match="3 rows are more than `max_xcom_rows`, 2"):
        by_list(messages=given, max_xcom_rows=2).execute(new_context())

    assert double.requests == []
