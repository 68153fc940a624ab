"""Each fault meets each reader: it ends as the table says, within memory, and tells nothing that is secret."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from faults.arranged import TAG, Stage
from faults.outcome import Outcome
from faults.page import MAX_BYTES, PAGE
from faults.readers import OPERATORS, READERS, SENSORS, What
from faults.table import TABLE, Row
from faults.written import SEEN
from told import Capture, assert_nothing_in, captured, told_by

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.testing import Fault

capture = pytest.fixture(captured)

ENDPOINTS: dict[What, str] = {"tag": "/v1/bulk-status-by-tag", "list": "/v1/multi-status"}
MESSAGES = [(f"+3363998000{number}", str(1001 + number)) for number in range(3)]
TASKS: dict[What, dict[str, object]] = {"tag": {"tag": TAG}, "list": {"messages": MESSAGES}}

ROWS = [row for rows in TABLE.values() for row in rows]
Play = Callable[[Row, str], dict[str, Outcome]]


@pytest.fixture
def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capture: Capture, capfd: pytest.CaptureFixture[str]
) -> Play:
    """Play all variants of a fault for a reader, and return how each has ended."""
    monkeypatch.setattr(policy, "MAX_RETRY_AFTER_SECONDS", 0.01)

    def endings(row: Row, reader: str) -> dict[str, Outcome]:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", row.total_seconds)
        (folder := tmp_path / reader).mkdir()
        stage = Stage(monkeypatch, folder, dict(row.extra), passes=reader in SENSORS)
        what, read = OPERATORS[reader] if reader in OPERATORS else (row.awaited, SENSORS[reader])
        seen = {}
        for number, (name, played) in enumerate(row.plays(stage, lambda fault: concerns(fault, what))):
            with played, bounded(row):
                ending = read(TASKS[what])
            seen[f"{number}: {name}"] = ending.outcome
            told = [] if ending.error is None else [*told_by(ending.error)]
            assert_nothing_in([*told, *capture.texts, *capfd.readouterr()])
            capture.texts.clear()
        return seen

    return endings


def concerns(fault: Fault, what: What) -> bool:
    return fault.paths is None or ENDPOINTS[what] in fault.paths


@contextmanager
def bounded(row: Row) -> Iterator[None]:
    """Make sure that a bomb takes not too much memory."""
    if not row.is_bomb:
        yield
        return
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


def cells() -> Iterator[ParameterSet]:
    """Choose an operator and a mode of the sensor for each fault: both operators and all modes in turn."""
    for number, row in enumerate(ROWS):
        concerned = [reader for reader in OPERATORS if row.ending(reader) is not None]
        for reader in (concerned[number % len(concerned)], [*SENSORS][number % len(SENSORS)]):
            yield pytest.param(row, reader, id=f"{row.happens}-{reader}")


@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pytest.mark.parametrize(("row", "reader"), [*cells()])
def test_a_fault_ends_as_the_table_says(row: Row, reader: str, play: Play) -> None:
    seen = play(row, reader)
    assert seen == dict.fromkeys(seen, row.ending(reader))


@pytest.mark.nightly
@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.happens)
def test_a_fault_ends_as_the_table_says_for_every_reader(
    row: Row, play: Play, record_property: Callable[[str, object], None]
) -> None:
    concerned = [reader for reader in READERS if row.ending(reader) is not None]
    seen = {reader: play(row, reader) for reader in concerned}

    assert seen == {reader: dict.fromkeys(seen[reader], row.ending(reader)) for reader in concerned}
    for reader in concerned:
        record_property(SEEN, (PAGE.name, row.happens, reader, str(*{*seen[reader].values()})))
