"""Each fault meets each reader: it ends as the table says, in time, within memory, and tells nothing that is secret."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.arranged import TAG, Stage
from faults.page import MAX_BYTES, MAX_SECONDS, PAGE
from faults.readers import OPERATORS, READERS, SENSORS, Ending, What
from faults.table import TABLE, Row
from faults.written import SEEN
from told import Capture, assert_nothing_in, captured, told_by

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.testing import Fault

capture = pytest.fixture(captured)

ENDPOINTS: dict[What, str] = {"tag": "/v1/bulk-status-by-tag", "list": "/v1/multi-status"}
MESSAGES = [(f"+3363998000{number}", str(1001 + number)) for number in range(3)]
TASKS: dict[What, dict[str, object]] = {"tag": {"tag": TAG}, "list": {"messages": MESSAGES}}

CELLS = [
    pytest.param(row, reader, id=f"{row.happens}-{reader}")
    for rows in TABLE.values()
    for row in rows
    for reader in READERS
    if row.ending(reader) is not None
]


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "MAX_RETRY_AFTER_SECONDS", 0.2)


@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pytest.mark.parametrize(("row", "reader"), CELLS)
def test_cell(  # noqa: PLR0917 - fixtures
    row: Row,
    reader: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capture: Capture,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setattr(policy, "TOTAL_SECONDS", row.total_seconds)
    stage = Stage(monkeypatch, tmp_path, dict(row.extra), passes=reader in SENSORS)
    what = OPERATORS[reader][0] if reader in OPERATORS else row.awaited
    plays = row.plays(stage, lambda fault: concerns(fault, what))
    assert plays
    for name, play in plays:
        with play as double, bounded(row):
            if reader in OPERATORS:
                ending = OPERATORS[reader][1](TASKS[what])
            else:
                ending = SENSORS[reader](TASKS[what], stage.is_met.set)
            asked = len(double.requests)
        seen = f"{name}: {ending.outcome}, {asked} requests: {ending.error}"
        assert ending.outcome == row.ending(reader), seen
        tell_nothing(ending, capture, capfd)
    record_property(SEEN, (PAGE.name, row.happens, reader, str(ending.outcome)))


def concerns(fault: Fault, what: What) -> bool:
    return fault.paths is None or ENDPOINTS[what] in fault.paths


@contextmanager
def bounded(row: Row) -> Iterator[None]:
    """Make sure that what is done takes neither too long nor, with bombs, too much memory."""
    if row.is_bomb:
        tracemalloc.start()
    began = time.monotonic()
    try:
        yield
        assert time.monotonic() - began < MAX_SECONDS
        if row.is_bomb:
            assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()


def tell_nothing(ending: Ending, capture: Capture, capfd: pytest.CaptureFixture[str]) -> None:
    told = [] if ending.error is None else [*told_by(ending.error)]
    assert_nothing_in([*told, *capture.texts, *capfd.readouterr()])
    capture.texts.clear()
