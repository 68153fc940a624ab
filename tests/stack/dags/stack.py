"""The DAGs of tests/stack: each task as an author would write it, for a connection that the run names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, get_current_context, task
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

PARAMS = dict.fromkeys(("path", "text", "messages", "results"), "") | {"conn_id": "smspartner_default"}
CONNECTION: dict[str, Any] = {"smspartner_conn_id": "{{ params.conn_id }}"}
WAIT: dict[str, Any] = {
    **CONNECTION,
    "tag": "spring",
    "poke_interval": timedelta(seconds=6),
    "timeout": timedelta(minutes=5),
}


@dag(schedule=None, params=PARAMS)
def stack_wait() -> None:
    SMSPartnerCampaignSensor(task_id="await_campaign", deferrable=True, **WAIT)


@dag(schedule=None, params=PARAMS)
def stack_wait_with_deadline() -> None:
    wait = WAIT | {"timeout": timedelta(seconds=50)}
    SMSPartnerCampaignSensor(task_id="await_campaign", deferrable=True, **wait)


@dag(schedule=None, params=PARAMS)
def stack_send() -> None:
    SMSPartnerSendOperator(
        task_id="send",
        recipients="{{ params.path }}",
        message="Hello",
        tag="spring",
        max_recipients=2_000,
        # One more than is ever used: an ambiguous send must not be tried again.
        retries=2,
        retry_delay=timedelta(seconds=1),
        **CONNECTION,
    )


@dag(schedule=None, params=PARAMS)
def stack_pseudonyms() -> None:
    arguments: dict[str, Any] = {
        **CONNECTION,
        "phone_numbers": "hmac",
        "pseudonym_conn_id": "pseudonyms",
    }
    wait: dict[str, Any] = {
        **arguments,
        "deferrable": True,
        "poke_interval": timedelta(seconds=6),
        "timeout": timedelta(minutes=5),
    }
    messages, tag = "{{ params.messages }}", "pseudo"
    subjects: dict[str, dict[str, Any]] = {"messages": {"messages": messages}, "tag": {"tag": tag}}
    awaited = SMSPartnerCampaignSensor(task_id="await_messages", messages=messages, **wait)
    awaited >> [
        SMSPartnerCampaignSensor(task_id="await_tag", tag=tag, **wait),
        SMSPartnerMultiStatusOperator(task_id="fetch_messages", messages=messages, **arguments),
        SMSPartnerMultiStatusOperator(
            task_id="write_messages",
            messages=messages,
            output_path="{{ params.results }}/messages.ndjson",
            **arguments,
        ),
        SMSPartnerStatusByTagOperator(
            task_id="write_tag", tag=tag, output_path="{{ params.results }}/tag.csv", **arguments
        ),
        SMSPartnerStopListOperator(task_id="fetch_stop_list", **arguments),
        *(
            SMSPartnerStatusToSqlOperator(
                task_id=f"load_{name}",
                table="swept_statuses",
                history_table="swept_history",
                sql_conn_id="warehouse",
                **subject,
                **arguments,
            )
            for name, subject in subjects.items()
        ),
    ]


@dag(schedule=None, params=PARAMS)
def stack_print() -> None:
    @task
    def print_text() -> None:
        print(get_current_context()["params"]["text"])

    print_text()


@dag(schedule=None)
def stack_airflow_only() -> None:
    DateTimeSensorAsync(task_id="await_campaign", target_time="2199-01-01T00:00:00+00:00")


stack_wait()
stack_wait_with_deadline()
stack_send()
stack_pseudonyms()
stack_print()
stack_airflow_only()
