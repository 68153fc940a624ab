"""
Tasks that fail and end, and whom they tell by SMS: tests/notifications/test_callbacks.py looks at what was sent.

Whether a callback itself fails makes no difference to its task.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_smspartner.notifications.smspartner import (
    SMSPartnerNotifier,
    send_smspartner_notification,
)

ON_CALL = "+33639980001"
TEAM = [ON_CALL, "+33639980002"]


@task
def fail() -> None:
    raise RuntimeError("as arranged")


@task
def succeed() -> None:
    pass


def told_of_failure(task_id: str, **arguments: Any) -> None:
    fail.override(task_id=task_id, on_failure_callback=send_smspartner_notification(**arguments))()


# One object for several callbacks: of a task, and of a DAG that is serialised in `dag.test()`.
told_of_end = SMSPartnerNotifier(recipients=TEAM, message="{{ reason | default(ti.task_id) }} is done")

with DAG("callbacks", schedule=None, on_failure_callback=told_of_end):
    told_of_failure(
        "one_number",
        recipients=ON_CALL,
        message="{{ dag.dag_id }}.{{ ti.task_id }} has failed",
        tag="{{ ti.task_id[:3] }}",
        sender="Airflow",
    )
    told_of_failure(
        "many_numbers",
        recipients="{{ var.value.smspartner_team }}",
        message="{{ 'x' * 2000 }}",
        smspartner_conn_id="{{ 'sand' }}box",
    )
    told_of_failure("bad_number", recipients=[ON_CALL, "+33639980002{{ 'x' }}"], message="A text of the team")
    told_of_failure(
        "bad_template",
        recipients=["{{ 1 / 0 }}", ON_CALL],
        message="A text of the team",
    )
    told_of_failure("no_credit", recipients=ON_CALL, message="A text of the team", smspartner_conn_id="poor")
    succeed.override(
        task_id="done",
        on_success_callback=told_of_end,
    )()
