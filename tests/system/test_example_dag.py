"""Examples on a real scheduler and triggerer: the one that `make demo` shows, and the pair that an asset links."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from statsd_receiver import StatsdReceiver
from told import forms_of

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import DagRun, LocalAirflow

pytestmark = pytest.mark.system

SENSOR = "await_delivery"


def test_a_campaign_is_sent_and_awaited_in_the_triggerer(
    airflow: LocalAirflow, vendor: SMSPartnerDouble
) -> None:
    run = airflow.trigger("smspartner_send_and_await")
    seen: list[tuple[str, str]] = []
    state = run.follow(lambda *change: seen.append(change), seconds=300)
    assert state == "success"
    assert (SENSOR, "deferred") in seen

    # Each recipient has one SMS, and XCom holds every row and their summary.
    rows, summary = run.xcom(SENSOR), run.xcom(SENSOR, "summary")
    numbers = [row["phone_number"] for row in rows]
    assert [sms.phone_number for sms in vendor.sent if sms.tag == "spring-sale"] == numbers
    counts = Counter(row["status"] for row in rows)
    assert summary["total"] == counts.total() == len(set(numbers)) == 40
    assert summary["delivered"] == counts["Delivered"] > 0
    assert summary["not_delivered"] == counts["Not delivered"]
    assert (summary["waiting"], summary["settled"]) == (0, True)
    # The following task prints the counts, and the sensor's page links to the account.
    assert run.printed("judge_delivery")[-1].split() == ["Total", "40"]
    assert run.links(SENSOR) == {"SMS Partner account": "https://my.smspartner.fr/"}

    # What the tasks, the triggerer, the scheduler and all others have logged holds neither the key nor a number.
    paths = [airflow.log, *(airflow.home / "logs").rglob("*.log")]
    assert any(".trigger." in path.name for path in paths)
    assert f"task_id={SENSOR}" in " ".join(map(str, paths))
    secrets = forms_of(vendor.api_key) | {number.removeprefix("+33") for number in numbers}
    logs = {path: path.read_text(errors="replace") for path in paths}
    assert [path for path, text in logs.items() if any(secret in text for secret in secrets)] == []


@pytest.mark.nightly
def test_the_event_of_an_asset_starts_the_report_and_brings_the_summary(
    airflow: LocalAirflow, metrics: StatsdReceiver
) -> None:
    counted_before = metrics.totals()

    run = airflow.trigger("smspartner_campaign_outlet", {"tag": "outlet"})
    assert run.follow(lambda *_: None, seconds=300) == "success"

    def started() -> str | None:
        runs: list[dict[str, Any]] = airflow.get("dags/smspartner_campaign_report/dagRuns")["dag_runs"]
        return next((each["dag_run_id"] for each in runs if each["run_type"] == "asset_triggered"), None)

    run_id = airflow.wait_for("the report to be started", started, seconds=300)
    report = DagRun(airflow, "smspartner_campaign_report", run_id)
    assert report.follow(lambda *_: None, seconds=300) == "success"

    (event,) = airflow.get("assets/events", source_dag_id="smspartner_campaign_outlet")["asset_events"]
    summary = event["extra"]["smspartner"]
    assert (summary["total"], summary["settled"]) == (40, True)
    assert report.xcom("report") == summary
    assert "+33" not in json.dumps(event)

    # The triggerer has seen the campaign done, and then the worker: both have counted that.
    counted = metrics.totals() - counted_before
    assert (counted["smspartner.polls.done"], counted["smspartner.waits.done"]) == (2, 1)
    assert counted["smspartner.rows.delivered"] == summary["delivered"]
