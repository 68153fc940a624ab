"""Whatever happens to a send: no number gets a text twice, and each try ends as the table says."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.arranged import Stage
from faults.written import SEEN
from harness import KEEPS_TASK_STATE
from sending.page import PAGE, rows
from sending.table import AMBIGUOUS, Row
from sending.ways import TASKS, TEXT, WAYS, Ending, Operator, attempt
from told import Capture, assert_nothing_in, captured, told_by

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

capture = pytest.fixture(captured)

MAX_SECONDS = 15.0
"""Protects from hangs: a cell takes far less."""

CELLS = [pytest.param(row, name, id=f"{row.happens}-{name}") for row in rows() for name in WAYS]


@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pytest.mark.parametrize(("row", "name"), CELLS)
def test_cell(  # noqa: PLR0917 - fixtures
    row: Row,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capture: Capture,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    way = WAYS[name]
    if len(way.tries) > 1 and not KEEPS_TASK_STATE:
        pytest.skip("there Airflow keeps nothing of an earlier try")
    monkeypatch.setattr(policy, "TOTAL_SECONDS", row.total_seconds)
    for text in way.texts:
        (tmp_path / text).mkdir()
        stage = Stage(
            monkeypatch, tmp_path / text, dict(row.extra), passes=False, times=None if row.lasts else 1
        )
        for fault, play in row.plays(stage):
            with play as double:
                began = time.monotonic()
                endings = tries(name, text, stage, double, capture)
                assert time.monotonic() - began < MAX_SECONDS
                assert_nobody_got_two(double)
            assert endings == list(row.endings[: len(way.tries)]), f"{fault}, {text}: {[*map(str, endings)]}"
            assert_nothing_in([*capture.texts, *capfd.readouterr()])
            capture.texts.clear()
    for column, ending in zip(way.tries, endings, strict=True):
        record_property(SEEN, (PAGE.name, row.happens, column, str(ending)))


def tries(name: str, text: str, stage: Stage, double: SMSPartnerDouble, capture: Capture) -> list[Ending]:
    """Make all tries of a task, the fault being mended after the first."""
    send, endings = WAYS[name].start(), []
    for number in range(len(WAYS[name].tries)):
        if number == 1:
            for mend in stage.mends:
                mend()
        ending, error = attempt(send, TASKS[text], double)
        endings.append(ending)
        told = [] if error is None else [*told_by(error)]
        assert_nothing_in(told)
        assert not [each for each in [*told, *capture.texts] if TEXT in each]
    return endings


def assert_nobody_got_two(double: SMSPartnerDouble) -> None:
    got = Counter((sms.phone_number, sms.text) for sms in double.sent)
    assert max(got.values(), default=0) <= 1, f"somebody got {max(got.values())} SMS of one text"


BEFORE_3_3 = {
    "nothing fails": None,
    "nothing was sent": Fault.status(429),
    "all was sent": Fault.status(503).after_processing(),
}


@pytest.mark.parametrize("fault", BEFORE_3_3.values(), ids=BEFORE_3_3)
def test_before_airflow_3_3_no_next_try_sends(fault: Fault | None, double: SMSPartnerDouble) -> None:
    send = Operator(None)
    if fault is not None:
        double.misbehave(fault, times=None)
    attempt(send, TASKS["same text"], double)
    double.clear_faults()

    ending, error = attempt(send, TASKS["same text"], double)

    assert ending == AMBIGUOUS
    assert "This is try 2 of the task, and nothing is sent" in str(error)
    assert_nobody_got_two(double)
