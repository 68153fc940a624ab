"""
Await the messages that an upstream task has sent, by their phone numbers and message ids.

The list comes from XCom: whatever task sends the messages returns it. Once all have left "Waiting", the operator
fetches their rows anew, in the order of the list, and a task names those that were not delivered, to try another
channel.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_smspartner.operators.smspartner import SMSPartnerMultiStatusOperator
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor


@dag(schedule=None, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_message_list() -> None:
    @task(show_return_value_in_logs=False)  # else Airflow writes the phone numbers into the task's log
    def send_messages() -> list[dict[str, Any]]:
        # Stands in for the task that sends: SMS Partner answers each send with its message id.
        return [{"phone_number": f"+336399800{n:02}", "message_id": 500_000 + n} for n in range(12)]

    sent = send_messages()
    settled = SMSPartnerCampaignSensor(
        task_id="await_messages",
        messages=sent,
        deferrable=True,
        poke_interval=timedelta(seconds=6),  # a minute or more for real campaigns
        timeout=timedelta(days=4),
        do_xcom_push=False,
    )
    statuses = SMSPartnerMultiStatusOperator(task_id="fetch_statuses", messages=sent)
    settled >> statuses

    @task
    def find_undelivered(rows: list[dict[str, Any]]) -> list[str]:
        undelivered = [row["message_id"] for row in rows if row["status"] != "Delivered"]
        print(
            f"{len(undelivered)} of {len(rows)} messages were not delivered: {', '.join(undelivered) or 'none'}"
        )
        return undelivered

    find_undelivered(statuses.output)


smspartner_message_list()
