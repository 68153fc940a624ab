"""Native objects, Jinja markers of the DAG, and templates that give nothing: see tests/tasks/test_arguments.py."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, task

from airflow_provider_smspartner.notifications.smspartner import SMSPartnerNotifier
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

NUMBER = "+33639980001"
NOTES = [{"phone_number": NUMBER, "message": "An internal note"}]


@task(show_return_value_in_logs=False)
def skipped() -> None:
    raise AirflowSkipException


@task(show_return_value_in_logs=False)
def texts() -> list[str | None]:
    return [None, "One of texts"]


@task(show_return_value_in_logs=False)
def rows() -> list[dict[str, Any]]:
    return [{"recipients": NOTES, "message": None}, {"recipients": [NUMBER], "message": "One of rows"}]


class Shop(SMSPartnerSendOperator):
    """Passes on what nobody has given it, and sets what somebody has."""

    def __init__(self, *, sender: str | None = None, text: Any = None, **kwargs: Any) -> None:
        super().__init__(sender=sender, **kwargs)
        if text is not None:
            self.message = text


with DAG(
    "arguments",
    schedule=None,
    params={"numbers": [NUMBER, "+33639980002"]},
    render_template_as_native_obj=True,
    jinja_environment_kwargs={"variable_start_string": "@@", "variable_end_string": "@@"},
):
    nothing: Any = skipped()
    SMSPartnerSendOperator(
        task_id="send",
        recipients="@@ params.numbers @@",
        message="'@@ dag.dag_id @@' # @@ 1 @@ {{ x }}",
        tag="@@ '20261127' @@",
        on_success_callback=SMSPartnerNotifier(
            recipients=f"@@ '{NUMBER}' @@", message="@@ '012' ~ ti.task_id @@"
        ),
    )
    late: dict[str, Any] = {"recipients": NOTES, "trigger_rule": "none_failed"}
    SMSPartnerSendOperator(task_id="lost", message=nothing, **late)
    Shop(task_id="lost_by_subclass", text=nothing, **late)
    Shop.partial(task_id="mapped", recipients=NOTES, tag=None).expand(message=texts())
    Shop.partial(task_id="mapped_rows", tag=None).expand_kwargs(rows())
    SMSPartnerSendOperator.partial(task_id="mapped_literals", recipients=NOTES, message=None).expand(
        tag=["notes"]
    )
    SMSPartnerSendOperator(task_id="nobody", recipients="@@ [] @@", message="Hello")
    SMSPartnerSendOperator(task_id="broken", recipients=[NUMBER], message="A text of the team {#42")
