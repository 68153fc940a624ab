"""A send that can be killed: where it pauses, and what it sends to whom, is said by each run."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

LONG_SECONDS = 600


def asks_for_pause(context: Any, where: str) -> bool:
    """Return whether the run asks its first try to stop for a long time at a place."""
    return bool(context["params"]["pause"] == where and context["ti"].try_number == 1)


class PausingStore:
    """What Airflow keeps for a task's tries; once a call is noted that the run names, the task stops."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._store = context["task_state_store"]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def set(self, key: str, value: Any, **options: Any) -> None:
        self._store.set(key, value, **options)
        if "message_id" in value and asks_for_pause(self._context, key):
            time.sleep(LONG_SECONDS)


def begin(context: Any) -> None:
    if asks_for_pause(context, "before"):
        time.sleep(LONG_SECONDS)
    context["task_state_store"] = PausingStore(context)


def end(context: Any, _: object) -> None:
    if asks_for_pause(context, "after"):
        time.sleep(LONG_SECONDS)


with DAG("system_send", schedule=None, params={"conn_id": "", "recipients": "", "pause": ""}):
    SMSPartnerSendOperator(
        task_id="send",
        recipients="{{ params.recipients }}",
        message="Hello",
        tag="spring",
        smspartner_conn_id="{{ params.conn_id }}",
        max_recipients=2_000,
        pre_execute=begin,
        post_execute=end,
        # One more than is ever used: an ambiguous send must not be tried again.
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
