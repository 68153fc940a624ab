"""A send that can be killed: where it pauses, and what it sends to whom, is said by each run."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

LONG_SECONDS = 600


def pause(where: str) -> Callable[..., None]:
    """Let the first try stop for a long time at a place, if the run asks for it."""

    def wait(context: Any, *_: object) -> None:
        if context["params"]["pause"] == where and context["ti"].try_number == 1:
            time.sleep(LONG_SECONDS)

    return wait


with DAG("system_send", schedule=None, params={"conn_id": "", "recipients": "", "pause": ""}):
    SMSPartnerSendOperator(
        task_id="send",
        recipients="{{ params.recipients }}",
        message="Hello",
        tag="spring",
        smspartner_conn_id="{{ params.conn_id }}",
        max_recipients=2_000,
        pre_execute=pause("before"),
        post_execute=pause("after"),
        # One more than is ever used: an ambiguous send must not be tried again.
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
