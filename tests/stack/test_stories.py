"""What each merge tells of production: a send and its wait, a triggerer and a worker that are killed, a new key."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from killing import slowly

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from stack.conftest import API_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from local_airflow import DagRun
    from stack.conftest import Vendor
    from stack.production import Production

pytestmark = pytest.mark.stack

NUMBERS = [f"+3363998{n:04}" for n in range(1_203)]


def test_a_campaign_is_sent_and_awaited_without_a_slot(
    production: Production, awaited: tuple[DagRun, SMSPartnerDouble]
) -> None:
    run, double = awaited
    # A task is deferred a moment before its process has ended.
    production.wait_for("no task process to be left", lambda: not production.task_processes())
    pool = production.airflow.get("pools/default_pool")
    assert (pool["occupied_slots"], pool["deferred_slots"]) == (0, 1)
    assert run.task("await_delivery")["state"] == "deferred"

    double.advance(3600)
    assert run.follow(lambda *_: None, seconds=300) == "success"

    rows, summary = run.xcom("await_delivery"), run.xcom("await_delivery", "summary")
    sent = [sms.phone_number for sms in double.sent]
    assert sent == [row["phone_number"] for row in rows]
    assert len(set(sent)) == 40
    counts = Counter(row["status"] for row in rows)
    assert (summary["total"], summary["settled"]) == (40, True)
    assert summary["delivered"] == counts["Delivered"] > 0
    assert run.printed("judge_delivery")[-1].split() == ["Total", "40"]


def test_another_triggerer_takes_over_from_one_that_is_killed(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=30, settle_seconds=3600)
    run = production.trigger("stack_wait", conn_id=conn_id)
    task = production.wait_for_state(run, "await_campaign", "deferred")
    production.wait_for("a poll of the triggerer", lambda: len(double.requests) >= 2)

    production.replace_the_triggerer_of(run)
    double.clear_requests()
    production.wait_for("two more polls", lambda: len(double.requests) >= 2)
    assert production.triggers_of("airflow_provider_smspartner") == 1
    double.advance(3600)

    assert run.follow(lambda *_: None, seconds=300) == "success"
    assert run.task("await_campaign")["try_number"] == task["try_number"]
    rows = run.xcom("await_campaign")
    assert len(rows) == len({row["phone_number"] for row in rows}) == 30


def test_nobody_is_texted_twice_where_a_worker_is_killed_while_it_sends(
    production: Production, vendor: Vendor, tmp_path: Path
) -> None:
    conn_id, double = vendor(extra={"timeout": 240})
    recipients = tmp_path / "recipients.csv"
    recipients.write_text("\n".join(["phone_number", *NUMBERS]))
    double.misbehave(slowly(0))
    double.misbehave(Fault.hang(240).after_processing())
    run = production.trigger("stack_send", conn_id=conn_id, path=str(recipients))
    production.wait_for("the second call to be made", lambda: len(double.sent) == 1_000)

    production.kill_the_worker_of_the_task()

    assert run.follow(lambda *_: None, seconds=300) == "failed"
    task = run.task("send")
    # A third try was left.
    assert (task["state"], task["try_number"]) == ("failed", 2)
    received = Counter(sms.phone_number for sms in double.sent)
    assert (len(double.requests), received.total(), len(received)) == (2, 1_000, 1_000)
    assert "while call 2 was under way" in production.log(run, "send", attempt=2)


def test_a_wait_goes_on_with_a_new_key(production: Production, vendor: Vendor) -> None:
    conn_id, double = vendor()
    double.add_campaign("spring", size=30, settle_seconds=3600)
    run = production.trigger("stack_wait", conn_id=conn_id)
    production.wait_for_state(run, "await_campaign", "deferred")
    production.wait_for("a poll of the triggerer", lambda: len(double.requests) >= 2)

    # The sweep looks for this key as well: it begins with the other.
    double.api_key = f"{API_KEY}, and a new one"
    production.airflow.store_connection(conn_id, double, requests_per_minute=0)
    object.__setattr__(double._vendor, "api_key", double.api_key)
    before = len(double.requests)
    production.wait_for(
        "a refused poll, and two with the new key", lambda: len(double.requests) >= before + 3
    )
    assert run.task("await_campaign")["state"] == "deferred"
    double.advance(3600)

    assert run.follow(lambda *_: None, seconds=300) == "success"
    assert len(run.xcom("await_campaign")) == 30
