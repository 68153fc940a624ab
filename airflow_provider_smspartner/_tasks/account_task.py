"""What all tasks share that use an SMS Partner account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_smspartner._tasks.outlets import attach_summary
from airflow_provider_smspartner._tasks.templates import RendersTexts
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_smspartner._tasks.execution import Execution
    from airflow_provider_smspartner._tasks.lineage import Lineage


class AccountTask(RendersTexts, BaseOperator):
    """
    A task that uses an SMS Partner account.

    :param smspartner_conn_id: the Airflow connection that holds the API key. (templated)
    """

    template_fields: Sequence[str] = ("smspartner_conn_id",)
    operator_extra_links = (SMSPartnerAccountLink(),)
    ui_color = "#d7efe3"

    _optional: ClassVar[frozenset[str]] = frozenset()
    """Templated arguments that may be None."""

    _given: frozenset[str] = frozenset()
    """Templated arguments that were given: what becomes of them is never taken for not given."""

    _lineage: Lineage | None = None
    """What was read and written."""

    _execution: Execution | None = None
    """What is under way, for `on_kill`."""

    _killed = False
    """Whether `on_kill` came while nothing was under way."""

    _runs_in_airflow = False
    """Whether Airflow is about to execute the task. Other code may call `on_kill` first, and `execute` then."""

    def __init__(self, *, smspartner_conn_id: str = SMSPartnerHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smspartner_conn_id = smspartner_conn_id

    def _hook_apply_defaults(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        # Airflow calls this before each `__init__` of the class and its bases. The first has what the task is made
        # with, None included; later ones what a subclass passes on. `check_literals` takes it away.
        vars(self).setdefault("_passed", frozenset(kwargs))
        return args, kwargs

    def _check_lists(self) -> None:
        """
        Check what is literal in messages or recipients, where a task has any: called when the DAG is parsed.

        :raises SMSPartnerInputError: names the argument, and what would be right.
        """

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """
        Return the files and tables that were read and written, with the number of rows, for OpenLineage.

        :param task_instance: the task's.
        """
        from airflow_provider_smspartner._tasks.lineage import openlineage_of

        return openlineage_of(self)

    def pre_execute(self, context: Any) -> None:
        """
        Note that Airflow is about to execute the task.

        :param context: the task's context.
        """
        super().pre_execute(context)
        self._runs_in_airflow = True

    def on_kill(self) -> None:
        """End the execution that is under way or is to begin: no further call is made, and no file is left behind."""
        if self._execution is not None:
            self._execution.kill()
        else:
            self._killed = True

    @property
    def _ends_at_once(self) -> bool:
        """Whether the execution that begins was killed before: while Airflow rendered its templates, for example."""
        return self._killed and self._runs_in_airflow

    def _publish_summary(self, context: Context, summary: Mapping[str, Any]) -> None:
        """
        Push the summary to XCom, and attach it to the event of each outlet asset, even if nothing goes to XCom.

        :param context: the task's context.
        :param summary: plain JSON types only.
        """
        self._push(context, "summary", dict(summary))
        attach_summary(context, self.outlets, summary)

    def _push(self, context: Context, key: str, value: Any) -> None:
        """
        Push a value to XCom, if the task pushes any and has a task instance: in a unit test there may be none.

        :param context: the task's context.
        :param key: the XCom's key.
        :param value: plain JSON types only.
        """
        task_instance = context.get("ti") if context else None
        if self.do_xcom_push and task_instance is not None:
            task_instance.xcom_push(key=key, value=value)
