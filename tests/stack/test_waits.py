"""What the nightly run shows of production: deadlines, and tasks that are cleared."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local_airflow import DagRun
    from stack.conftest import Vendor
    from stack.production import Production

pytestmark = [pytest.mark.stack, pytest.mark.nightly]

OURS = "airflow_provider_smspartner"


def wait_until_one_trigger_waits(production: Production, run: DagRun) -> None:
    production.wait_for_state(run, "await_campaign", "deferred")
    # Airflow deletes that of an earlier try a moment after it has lost its task.
    production.wait_for("a single trigger", lambda: production.triggers_of(OURS) == 1)


def test_a_deadline_is_not_reset_by_another_triggerer(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=3, settle_seconds=3600)
    run = production.trigger("stack_wait_with_deadline", conn_id=conn_id)
    # Half of the time is over: a deadline that was set anew would be far from the true one.
    production.wait_for("five polls", lambda: len(double.requests) >= 5)
    production.replace_the_triggerer_of(run)

    assert run.follow(lambda *_: None, seconds=300) == "failed"
    task = run.task("await_campaign")
    assert task["try_number"] == 1
    start, end = (datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
    assert (end - start).total_seconds() >= 50
    # One each 6 of 50 seconds; with a deadline that was set anew there would be 13 or more.
    assert len(double.requests) <= 11


def test_a_deferred_wait_that_is_cleared_asks_once_a_poll(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=3, settle_seconds=3600)
    run = production.trigger("stack_wait", conn_id=conn_id)
    wait_until_one_trigger_waits(production, run)
    first = run.task("await_campaign")
    production.wait_for("a poll of the triggerer", lambda: len(double.requests) >= 2)
    run.clear_task("await_campaign")
    production.wait_for(
        "the next try", lambda: run.task("await_campaign")["try_number"] > first["try_number"]
    )
    wait_until_one_trigger_waits(production, run)
    double.clear_requests()

    def asks_once_a_poll() -> bool:
        # The triggerer looks at its triggers each second, or later on a busy machine: the first try's may ask again.
        # Two that ask every 6 seconds never leave two pauses in a row that are as long as this.
        last = [request.at for request in double.requests[-3:]]
        return len(last) == 3 and all(later - earlier > 4 for earlier, later in pairwise(last))

    production.wait_for("three polls of the next try alone", asks_once_a_poll)
    double.advance(3600)
    assert run.follow(lambda *_: None, seconds=300) == "success"


def test_airflow_itself_leaves_a_trigger_when_a_task_of_a_paused_dag_is_cleared(
    production: Production,
) -> None:
    # Airflow's own sensor does so, too: docs/compatibility.md says it. Once this fails, it need not any longer.
    run = production.trigger("stack_airflow_only")
    production.wait_for_state(run, "await_campaign", "deferred")
    production.airflow.patch("dags/stack_airflow_only", {"is_paused": True})
    run.clear_task("await_campaign")
    production.wait_for("the task to be cleared", lambda: run.task("await_campaign")["state"] is None)
    beats: set[str] = set()

    def has_looked_again() -> bool:
        beats.add(production.airflow.get("monitor/health")["triggerer"]["latest_triggerer_heartbeat"])
        return len(beats) > 3

    production.wait_for("the triggerer to look at its triggers", has_looked_again)
    assert production.triggers_of("airflow.providers.standard") == 1
    production.airflow.patch("dags/stack_airflow_only", {"is_paused": False})
    production.wait_for_state(run, "await_campaign", "deferred")
    run.mark_task("await_campaign", "failed")
    assert run.follow(lambda *_: None, seconds=300) == "failed"
