"""
Send a text to a list of people, await what becomes of the messages, then judge how well they were delivered.

What the operator returns, a phone number and a message id for each SMS that SMS Partner accepted, is what the sensor
takes as its messages. The sensor waits in the triggerer until none of them is "Waiting" any more. The last task prints
what was sent, its cost and a table of the statuses, and fails if too few messages were delivered.

A retry of the task that sends goes on where the last try ended: nobody gets the same SMS twice.

This sends through the connection ``smspartner_default``. The phone numbers are of a range that is kept for fiction. To
try it on a real account, switch the connection's sandbox on: then nothing is delivered or charged.

Trigger it with ``{"recipients": ["+336...", ...], "message": "...", "tag": "..."}``.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, get_current_context, task

from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

LEAST_DELIVERY_RATE = 0.9

PARAMS = {
    "recipients": Param([f"+336399800{n:02}" for n in range(40)], type="array", items={"type": "string"}),
    "message": "The spring sale has begun: 20 percent off until Sunday.",
    "tag": "spring-sale",
}


@dag(schedule=None, params=PARAMS, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_send_and_await() -> None:
    @task(show_return_value_in_logs=False)  # else Airflow writes the phone numbers into the task's log
    def find_recipients() -> list[str]:
        # Stands in for a query of who is to get the text.
        return list(get_current_context()["params"]["recipients"])

    send = SMSPartnerSendOperator(
        task_id="send",
        recipients=find_recipients(),
        message="{{ params.message }}",
        tag="{{ params.tag }}",
        stop_notice=True,  # commercial SMS must say how to answer STOP
        retries=2,
    )
    delivery = SMSPartnerCampaignSensor(
        task_id="await_delivery",
        messages=send.output,
        deferrable=True,
        poke_interval=timedelta(seconds=6),  # a minute or more for real campaigns
        timeout=timedelta(days=4),
    )

    @task
    def judge_delivery(sent: dict[str, Any], rows: list[dict[str, Any]]) -> float:
        print(f"Sent to {sent['accepted']} of {sent['recipients']} recipients, tag {sent['tag']}:")
        print(f"{sent['sms']} SMS for {sent['cost']} {sent['currency']}")
        print(f"{'Status':<15}{'Messages':>9}{'Share':>8}")
        counts = Counter(row["status"] for row in rows)
        for status, count in counts.most_common():
            print(f"{status:<15}{count:>9}{count / len(rows):>8.1%}")
        print(f"{'Total':<15}{len(rows):>9}")
        rate = counts["Delivered"] / len(rows)
        if rate < LEAST_DELIVERY_RATE:
            raise RuntimeError(f"Only {rate:.1%} of the messages were delivered.")
        return rate

    judge_delivery(send.output["summary"], delivery.output)


smspartner_send_and_await()
