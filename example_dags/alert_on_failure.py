"""
Alert people by SMS when a task has failed.

The notifier is given to ``on_failure_callback``: Airflow calls it once all retries of the task are used up. It can be
given to a whole DAG as well. It sends at most once, and a text that is too long is cut. The text is a template, with
the context of the task that has failed. Leave data and secrets out of it: an SMS is read on a locked screen.

This sends through the connection ``smspartner_default``. The phone number is of a range that is kept for fiction. To
try it on a real account, switch the connection's sandbox on: then nothing is delivered or charged.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_smspartner.notifications.smspartner import SMSPartnerNotifier

ON_CALL = ["+33639980000"]


@dag(schedule=None, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_alert_on_failure() -> None:
    @task(
        on_failure_callback=SMSPartnerNotifier(
            recipients=ON_CALL,
            message="Airflow: {{ ti.dag_id }}.{{ ti.task_id }} has failed, try {{ ti.try_number }}. Run: {{ run_id }}",
            tag="airflow-alerts",
        )
    )
    def load_orders() -> None:
        raise RuntimeError("This task fails, to show the alert.")

    load_orders()


smspartner_alert_on_failure()
