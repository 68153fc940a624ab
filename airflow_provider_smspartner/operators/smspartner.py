"""The operators: fetch delivery statuses, by tag or by message list, into XCom."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_smspartner._tasks.arguments import check_literals, check_rendered
from airflow_provider_smspartner._tasks.execution import Execution
from airflow_provider_smspartner._tasks.results import Results
from airflow_provider_smspartner._tasks.status_task import StatusTask
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerNotFoundError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import StatusRow, describe_progress

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class _FetchOperator(StatusTask):
    """Fetches rows at once, delivers them, and pushes their summary."""

    def execute(self, context: Context) -> Any:
        """
        Fetch the rows.

        :param context: the task's context; without a task instance in it, as in a unit test, no summary is pushed.
        """
        check_rendered(self)
        with Execution(self) as execution:
            results = Results(self._open_output(), self._check_rows, execution)
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
            self._push_summary(context, summary)
            self.log.info(
                "Fetched %d rows of %s: %s.", summary.total, self._subject, describe_progress(summary)
            )
            return result

    @property
    def _subject(self) -> str:
        """What is asked for, in words, without phone numbers."""
        raise NotImplementedError

    def _fetch(self, hook: SMSPartnerHook) -> AbstractContextManager[Generator[StatusRow, None, None]]:
        """Check what is asked for, and give its rows lazily."""
        raise NotImplementedError


class SMSPartnerStatusByTagOperator(_FetchOperator):
    """
    Fetch the statuses of all messages of a tag.

    XCom ``return_value`` is the list of rows, XCom ``summary`` their summary.

    :param tag: the campaign's tag, 1 to 20 characters without white space. (templated)
    :param allow_empty: give no rows for a tag that the vendor does not know, instead of failing.
    :param kwargs: `output_path`, `output_conn_id`, `max_xcom_rows` and `smspartner_conn_id`, which
        `airflow_provider_smspartner._tasks.status_task.StatusTask` describes, and those of every operator.
    :raises SMSPartnerInputError: if an argument is wrong, before anything is sent.
    :raises SMSPartnerNotFoundError: if no message has this tag, unless `allow_empty`.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
    """

    template_fields: Sequence[str] = ("tag", *StatusTask.template_fields)

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
            yield from self._iter_status_by_tag(hook, self.tag)
        except SMSPartnerNotFoundError:
            if not self.allow_empty:
                raise


class SMSPartnerMultiStatusOperator(_FetchOperator):
    """
    Fetch the statuses of a list of messages, in the list's order.

    XCom ``return_value`` is the list of rows, one for each message, XCom ``summary`` their summary. A message
    that is named again is asked for once and has one row.

    :param messages: each a ``(phone_number, message_id)`` pair or a mapping with both; a list, or the output of
        an upstream task; or the path of an NDJSON, CSV or Parquet file with those two columns, which is held in a
        temporary file on disk. (templated)
    :param kwargs: `output_path`, `output_conn_id`, `max_xcom_rows` and `smspartner_conn_id`, which
        `airflow_provider_smspartner._tasks.status_task.StatusTask` describes, and those of every operator.
    :raises SMSPartnerInputError: if an argument or a message is wrong, before anything is sent.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/bulk-status
    """

    template_fields: Sequence[str] = ("messages", *StatusTask.template_fields)
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
            closing(self._read_pending(self.messages)) as messages,
            closing(hook.iter_multi_status(messages, distinct=True)) as rows,
        ):
            yield rows


def _name_subject(error: SMSPartnerError, subject: str) -> None:
    """Put what was asked for into an error's text, unless it is there."""
    text = str(error)
    if subject not in text:
        error.args = (f"{subject[0].upper()}{subject[1:]}: {text}", *error.args[1:])
