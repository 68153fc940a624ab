"""The operator that fetches the stop list, against the double."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from harness import new_context

from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._files.recipients import NumberFile
from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.operators.smspartner import SMSPartnerStopListOperator
from airflow_provider_smspartner.testing import SMSPartnerDouble

NUMBERS = [f"+33639980{n:03}" for n in range(3)]


@pytest.fixture
def stopped(double: SMSPartnerDouble) -> SMSPartnerDouble:
    """The double, to which three have answered STOP."""
    for number in NUMBERS:
        double.add_stop(number)
    return double


def stop_list(**arguments: Any) -> SMSPartnerStopListOperator:
    return SMSPartnerStopListOperator(task_id="fetch", **arguments)


def test_an_empty_list_is_no_error(double: SMSPartnerDouble) -> None:
    assert stop_list().execute({}) == []


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


@pytest.mark.parametrize("ending", [".ndjson", ".csv.gz", ".parquet"])
def test_rows_land_in_a_file_that_can_be_read_again(
    stopped: SMSPartnerDouble, tmp_path: Path, ending: str
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"rows{ending}"

    landed = stop_list(output_path=str(path), max_xcom_rows=1).execute(new_context())

    assert landed == {"path": str(path), "rows": 3, "format": ending[1:].removesuffix(".gz")}
    assert list(NumberFile.of(str(path))) == NUMBERS
    if ending == ".ndjson":
        lines = path.read_text().splitlines()
        assert [json.loads(line) for line in lines] == stop_list().execute({})


def test_more_rows_than_xcom_is_meant_for_are_refused(stopped: SMSPartnerDouble) -> None:
    with pytest.raises(ValueError, match=r"3 rows are more than `max_xcom_rows`, 2: .* `output_path`"):
        stop_list(max_xcom_rows=2).execute({})

    assert len(stop_list(max_xcom_rows=3).execute({})) == 3
    assert len(stop_list(max_xcom_rows=2, do_xcom_push=False).execute({})) == 3


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
