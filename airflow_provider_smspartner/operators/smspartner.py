"""The operators: fetch delivery statuses, by tag or by message list, into XCom."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_smspartner._arguments import check_literals, check_rendered
from airflow_provider_smspartner._campaign import progress
from airflow_provider_smspartner._execution import Execution
from airflow_provider_smspartner._results import (
    MAX_XCOM_ROWS,
    Results,
    max_rows_of,
    output_of,
    pending_of,
    publish,
)
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerNotFoundError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink
from airflow_provider_smspartner.models import StatusRow

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class _StatusOperator(BaseOperator):
    """What the operators share: they fetch rows, push them or let them land in a file, and push their summary."""

    template_fields: Sequence[str] = ("output_path", "output_conn_id", "smspartner_conn_id")
    operator_extra_links = (SMSPartnerAccountLink(),)
    ui_color = "#d7efe3"
    _execution: Execution | None = None

    def __init__(
        self,
        *,
        output_path: str | None = None,
        output_conn_id: str | None = None,
        max_xcom_rows: int = MAX_XCOM_ROWS,
        smspartner_conn_id: str = SMSPartnerHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.output_conn_id = output_conn_id
        self.max_xcom_rows = max_xcom_rows
        self.smspartner_conn_id = smspartner_conn_id

    def execute(self, context: Context) -> Any:
        """
        Fetch the rows.

        :param context: the task's context; without a task instance in it, as in a unit test, no summary is pushed.
        """
        check_rendered(self)
        with Execution(self) as execution:
            results = Results(output_of(self), max_rows_of(self), execution)
            try:
                with (
                    execution.use(SMSPartnerHook(self.smspartner_conn_id)) as hook,
                    self._fetch(hook) as rows,
                ):
                    result = results.take(rows)
            except SMSPartnerError as error:
                _name_subject(error, self._subject)
                raise
            execution.check()
            summary = results.summary
            publish(self, context, summary)
            self.log.info("Fetched %d rows of %s: %s.", summary.total, self._subject, progress(summary))
            return result

    def on_kill(self) -> None:
        """End the execution, if there is one: nothing more is asked for, and no file is left behind."""
        if self._execution is not None:
            self._execution.kill()

    @property
    def _subject(self) -> str:
        """Name what is asked for, without phone numbers."""
        raise NotImplementedError

    def _fetch(self, hook: SMSPartnerHook) -> AbstractContextManager[Generator[StatusRow, None, None]]:
        """Check what is asked for, and give its rows lazily."""
        raise NotImplementedError


class SMSPartnerStatusByTagOperator(_StatusOperator):
    """
    Fetch the statuses of all messages of a tag.

    XCom ``return_value`` is the list of rows, XCom ``summary`` their summary.

    :param tag: the campaign's tag, 1 to 20 characters without white space. (templated)
    :param allow_empty: give no rows for a tag that the vendor does not know, instead of failing.
    :param output_path: let the rows land in this file instead of XCom: a path or URI that Airflow's
        ObjectStoragePath takes, ending in ``.ndjson``, ``.csv`` (each also ``.gz``) or ``.parquet``. XCom
        ``return_value`` is then ``{"path": …, "rows": n, "format": …}``. (templated)
    :param output_conn_id: the Airflow connection of that storage, if it is not in the URI. (templated)
    :param max_xcom_rows: more rows than that without `output_path` are an error.
    :param smspartner_conn_id: the Airflow connection that holds the API key. (templated)
    :raises SMSPartnerInputError: if an argument is wrong, before anything is sent.
    :raises SMSPartnerNotFoundError: if no message has this tag, unless `allow_empty`.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
    """

    template_fields: Sequence[str] = ("tag", *_StatusOperator.template_fields)

    def __init__(self, *, tag: str, allow_empty: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag = tag
        self.allow_empty = allow_empty
        check_literals(self)

    @property
    def _subject(self) -> str:
        return f"the tag {self.tag!r}"

    def _fetch(self, hook: SMSPartnerHook) -> AbstractContextManager[Generator[StatusRow, None, None]]:
        return closing(self._rows(hook))

    def _rows(self, hook: SMSPartnerHook) -> Generator[StatusRow, None, None]:
        try:
            yield from hook.iter_status_by_tag(self.tag, max_rows=max_rows_of(self), read_ahead=True)
        except SMSPartnerNotFoundError:
            if not self.allow_empty:
                raise


class SMSPartnerMultiStatusOperator(_StatusOperator):
    """
    Fetch the statuses of a list of messages, in the list's order.

    XCom ``return_value`` is the list of rows, one for each message, XCom ``summary`` their summary. A message
    that is named again is asked for once and has one row.

    :param messages: each a ``(phone_number, message_id)`` pair or a mapping with both; a list, or the output of
        an upstream task; or the path of an NDJSON, CSV or Parquet file with those two columns, which is held in a
        temporary file on disk. (templated)
    :param output_path: let the rows land in this file instead of XCom: a path or URI that Airflow's
        ObjectStoragePath takes, ending in ``.ndjson``, ``.csv`` (each also ``.gz``) or ``.parquet``. XCom
        ``return_value`` is then ``{"path": …, "rows": n, "format": …}``. (templated)
    :param output_conn_id: the Airflow connection of that storage, if it is not in the URI. (templated)
    :param max_xcom_rows: more rows than that without `output_path` are an error.
    :param smspartner_conn_id: the Airflow connection that holds the API key. (templated)
    :raises SMSPartnerInputError: if an argument or a message is wrong, before anything is sent.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/bulk-status
    """

    template_fields: Sequence[str] = ("messages", *_StatusOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}

    def __init__(self, *, messages: Iterable[object], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.messages = messages
        check_literals(self)

    @property
    def _subject(self) -> str:
        return (
            f"the messages in {self.messages!r}" if isinstance(self.messages, str) else "the list of messages"
        )

    @contextmanager
    def _fetch(self, hook: SMSPartnerHook) -> Iterator[Generator[StatusRow, None, None]]:
        with (
            closing(pending_of(self)) as messages,
            closing(hook.iter_multi_status(messages, distinct=True)) as rows,
        ):
            yield rows


def _name_subject(error: SMSPartnerError, subject: str) -> None:
    """Let an error say what was asked for, unless it does."""
    text = str(error)
    if subject not in text:
        error.args = (f"{subject[0].upper()}{subject[1:]}: {text}", *error.args[1:])
