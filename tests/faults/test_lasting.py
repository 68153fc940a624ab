"""A fault that lasts ends the sensor at its time and not before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout
from combinations import in_turn
from faults.arranged import TAG, Stage, nobody_listens
from faults.readers import SENSORS, Reader

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._waiting.report import PollReport
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.testing import Fault
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

POLL_SECONDS = 40
TIMEOUT = 100

LASTING: dict[str, Fault | None] = {
    "refused": None,
    "503": Fault.status(503),
    "429": Fault.status(429, retry_after=10**9),
    "hang": Fault.hang(3600),
    "drip": Fault.drip(),
    "endless body": Fault.endless_body(),
    "incomplete": Fault.ignore_page(),
}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.4)
    monkeypatch.setattr(policy, "MAX_RETRY_AFTER_SECONDS", 0.01)
    return Stage(monkeypatch, tmp_path, {"timeout": 0.3}, passes=False)


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """When each poll has ended, in seconds: the time moves with the polls alone."""
    ended: list[int] = []
    began, conclude = _clock.now(), Wait.conclude  # Airflow compares with the system's date

    def now() -> object:
        return began + timedelta(seconds=POLL_SECONDS * len(ended))

    def concluded(wait: Wait, tally: Tally) -> PollReport:
        ended.append(POLL_SECONDS * (len(ended) + 1))
        return conclude(wait, tally)

    monkeypatch.setattr(_clock, "now", now)
    monkeypatch.setattr(SMSPartnerCampaignTrigger, "_clock", staticmethod(now))
    monkeypatch.setattr(Wait, "conclude", concluded)
    return ended


@in_turn(fault=LASTING, wait=SENSORS)
def test_lasting_trouble_ends_at_the_deadline(
    stage: Stage, polls: list[int], fault: Fault | None, wait: Reader
) -> None:
    with nobody_listens(stage) if fault is None else stage.faulty(fault):
        ending = wait({"tag": TAG, "timeout": TIMEOUT})

    assert ending.outcome.error == AirflowSensorTimeout.__name__
    assert polls == [40, 80, 120]
