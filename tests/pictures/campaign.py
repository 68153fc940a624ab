"""The campaigns that the pictures show: runs of the example DAG, one that goes on waiting, and one that has ended."""

from __future__ import annotations

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import DagRun, LocalAirflow

DAG_ID = "smspartner_send_and_await"
SENSOR = "await_delivery"
CONN_ID = "smspartner_default"
# Twelve messages, polled every 6 s: each poll finds two more that have settled.
SETTLE_SECONDS = 36
# Longer than it takes to look at all pictures.
HELD_SECONDS = 3600
PARAMS = {"recipients": [f"+336399800{number:02}" for number in range(12)], "tag": "spring-sale"}


class Campaign:
    """
    Gives a run in the state that a picture needs; the pictures share as few runs as they can.

    No clock is moved: what the pictures show of times is true.

    :param airflow: where the DAG runs.
    :param holding: a double whose messages take HELD_SECONDS.
    :param settling: a double whose messages take SETTLE_SECONDS.
    """

    def __init__(self, airflow: LocalAirflow, holding: SMSPartnerDouble, settling: SMSPartnerDouble) -> None:
        self._airflow = airflow
        self._holding = holding
        self._settling = settling
        self._count = 0
        self._waiting: DagRun | None = None
        self._settled: DagRun | None = None

    def waiting(self) -> DagRun:
        """Return a run whose sensor is deferred, and stays so; the triggerer polls for it."""
        if self._waiting is None:
            run = self._new_run(self._holding)
            self._airflow.wait_for(
                "the sensor to be deferred", lambda: run.task(SENSOR)["state"] == "deferred", seconds=120
            )
            self._airflow.wait_for("a poll of the triggerer", lambda: self._polls() > 1, seconds=120)
            self._waiting = run
        return self._waiting

    def settled(self) -> DagRun:
        """Return a run that has ended well."""
        if self._settled is None:
            # The first look-up of a triggerer takes seconds, and the poll that needs it comes late.
            self.waiting()
            run = self._new_run(self._settling)
            self._airflow.wait_for("the run to end", lambda: run.state == "success", seconds=180)
            self._settled = run
        return self._settled

    def _polls(self) -> int:
        return sum(request.path.endswith("/multi-status") for request in self._holding.requests)

    def _new_run(self, vendor: SMSPartnerDouble) -> DagRun:
        self._count += 1
        self._airflow.store_connection(CONN_ID, vendor)
        return self._airflow.trigger(DAG_ID, PARAMS, run_id=f"spring-sale-{self._count}")
