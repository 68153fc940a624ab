"""200 deferred waits at once, over two triggerers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from airflow_provider_smspartner.testing import Fault

if TYPE_CHECKING:
    from stack.conftest import Vendor
    from stack.production import Production

pytestmark = pytest.mark.stack

WAITS = 200
POKE_SECONDS = 15
WATCHED_SECONDS = 60


def test_they_share_their_calls_and_all_end(
    production: Production, vendor: Vendor, tell: Callable[[str], None]
) -> None:
    conn_id, double = vendor()
    for number in range(3 * WAITS):
        double.add_message(f"+3363998{number:04}", 500_000 + number, "Waiting")
    run = production.trigger("stack_many_waits", conn_id=conn_id, waits=WAITS)

    def states() -> Counter[str]:
        return Counter(task["state"] for task in run.tasks() if task["task_id"] == "await_messages")

    production.wait_for("all waits to be deferred", lambda: states()["deferred"] == WAITS, seconds=900)
    jobs = {task["triggerer_job"]["id"] for task in run.tasks() if task["triggerer_job"]}
    assert len(jobs) == 2
    double.clear_requests()
    time.sleep(WATCHED_SECONDS)
    calls = len(double.requests)
    asked = Counter(
        pair["messageId"] for request in double.requests for pair in request.body["SMSStatut_List"]
    )
    assert set(asked) == set(range(500_000, 500_000 + 3 * WAITS))
    # Alone, each wait would make a call every 15 seconds.
    alone = WAITS * WATCHED_SECONDS / POKE_SECONDS
    tell(f"{calls} calls in {WATCHED_SECONDS} s for {WAITS} waits; without sharing {alone:.0f}")
    assert calls < alone / 20
    double.misbehave(Fault.rows(lambda rows: [{**row, "status": "Delivered"} for row in rows]), times=None)
    assert run.follow(lambda *_: None, seconds=1200) == "success"
    assert states() == {"success": WAITS}
