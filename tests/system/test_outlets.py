"""The pair of example DAGs on a real Airflow: an event of the first one's asset starts the second one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from statsd_receiver import StatsdReceiver

from local_airflow import DagRun, LocalAirflow

pytestmark = pytest.mark.system


def test_the_event_starts_the_report_and_brings_the_summary(
    airflow: LocalAirflow, metrics: StatsdReceiver
) -> None:
    counted_before = metrics.totals()

    run = airflow.trigger("smspartner_campaign_outlet", {"tag": "outlet"})
    assert run.follow(lambda *_: None, seconds=120) == "success"

    def started() -> str | None:
        runs: list[dict[str, Any]] = airflow.get("dags/smspartner_campaign_report/dagRuns")["dag_runs"]
        return next((each["dag_run_id"] for each in runs if each["run_type"] == "asset_triggered"), None)

    run_id = airflow.wait_for("the report was not started", started, seconds=60)
    report = DagRun(airflow, "smspartner_campaign_report", run_id)
    assert report.follow(lambda *_: None, seconds=60) == "success"

    (event,) = airflow.get("assets/events", source_dag_id="smspartner_campaign_outlet")["asset_events"]
    summary = event["extra"]["smspartner"]
    assert (summary["total"], summary["settled"]) == (40, True)
    assert report.xcom("report") == summary
    assert "+33" not in json.dumps(event)

    # The triggerer has seen the campaign done, and then the worker: both have counted that.
    counted = metrics.totals() - counted_before
    assert (counted["smspartner.polls.done"], counted["smspartner.waits.done"]) == (2, 1)
    assert counted["smspartner.rows.delivered"] == summary["delivered"]
