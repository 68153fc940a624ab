"""The DAGs of tests/stack: each wait and fetch as an author would write it, for a connection that the run names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, get_current_context, task

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

PARAMS = {
    "conn_id": "smspartner_default",
    "tag": "spring",
    "path": "",
    "waits": 1,
    "text": "",
    "messages": "",
    "results": "",
}
CONNECTION: dict[str, Any] = {"smspartner_conn_id": "{{ params.conn_id }}"}
WAIT: dict[str, Any] = {
    **CONNECTION,
    "tag": "{{ params.tag }}",
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
def stack_modes() -> None:
    SMSPartnerCampaignSensor(task_id="poke", mode="poke", deferrable=False, **WAIT)
    SMSPartnerCampaignSensor(task_id="reschedule", mode="reschedule", deferrable=False, **WAIT)
    SMSPartnerCampaignSensor(task_id="deferrable", deferrable=True, **WAIT)


@dag(schedule=None, params=PARAMS)
def stack_fetch() -> None:
    SMSPartnerStatusByTagOperator(
        task_id="fetch_statuses",
        tag="{{ params.tag }}",
        output_path="{{ params.path }}",
        retries=2,
        retry_delay=timedelta(seconds=1),
        **CONNECTION,
    )


@dag(schedule=None, params=PARAMS)
def stack_many_waits() -> None:
    @task(show_return_value_in_logs=False)
    def send_messages() -> list[list[dict[str, Any]]]:
        waits = get_current_context()["params"]["waits"]
        return [
            [
                {"phone_number": f"+3363998{3 * wait + n:04}", "message_id": 500_000 + 3 * wait + n}
                for n in range(3)
            ]
            for wait in range(waits)
        ]

    SMSPartnerCampaignSensor.partial(
        task_id="await_messages",
        deferrable=True,
        poke_interval=timedelta(seconds=15),
        timeout=timedelta(minutes=30),
        do_xcom_push=False,
        **CONNECTION,
    ).expand(messages=send_messages())


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


stack_wait()
stack_wait_with_deadline()
stack_modes()
stack_fetch()
stack_many_waits()
stack_pseudonyms()
stack_print()
