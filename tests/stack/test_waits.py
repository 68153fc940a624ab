"""Waits on the stack: what they hold, what they give, and who goes on with them when something fails."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

if TYPE_CHECKING:
    from local_airflow import DagRun
    from stack.conftest import Vendor
    from stack.production import Production

pytestmark = pytest.mark.stack


def polls_of(double: SMSPartnerDouble) -> int:
    return len(double.requests)


def seconds_of(task: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
    return (end - start).total_seconds()


def test_the_example_holds_no_slot_while_it_waits_and_gives_rows_and_summary(
    production: Production, vendor: Vendor
) -> None:
    _, double = vendor("smspartner_default", auto_campaigns=True, campaign_size=40, settle_seconds=3600)
    run = production.trigger("smspartner_campaign_by_tag")
    production.wait_for_state(run, "await_campaign", "deferred")
    # A task is deferred a moment before its process has ended.
    production.wait_for("no task process to be left", lambda: not production.task_processes())
    pool = production.airflow.get("pools/default_pool")
    assert (pool["occupied_slots"], pool["deferred_slots"]) == (0, 1)
    assert run.task("await_campaign")["state"] == "deferred"
    double.advance(3600)
    assert run.follow(lambda *_: None, seconds=120) == "success"
    rows, summary = run.xcom("await_campaign"), run.xcom("await_campaign", "summary")
    counts = Counter(row["status"] for row in rows)
    assert summary["total"] == counts.total() == len({row["phone_number"] for row in rows}) == 40
    assert (summary["delivered"], summary["settled"]) == (counts["Delivered"], True)


@pytest.mark.parametrize(
    "dag_id", ["smspartner_mapped_campaigns", "smspartner_message_list", "smspartner_partitioned_list"]
)
def test_every_other_example_succeeds(
    production: Production, vendor: Vendor, dag_id: str, tmp_path: Any
) -> None:
    vendor("smspartner_default", auto_campaigns=True, campaign_size=40, settle_seconds=3)
    params = {"folder": tmp_path.as_uri()} if dag_id == "smspartner_partitioned_list" else {}
    assert production.trigger(dag_id, **params).follow(lambda *_: None, seconds=180) == "success"


def kill_the_triggerer_that_waits(production: Production, run: DagRun) -> tuple[int, int]:
    """Kill the triggerer that has the run's wait, let another take over, and give both jobs' ids."""
    task = production.wait_for_state(run, "await_campaign", "deferred")

    def job_of_the_wait() -> int | None:
        job = run.task("await_campaign")["triggerer_job"]
        return job["id"] if job else None

    first = production.wait_for("a triggerer to take the wait", job_of_the_wait)
    production.airflow.kill("triggerer-1")
    production.airflow.launch("triggerer-2")
    second = production.wait_for(
        "the other triggerer to take over",
        lambda: (job := job_of_the_wait()) != first and job,
    )
    assert run.task("await_campaign")["try_number"] == task["try_number"]
    return first, second


@pytest.fixture
def _one_triggerer(production: Production) -> Any:
    # So that it is known which of them has the wait.
    production.airflow.kill("triggerer-2")
    yield
    production.airflow.launch("triggerer-1")


@pytest.mark.usefixtures("_one_triggerer")
def test_another_triggerer_takes_over_and_doubles_nothing(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=30, settle_seconds=3600)
    run = production.trigger("stack_wait", conn_id=conn_id)
    first, second = kill_the_triggerer_that_waits(production, run)
    assert first != second
    double.clear_requests()
    production.wait_for("two more polls", lambda: polls_of(double) >= 2)
    double.advance(3600)
    assert run.follow(lambda *_: None, seconds=120) == "success"
    asked = [request.at for request in double.requests]
    # The last one is the worker's. One triggerer alone asks, and pauses between its polls.
    assert all(later - earlier > 4 for earlier, later in pairwise(asked[:-1]))
    rows = run.xcom("await_campaign")
    assert len(rows) == len({row["phone_number"] for row in rows}) == 30


@pytest.mark.usefixtures("_one_triggerer")
def test_a_deadline_is_not_reset_by_another_triggerer(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=3, settle_seconds=3600)
    run = production.trigger("stack_wait_with_deadline", conn_id=conn_id)
    # Half of the time is over: a deadline that was set anew would be far from the true one.
    production.wait_for("five polls", lambda: polls_of(double) >= 5)
    kill_the_triggerer_that_waits(production, run)
    taken_over = time.monotonic()
    assert run.follow(lambda *_: None, seconds=120) == "failed"
    task = run.task("await_campaign")
    assert task["try_number"] == 1
    assert seconds_of(task) >= 50
    # Set anew, it would pass 50 seconds after the take-over. How long a worker takes to fail the task is left out.
    assert double.requests[-1].at < taken_over + 50


def test_an_outage_longer_than_all_tries_does_not_end_a_wait(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor(extra={"max_attempts": 2})
    double.add_campaign("spring", size=30, settle_seconds=3600)
    run = production.trigger("stack_wait", conn_id=conn_id)
    production.wait_for_state(run, "await_campaign", "deferred")
    double.misbehave(Fault.reset(), times=None)
    before = polls_of(double)
    production.wait_for(
        "a poll to fail with both its tries, and a further one", lambda: polls_of(double) >= before + 3
    )
    time.sleep(10)
    assert run.task("await_campaign")["state"] == "deferred"
    double.advance(3600)
    double.clear_faults()
    assert run.follow(lambda *_: None, seconds=180) == "success"
    assert run.xcom("await_campaign", "summary")["total"] == 30


def test_the_modes_end_alike(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    for number in range(9):
        double.add_message(
            f"+3363998{number:04}", number, "Waiting", "Waiting", "Waiting", "Delivered", tag="spring"
        )
    double.add_message("+33639980009", 9, "Not delivered", tag="spring")
    run = production.trigger("stack_modes", conn_id=conn_id)
    assert run.follow(lambda *_: None, seconds=180) == "success"
    modes = ("poke", "reschedule", "deferrable")
    assert [len(run.xcom(mode)) for mode in modes] == [10, 10, 10]
    assert run.xcom("poke") == run.xcom("reschedule") == run.xcom("deferrable")
    summaries = [run.xcom(mode, "summary") | {"checked_at": None} for mode in modes]
    assert summaries[0] == summaries[1] == summaries[2]
    assert summaries[0]["delivery_rate"] == 0.9


def triggers_of(production: Production, package: str) -> int:
    ((count,),) = production.query("SELECT count(*) FROM trigger WHERE classpath LIKE %s", f"{package}.%")
    return int(count)


def wait_until_one_trigger_waits(production: Production, run: DagRun) -> None:
    production.wait_for_state(run, "await_campaign", "deferred")
    # Airflow deletes that of an earlier try a moment after it has lost its task.
    production.wait_for(
        "a single trigger", lambda: triggers_of(production, "airflow_provider_smspartner") == 1
    )


def test_a_deferred_wait_that_is_marked_as_failed_stops_asking(
    production: Production, vendor: Vendor
) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=3, settle_seconds=3600)
    run = production.trigger("stack_wait", conn_id=conn_id)
    wait_until_one_trigger_waits(production, run)
    production.wait_for("a poll of the triggerer", lambda: polls_of(double) >= 2)
    run.mark_task("await_campaign", "failed")
    production.wait_for("no trigger", lambda: triggers_of(production, "airflow_provider_smspartner") == 0)
    # The triggerer looks at its triggers each second, or later on a busy machine. Then two polls would be due.
    production.wait_for("the polls to end", lambda: time.monotonic() - double.requests[-1].at > 15)
    assert run.follow(lambda *_: None, seconds=60) == "failed"


def test_a_deferred_wait_that_is_cleared_asks_once_a_poll(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=3, settle_seconds=3600)
    run = production.trigger("stack_wait", conn_id=conn_id)
    wait_until_one_trigger_waits(production, run)
    first = run.task("await_campaign")
    production.wait_for("a poll of the triggerer", lambda: polls_of(double) >= 2)
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
    assert run.follow(lambda *_: None, seconds=120) == "success"


def test_airflow_itself_leaves_a_trigger_when_a_task_of_a_paused_dag_is_cleared(
    production: Production,
) -> None:
    # Airflow's own sensor does so, too: docs/compatibility.md says it. Once this fails, it need not any longer.
    run = production.trigger("stack_airflow_only")
    production.wait_for_state(run, "await_campaign", "deferred")
    production.airflow.patch("dags/stack_airflow_only", {"is_paused": True})
    run.clear_task("await_campaign")
    time.sleep(5)
    assert run.task("await_campaign")["state"] is None
    assert triggers_of(production, "airflow.providers.standard") == 1
    production.airflow.patch("dags/stack_airflow_only", {"is_paused": False})
    production.wait_for_state(run, "await_campaign", "deferred")
    run.mark_task("await_campaign", "failed")
    assert run.follow(lambda *_: None, seconds=60) == "failed"
