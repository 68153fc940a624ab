"""The operators: send SMS, fetch their delivery statuses by tag or by message list, and fetch the stop list."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_smspartner._files.columns import STOP_LIST, Table
from airflow_provider_smspartner._sending.recipients import MAX_RECIPIENTS
from airflow_provider_smspartner._sending.summary import describe_receipts, summarised
from airflow_provider_smspartner._tasks.account_task import AccountTask
from airflow_provider_smspartner._tasks.arguments import (
    check_literal_messages,
    check_literal_recipients,
    check_literals,
    check_rendered,
)
from airflow_provider_smspartner._tasks.execution import Execution
from airflow_provider_smspartner._tasks.ledger import open_ledger
from airflow_provider_smspartner._tasks.lineage import report_input
from airflow_provider_smspartner._tasks.output_task import OutputTask
from airflow_provider_smspartner._tasks.results import Results, StatusResults
from airflow_provider_smspartner._tasks.status_task import StatusTask
from airflow_provider_smspartner._tasks.subjects import list_subject, name_subject, tag_subject
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerNotFoundError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import StatusRow, describe_progress

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


_SENDING_KILLED = (
    "The task was terminated while it was sending: no further call is made. Its log says what was sent."
)


class _FetchOperator(StatusTask):
    """Fetches rows at once, delivers them, and pushes their summary."""

    def execute(self, context: Context) -> Any:
        """
        Fetch the rows.

        :param context: the task's context; without a task instance in it, as in a unit test, no summary is pushed.
        """
        from airflow_provider_smspartner._http.paging import begin_anew

        check_rendered(self)
        with Execution(self) as execution:
            release = self._releasing()

            def read() -> tuple[StatusResults, Any]:
                results = StatusResults(Results(self._open_output(), self._check_rows, release, execution))
                with self._fetch(hook) as rows:
                    return results, results.take(rows)

            try:
                with execution.use(SMSPartnerHook(self.smspartner_conn_id)) as hook:
                    results, result = begin_anew(read)
            except SMSPartnerError as error:
                name_subject(error, self._subject)
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
    :param kwargs: `output_path`, `output_conn_id`, `max_xcom_rows`, `phone_numbers`, `pseudonym_conn_id` and
        `smspartner_conn_id`, which `airflow_provider_smspartner._tasks.output_task.OutputTask` describes, and those of
        every operator.
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
        return tag_subject(self.tag)

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
    :param kwargs: `output_path`, `output_conn_id`, `max_xcom_rows`, `phone_numbers`, `pseudonym_conn_id` and
        `smspartner_conn_id`, which `airflow_provider_smspartner._tasks.output_task.OutputTask` describes, and those of
        every operator.
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

    def _check_lists(self) -> None:
        check_literal_messages(self.messages, may_be_empty=True)

    @property
    def _subject(self) -> str:
        return list_subject(self.messages)

    @contextmanager
    def _fetch(self, hook: SMSPartnerHook) -> Iterator[Generator[StatusRow, None, None]]:
        with (
            closing(self._read_pending(self.messages)) as messages,
            closing(hook.iter_multi_status(messages, distinct=True)) as rows,
        ):
            yield rows


class SMSPartnerSendOperator(AccountTask):
    """
    Send SMS, and never the same one twice because something failed.

    XCom ``return_value`` is the list of what SMS Partner accepted, in order: ``{"phone_number", "message_id"}`` each,
    as the sensor and `SMSPartnerMultiStatusOperator` take them as `messages`. XCom ``summary`` counts recipients,
    SMS, cost and calls. A refused recipient is counted and warned about; the task fails if all are refused.

    Since Airflow 3.3 a retry goes on where the last try ended, also after a kill: calls that were made are not made
    again. A call that was under way when the last try ended may have been made: then the task fails without further
    retries. Before Airflow 3.3 only the first try of a task sends. Whether a cleared task sends anew is up to Airflow:
    3.3 keeps what it has sent, 3.4 forgets it unless told to keep it. To send anew on purpose, start a new DAG run.

    :param recipients: with `message`, phone numbers that all get that text; without, ``(phone_number, text)`` pairs
        or mappings with ``phone_number`` and ``message``. A list, the output of an upstream task, or the path of an
        NDJSON, CSV or Parquet file with those columns. A number that is named again gets one SMS. With no recipients
        the task is skipped, and its summary counts none. (templated)
    :param message: the text for all recipients, at most 10 SMS: 160 characters, then 153 each, as the vendor counts
        them. A link that would not arrive as it is written is refused. (templated)
    :param tag: to find the SMS by later: 1 to 20 characters without white space. (templated)
    :param sender: who they are from: 3 to 11 letters or digits; by default the account's own. (templated)
    :param scheduled_at: when they are to leave: an aware datetime, or its ISO text; the vendor takes steps of five
        minutes, so the next one from then on. (templated)
    :param stop_notice: let the vendor add how to answer STOP.
    :param unicode: send the texts as Unicode, 70 characters an SMS; the vendor must have enabled it for the account.
    :param sandbox: True to neither deliver nor charge anything; None to do as the connection says. No DAG can leave the
        sandbox of its connection.
    :param max_recipients: more recipients than that are an error, before anything is sent.
    :param kwargs: `smspartner_conn_id`, the Airflow connection that holds the API key (templated), and those of every
        operator.
    :raises SMSPartnerInputError: if an argument or a recipient is wrong, before anything is sent.
    :raises SMSPartnerAmbiguousSendError: if SMS may or may not have left; says what surely was sent. Never retried.
    :raises SMSPartnerCreditError: if the account has no credit left; its `receipts` are of the calls before.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner
    """

    template_fields: Sequence[str] = (
        *("recipients", "message", "tag", "sender", "scheduled_at"),
        *AccountTask.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"recipients": "json"}
    _optional: ClassVar[frozenset[str]] = frozenset({"message", "tag", "sender", "scheduled_at"})

    def __init__(
        self,
        *,
        recipients: object,
        message: str | None = None,
        tag: str | None = None,
        sender: str | None = None,
        scheduled_at: datetime | str | None = None,
        stop_notice: bool = False,
        unicode: bool = False,
        sandbox: bool | None = None,
        max_recipients: int = MAX_RECIPIENTS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recipients = recipients
        self.message = message
        self.tag = tag
        self.sender = sender
        self.scheduled_at = scheduled_at
        self.stop_notice = stop_notice
        self.unicode = unicode
        self.sandbox = sandbox
        self.max_recipients = max_recipients
        check_literals(self)

    def execute(self, context: Context) -> list[dict[str, str]]:
        """
        Send what no earlier try has sent.

        :param context: the task's context; without a task instance in it, as in a unit test, no summary is pushed and
            nothing is remembered.
        """
        check_rendered(self)
        # The execution knows no hook: a call that is under way is not cut off by a kill, so that its end is noted.
        with (
            Execution(self, when_killed=_SENDING_KILLED) as execution,
            SMSPartnerHook(self.smspartner_conn_id) as hook,
        ):
            send = hook._prepare(  # noqa: SLF001 - the provider's own door
                self.recipients,
                self.message,
                tag=self.tag,
                sender=self.sender,
                scheduled_at=self.scheduled_at,
                stop_notice=self.stop_notice,
                unicode=self.unicode,
                sandbox=self.sandbox,
                max_recipients=self.max_recipients,
            )
            if isinstance(self.recipients, str):
                report_input(self, self.recipients)
            ledger = open_ledger(context, hook._fingerprint(send), send.call_count)  # noqa: SLF001
            receipts = hook._deliver(send, ledger, check=execution.check)  # noqa: SLF001
            self._publish_summary(context, summarised(receipts, tag=self.tag))
            if not send.numbers:
                raise AirflowSkipException("`recipients` has no entries: there is nobody to send to.")
            self.log.info("Sent: %s.", describe_receipts(receipts))
            return [message for receipt in receipts for message in receipt.messages]

    def _check_lists(self) -> None:
        check_literal_recipients(
            self.recipients, self.message, unicode=self.unicode, max_recipients=self.max_recipients
        )


class SMSPartnerStopListOperator(OutputTask):
    """
    Fetch everybody who answered STOP.

    XCom ``return_value`` is the list of rows: ``{"phone_number", "created_at"}``, the number in E.164 and the time as
    ISO text, or null where it cannot be read.

    :param kwargs: `output_path`, `output_conn_id`, `max_xcom_rows`, `phone_numbers`, `pseudonym_conn_id` and
        `smspartner_conn_id`, which `airflow_provider_smspartner._tasks.output_task.OutputTask` describes, and those of
        every operator.
    :raises SMSPartnerInputError: if an argument is wrong, before anything is asked; if there are more rows than
        `max_xcom_rows`.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/replies-opt-outs-management/stop-list
    """

    _table: ClassVar[Table] = STOP_LIST

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_literals(self)

    def execute(self, context: Context) -> Any:
        """
        Fetch the rows.

        :param context: the task's context.
        """
        check_rendered(self)
        with Execution(self) as execution:
            results = Results(self._open_output(), self._check_rows, self._releasing(), execution)
            with (
                execution.use(SMSPartnerHook(self.smspartner_conn_id)) as hook,
                closing(hook.iter_stop_list()) as rows,
            ):
                result = results.take(rows)
            execution.check()
            self.log.info("Fetched %d rows of the stop list.", results.count)
            return result
