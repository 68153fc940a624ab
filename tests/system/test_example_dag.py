"""The example that `make demo` shows, on a real scheduler and triggerer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from told import forms_of

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import DagRun, LocalAirflow

pytestmark = pytest.mark.system

DAG_ID = "smspartner_send_and_await"
SENSOR = "await_delivery"


class Finished:
    """A run of the example DAG that has ended, and the states that its tasks were seen in."""

    def __init__(self, run: DagRun) -> None:
        self.run = run
        self.seen: list[tuple[str, str]] = []
        self.state = run.follow(lambda *change: self.seen.append(change), seconds=120)

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.run.xcom(SENSOR)
        return rows


@pytest.fixture(scope="module")
def finished(airflow: LocalAirflow) -> Finished:
    return Finished(airflow.trigger(DAG_ID))


@pytest.fixture(scope="module")
def logs(airflow: LocalAirflow, finished: Finished) -> dict[Path, str]:
    """What the tasks, the triggerer, the scheduler and all others have logged during the run."""
    paths = [airflow.log, *(airflow.home / "logs").rglob("*.log")]
    return {path: path.read_text(errors="replace") for path in paths}


def test_the_sensor_waits_in_the_triggerer_and_the_run_succeeds(finished: Finished) -> None:
    assert (SENSOR, "deferred") in finished.seen
    assert finished.state == "success"


def test_xcom_holds_every_row_and_their_summary(finished: Finished, vendor: SMSPartnerDouble) -> None:
    summary = finished.run.xcom(SENSOR, "summary")
    counts = Counter(row["status"] for row in finished.rows)
    assert summary["total"] == counts.total() == 40
    assert summary["delivered"] == counts["Delivered"] > 0
    assert summary["not_delivered"] == counts["Not delivered"]
    assert (summary["waiting"], summary["settled"]) == (0, True)


def test_the_following_task_prints_the_counts(finished: Finished) -> None:
    total = finished.run.printed("judge_delivery")[-1]
    assert total.split() == ["Total", "40"]


def test_each_recipient_has_one_sms(finished: Finished, vendor: SMSPartnerDouble) -> None:
    sent = [sms.phone_number for sms in vendor.sent if sms.tag == "spring-sale"]
    assert sent == [row["phone_number"] for row in finished.rows]
    assert len(set(sent)) == 40


def test_the_sensors_page_links_to_the_account(finished: Finished) -> None:
    assert finished.run.links(SENSOR) == {"SMS Partner account": "https://my.smspartner.fr/"}


def test_the_logs_are_those_of_the_run(logs: dict[Path, str]) -> None:
    # Else the two tests below would pass on nothing.
    names = {path.name for path in logs}
    assert any(name.endswith(".trigger.log") or ".trigger." in name for name in names)
    assert f"task_id={SENSOR}" in " ".join(map(str, logs))


def test_no_log_holds_the_key(vendor: SMSPartnerDouble, logs: dict[Path, str]) -> None:
    for form in forms_of(vendor.api_key):
        assert [path for path, text in logs.items() if form in text] == []


def test_no_log_holds_a_phone_number(finished: Finished, logs: dict[Path, str]) -> None:
    for digits in {row["phone_number"].removeprefix("+33") for row in finished.rows}:
        assert [path for path, text in logs.items() if digits in text] == []
