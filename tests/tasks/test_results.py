"""The rows of one fetch: counted on their way, into a list or into a file, and not lost without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from files.rows import rows

from airflow_provider_smspartner._files.format import Row
from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._tasks.execution import Execution
from airflow_provider_smspartner._tasks.lineage import Lineage
from airflow_provider_smspartner._tasks.results import Results, StatusResults
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import StatusRow


class Task:
    """What an execution needs of its operator."""

    _execution: Execution | None = None
    _ends_at_once = False
    _lineage: Lineage | None = None


def any_number(count: int) -> None:
    """Allow any number of rows."""


def as_it_is(row: Row) -> Row:
    """Let a row out unchanged."""
    return row


def failing_after(count: int) -> Iterator[StatusRow]:
    yield from rows(count)
    raise SMSPartnerUnavailableError("The vendor is down.")


def test_rows_go_into_a_list_or_a_file_and_are_counted(tmp_path: Path) -> None:
    taken: dict[str, Any] = {}
    with Execution(Task()) as execution:
        for name, output in (("list", None), ("file", Output.of(f"{tmp_path}/rows.ndjson"))):
            results = Results(output, any_number, as_it_is, execution)
            by_status = StatusResults(results)
            taken[name] = by_status.take(rows(5))
            assert results.count == by_status.summary.total == 5

    assert taken["list"] == list(rows(5))
    assert taken["file"]["rows"] == 5
    lines = (tmp_path / "rows.ndjson").read_text().splitlines()
    assert [json.loads(line) for line in lines] == list(rows(5))


def test_only_rows_in_a_list_are_limited(tmp_path: Path) -> None:
    def at_most_three(count: int) -> None:
        if count > 3:
            raise ValueError("too many")

    with Execution(Task()) as execution:
        with pytest.raises(ValueError, match="too many"):
            Results(None, at_most_three, as_it_is, execution).take(rows(5))
        assert (
            Results(Output.of(f"{tmp_path}/rows.csv"), at_most_three, as_it_is, execution).take(rows(5))[
                "rows"
            ]
            == 5
        )


@pytest.mark.parametrize("into_file", [False, True])
def test_an_error_says_how_many_rows_it_loses_and_leaves_no_file(tmp_path: Path, into_file: bool) -> None:
    output = Output.of(f"{tmp_path}/rows.csv") if into_file else None

    with (
        Execution(Task()) as execution,
        pytest.raises(SMSPartnerUnavailableError, match=r"^The vendor is down\.") as caught,
    ):
        Results(output, any_number, as_it_is, execution).take(failing_after(7))

    assert caught.value.__notes__ == ["7 rows had been read before this error; they are not returned."]
    assert list(tmp_path.iterdir()) == []


def test_a_killed_execution_delivers_nothing(tmp_path: Path) -> None:
    def kill_and_go_on() -> None:
        with Execution(Task()) as execution:
            execution.kill()
            Results(Output.of(f"{tmp_path}/rows.csv"), any_number, as_it_is, execution).take(rows(5))

    with pytest.raises(SMSPartnerError, match="terminated"):
        kill_and_go_on()
    assert list(tmp_path.iterdir()) == []
