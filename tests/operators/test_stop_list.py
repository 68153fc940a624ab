"""The operator that fetches the stop list, against the double."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from files.rows import ENDINGS
from harness import new_context
from killing import killed, slowly

from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._files.recipients import NumberFile
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError
from airflow_provider_smspartner.operators.smspartner import SMSPartnerStopListOperator
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

NUMBERS = [f"+33639980{n:03}" for n in range(3)]


@pytest.fixture
def stopped(double: SMSPartnerDouble) -> SMSPartnerDouble:
    """The double, to which three have answered STOP."""
    for number in NUMBERS:
        double.add_stop(number)
    return double


def stop_list(**arguments: Any) -> SMSPartnerStopListOperator:
    return SMSPartnerStopListOperator(task_id="fetch", **arguments)


def test_gives_who_has_answered_stop_and_when(stopped: SMSPartnerDouble) -> None:
    context = new_context()

    rows = stop_list().execute(context)

    assert [row["phone_number"] for row in rows] == NUMBERS
    assert {tuple(row) for row in rows} == {("phone_number", "created_at")}
    assert json.loads(json.dumps(rows)) == rows
    assert all(datetime.fromisoformat(row["created_at"]).utcoffset() is not None for row in rows)
    # There is nothing to sum up.
    assert context["ti"].xcoms == {}
    assert len(stopped.requests) == 1


def test_an_empty_list_is_no_error(double: SMSPartnerDouble, tmp_path: Path) -> None:
    assert stop_list().execute({}) == []
    assert stop_list(output_path=f"{tmp_path}/rows.csv").execute({})["rows"] == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_lets_rows_land_in_a_file_that_can_be_read_again(
    stopped: SMSPartnerDouble, tmp_path: Path, ending: str
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = str(tmp_path / f"rows{ending}")

    landed = stop_list(output_path=path, max_xcom_rows=1).execute(new_context())

    assert landed == {"path": path, "rows": 3, "format": ending[1:].removesuffix(".gz")}
    assert list(NumberFile.of(path)) == NUMBERS


def test_a_file_has_the_rows_of_xcom(stopped: SMSPartnerDouble, tmp_path: Path) -> None:
    stop_list(output_path=f"{tmp_path}/rows.ndjson").execute({})

    lines = (tmp_path / "rows.ndjson").read_text().splitlines()
    assert [json.loads(line) for line in lines] == stop_list().execute({})


def test_more_rows_than_xcom_is_meant_for_are_refused(stopped: SMSPartnerDouble) -> None:
    with pytest.raises(
        ValueError, match=r"3 rows are more than `max_xcom_rows`, 2: .* `output_path`"
    ) as raised:
        stop_list(max_xcom_rows=2).execute({})

    assert "63998" not in str(raised.value)
    assert len(stop_list(max_xcom_rows=3).execute({})) == 3
    assert len(stop_list(max_xcom_rows=2, do_xcom_push=False).execute({})) == 3


def test_a_failed_run_leaves_the_old_file_as_it_was(stopped: SMSPartnerDouble, tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    path.write_text("old")
    stopped.misbehave(Fault.fake_success(), times=None)

    with pytest.raises(SMSPartnerUnavailableError):
        stop_list(output_path=str(path)).execute({})

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("lands", [False, True], ids=["xcom", "file"])
def test_a_terminated_fetch_ends_soon_without_a_result(
    stopped: SMSPartnerDouble, tmp_path: Path, lands: bool
) -> None:
    stopped.misbehave(slowly(5), times=None)
    path = tmp_path / "rows.csv"
    path.write_text("old")

    told, later = killed(
        stopped,
        "SMSPartnerStopListOperator",
        {"output_path": str(path)} if lands else {},
        raises=False,
        when=lambda: len(stopped.requests) == 1,
    )

    assert told["outcome"].startswith("SMSPartnerError: The task was terminated")
    assert (told["xcoms"], later) == ({}, 0)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_rows_are_written_publishes_no_file(
    stopped: SMSPartnerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = stop_list(output_path=f"{tmp_path}/rows.csv")
    opened = Output.open

    def open_then_kill(self: Output) -> Any:
        sink = opened(self)
        operator.on_kill()
        return sink

    monkeypatch.setattr(Output, "open", open_then_kill)
    with pytest.raises(SMSPartnerError, match="terminated"):
        operator.execute({})

    assert list(tmp_path.iterdir()) == []


def test_every_argument_but_the_limit_is_templated() -> None:
    assert set(stop_list().template_fields) == {
        "output_path",
        "output_conn_id",
        "phone_numbers",
        "pseudonym_conn_id",
        "smspartner_conn_id",
    }
