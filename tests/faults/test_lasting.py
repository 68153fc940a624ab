"""A fault that lasts ends the sensor at its time and not before; under `soft_fail` each of its errors is a skip."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException
from faults.arranged import TAG, Stage, nobody_listens
from faults.readers import SENSORS

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.testing import Fault

TIMEOUT = 0.8
OVERTIME = 10.0
"""How much later a wait may end on a busy machine: its faults would last for ever."""

LASTING: dict[str, Fault | None] = {
    "refused": None,
    "503": Fault.status(503),
    "429": Fault.status(429, retry_after=10**9),
    "hang": Fault.hang(60),
    "drip": Fault.drip(),
    "endless body": Fault.endless_body(),
    "incomplete": Fault.ignore_page(),
}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.4)
    return Stage(monkeypatch, tmp_path, {"timeout": 0.3}, passes=False)


@pytest.mark.parametrize("mode", SENSORS)
@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_lasting_trouble_ends_at_the_deadline(stage: Stage, fault: Fault | None, mode: str) -> None:
    with nobody_listens(stage) if fault is None else stage.faulty(fault):
        began = time.monotonic()
        ending = SENSORS[mode]({"tag": TAG, "timeout": TIMEOUT}, lambda: None)
        took = time.monotonic() - began

    assert ending.outcome.error == AirflowSensorTimeout.__name__
    assert TIMEOUT <= took < TIMEOUT + OVERTIME


@pytest.mark.parametrize("mode", SENSORS)
@pytest.mark.parametrize(
    ("fault", "timeout"),
    [(Fault.error(10), 10), (Fault.error(9), 10), (Fault.status(503), 0.2)],
    ids=["credentials", "request", "trouble"],
)
def test_an_error_is_a_skip_under_soft_fail(stage: Stage, fault: Fault, timeout: float, mode: str) -> None:
    with stage.faulty(fault):
        ending = SENSORS[mode]({"tag": TAG, "timeout": timeout, "soft_fail": True}, lambda: None)

    assert ending.outcome.error == AirflowSkipException.__name__
