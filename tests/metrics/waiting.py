"""Waits for a campaign, in a process that sends Airflow's metrics, and prints how many requests that has taken."""

from __future__ import annotations

import importlib
import os
import sys

from airflow.providers.common.compat.sdk import TaskDeferred
from harness import fire, new_context, stored

from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


def wait(double: SMSPartnerDouble, *, deferrable: bool, trouble: str) -> None:
    """
    Wait until the campaign of the double is done.

    :param trouble: `passing`: two requests of a poll fail; `refusal`: the key is refused.
    """
    sensor = SMSPartnerCampaignSensor(
        task_id="await_campaign", tag="spring", deferrable=deferrable, poke_interval=0.05, timeout=60
    )
    context = new_context()
    passing = trouble == "passing"
    if passing and not deferrable:
        double.misbehave(Fault.status(503), times=2)
    if trouble == "refusal":
        double.misbehave(Fault.error(10), times=None)
    try:
        sensor.execute(context)
    except TaskDeferred as deferred:
        if passing:
            double.misbehave(Fault.status(503), times=2)
        event = fire(stored(deferred.trigger))
        sensor.execute_complete(context, event, **(deferred.kwargs or {}))
    except SMSPartnerCredentialsError:
        if trouble != "refusal":
            raise


if __name__ == "__main__":
    try:
        # Airflow's task processes and triggerers load it, and with that begin to send metrics.
        importlib.import_module("airflow.sdk.serde")
    except ModuleNotFoundError:
        importlib.import_module("airflow.stats")  # up to 3.1
    with SMSPartnerDouble(api_key="key") as double:
        os.environ.update(double.connection_env(requests_per_minute=0))
        double.add_message("+33639980001", "1001", "Waiting", "Waiting", "Delivered", tag="spring")
        double.add_message("+33639980002", "1002", "KO", tag="spring")
        wait(double, deferrable=sys.argv[1] == "deferrable", trouble=sys.argv[2])
        sys.stdout.write(f"requests: {len(double.requests)}\n")
