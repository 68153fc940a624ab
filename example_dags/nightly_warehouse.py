"""
Keep a table of statuses current, and show the delivery rate by day.

A campaign is sent each day, under the tag ``news-`` and the date. Operators report what became of an SMS for up to 48
hours, so each night the campaigns of yesterday and of the two days before are read again: their rows take the place of
those of the night before, and what has changed goes into a history. One SQL query then gives the delivery rate by day.

The table holds masked phone numbers. Write ``phone_numbers="hmac"`` with `pseudonym_conn_id` for numbers that can be
joined but not read.

A day without a campaign has an unknown tag, and its task fails. The query runs all the same.

The Airflow connection ``warehouse`` leads to the database. Install this provider with its extra ``sql``, and Airflow's
provider of the database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, get_current_context, task
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

RATE_BY_DAY = """
SELECT tag, count(*) AS messages, avg(CASE WHEN status = 'Delivered' THEN 1.0 ELSE 0.0 END) AS delivery_rate
FROM sms_statuses
GROUP BY tag
ORDER BY tag
"""


@dag(
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["smspartner", "example"],
    doc_md=__doc__,
)
def smspartner_nightly_warehouse() -> None:
    @task
    def recent_campaigns() -> list[str]:
        context = get_current_context()
        night = context.get("data_interval_end") or context["dag_run"].run_after
        return [f"news-{night - timedelta(days=days):%Y%m%d}" for days in (3, 2, 1)]

    load_statuses = SMSPartnerStatusToSqlOperator.partial(
        task_id="load_statuses",
        table="sms_statuses",
        history_table="sms_history",
        sql_conn_id="warehouse",
        phone_numbers="mask",
        # Each is a process with the connection's whole requests_per_minute for itself.
        max_active_tis_per_dag=1,
    ).expand(tag=recent_campaigns())

    rate_by_day = SQLExecuteQueryOperator(
        task_id="rate_by_day",
        conn_id="warehouse",
        sql=RATE_BY_DAY,
        trigger_rule="all_done",  # also after a day without a campaign
    )

    @task
    def show(rows: list[Any]) -> None:
        for tag, messages, rate in rows:
            print(f"{tag:<15}{messages:>9}{float(rate):>8.1%}")

    load_statuses >> rate_by_day
    show(rate_by_day.output)


smspartner_nightly_warehouse()
