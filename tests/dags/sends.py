"""Sends that are tried again or mapped, for tests/operators/test_sending.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

NUMBERS = [f"+3363998{n:04}" for n in range(1_203)]

with DAG("send_again", schedule=None):
    SMSPartnerSendOperator(
        task_id="send",
        recipients=NUMBERS,
        message="Hello",
        max_recipients=2_000,
        # One more than is ever used: an ambiguous send must not be tried again.
        retries=2,
        retry_delay=timedelta(seconds=0),
    )

with DAG("send_mapped", schedule=None, params={"name": "Anne"}):

    @task
    def list_groups() -> list[dict[str, Any]]:
        return [
            {"recipients": NUMBERS[:2], "tag": "first"},
            {"recipients": NUMBERS[2:3], "tag": "second"},
        ]

    SMSPartnerSendOperator.partial(task_id="send", message="Hello {{ params.name }}").expand_kwargs(
        list_groups()
    )

with DAG("send_in_a_task", schedule=None):

    @task(task_id="send", retries=2, retry_delay=timedelta(seconds=0))
    def send_at_once() -> list[Receipt]:
        return SMSPartnerHook().send(NUMBERS[:2], "Hello")

    @task
    def list_messages(receipts: list[dict[str, Any]]) -> list[dict[str, str]]:
        return [message for each in receipts for message in Receipt(**each).messages]

    list_messages(send_at_once())  # type: ignore[arg-type]
