"""
Send a text once more to those whose SMS was reported as not delivered.

The DAG reads the statuses of a campaign by its tag, and sends to the numbers whose messages all ended as "Not
delivered". It leaves out everybody else:

- who has got it, or whose message is still Waiting, or has a status that nobody knows;
- whose message ended as "KO": it was not sent, and a wrong number would be refused again;
- who has answered STOP, in the campaign's rows or on the account's list;
- who has been sent to under the second tag, whatever became of that.

The last of these makes it safe to trigger the DAG again, after an ambiguous end too: SMS Partner itself remembers who
was sent to under `second_tag`. Wait some minutes before you do: a tag may not be known the moment after a send.

Trigger it 48 hours after the campaign, when no more reports come, with
``{"tag": "...", "second_tag": "...", "message": "..."}``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException, dag, get_current_context, task

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)

PARAMS = {
    "tag": "spring-sale",
    "second_tag": "spring-sale-2",
    "message": "The spring sale goes on: 20 percent off until Sunday.",
}


# Two runs at once could both find that nobody was sent to.
@dag(schedule=None, params=PARAMS, max_active_runs=1, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_resend_undelivered() -> None:
    first = SMSPartnerStatusByTagOperator(task_id="fetch_first", tag="{{ params.tag }}")
    second = SMSPartnerStatusByTagOperator(
        task_id="fetch_second", tag="{{ params.second_tag }}", allow_empty=True
    )
    stop_list = SMSPartnerStopListOperator(task_id="fetch_stop_list")

    @task(show_return_value_in_logs=False)  # else Airflow writes the phone numbers into the task's log
    def choose_recipients() -> list[str]:
        # Pulled, not passed as arguments: Airflow would store those with the task, and show them in the UI.
        pull = get_current_context()["ti"].xcom_pull
        rows_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in pull(task_ids="fetch_first"):
            rows_of[row["phone_number"]].append(row)
        excluded = {row["phone_number"] for row in pull(task_ids="fetch_second")}
        excluded |= {row["phone_number"] for row in pull(task_ids="fetch_stop_list")}
        chosen = [
            number
            for number, rows in rows_of.items()
            if number not in excluded
            and all(row["status"] == "Not delivered" and not row["stop_sms"] for row in rows)
        ]
        print(f"{len(chosen)} of {len(rows_of)} numbers may be sent to: nothing was delivered to them.")
        if not chosen:
            raise AirflowSkipException("There is nobody to send to.")
        return chosen

    chosen = choose_recipients()
    [first, second, stop_list] >> chosen
    SMSPartnerSendOperator(
        task_id="send",
        recipients=chosen,
        message="{{ params.message }}",
        tag="{{ params.second_tag }}",
        stop_notice=True,  # commercial SMS must say how to answer STOP
        retries=2,
    )


smspartner_resend_undelivered()
