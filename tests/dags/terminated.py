"""Tasks that are terminated while Airflow renders their templates: tests/operators/test_on_kill.py."""

from __future__ import annotations

import os
import signal

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

NUMBER = "+33639980001"


def terminate(value: str) -> str:
    """Send this process SIGTERM, which the task's runner answers, and go on."""
    if not callable(signal.getsignal(signal.SIGTERM)):
        raise RuntimeError("Airflow answers no SIGTERM here")
    os.kill(os.getpid(), signal.SIGTERM)
    return value


with DAG("terminated", schedule=None, user_defined_macros={"terminate": terminate}):
    SMSPartnerSendOperator(task_id="send", recipients=[NUMBER], message="{{ terminate('Hello') }}")
    SMSPartnerSendOperator.partial(task_id="send_mapped", recipients=[NUMBER]).expand(
        message=["{{ terminate('Hello') }}", "{{ terminate('Bye') }}"]
    )
    SMSPartnerStatusByTagOperator(task_id="fetch_tag", tag="{{ terminate('spring') }}")
    SMSPartnerMultiStatusOperator(task_id="fetch_list", messages=[["{{ terminate('" + NUMBER + "') }}", 1]])
    SMSPartnerStopListOperator(
        task_id="stop_list", smspartner_conn_id="{{ terminate('smspartner_default') }}"
    )
    for mode in ("poke", "reschedule"):
        SMSPartnerCampaignSensor(
            task_id=f"wait_{mode}",
            tag="{{ terminate('spring') }}",
            mode=mode,
            soft_fail=True,
            deferrable=False,
        )
    SMSPartnerCampaignSensor(
        task_id="wait_deferrable", tag="{{ terminate('spring') }}", deferrable=True, soft_fail=True
    )
