"""How results leave a task: rows into XCom or into a file, and their summary into XCom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_smspartner._campaign import Pending, PendingList, counts_from_json
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerInputError
from airflow_provider_smspartner.models import (
    DeliveryStatus,
    StatusRow,
    StatusSummary,
    check_rows,
    read_messages,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_smspartner._execution import Execution
    from airflow_provider_smspartner._landing.output import Output

MAX_XCOM_ROWS = 10_000
"""An XCom is for kilobytes: these rows are about two megabytes."""


class Results:
    """
    The rows of a task, counted on their way into a list or a file.

    :param output: the file, or None for a list.
    :param max_rows: more rows in a list are an error; None for any number.
    :param execution: the task's; a file is abandoned with it.
    """

    def __init__(self, output: Output | None, max_rows: int | None, execution: Execution) -> None:
        self._execution = execution
        self._output = output
        self._max_rows = max_rows
        self._counts: Counter[str] = Counter()

    @property
    def summary(self) -> StatusSummary:
        """Count the rows by status."""
        return StatusSummary(counts=counts_from_json(self._counts), checked_at=datetime.now(UTC))

    def take(self, rows: Iterable[StatusRow]) -> Any:
        """
        Take all rows, and give what XCom shall hold of them: themselves, or where they are.

        :param rows: read once.
        """
        try:
            if self._output is None:
                return list(self.counted(rows))
            with self._execution.open(self._output) as sink:
                sink.write(self.counted(rows))
                self._execution.check()
                return sink.commit()
        except SMSPartnerError as error:
            error.note_rows(self._counts.total())
            raise

    def counted(self, rows: Iterable[StatusRow]) -> Iterator[StatusRow]:
        """Pass rows on, and count them."""
        for row in rows:
            self._counts[row["status"]] += 1
            if self._output is None:
                check_rows(self._counts.total(), self._max_rows)
            yield row


def output_of(operator: Any) -> Output | None:
    """
    Find out where an operator's rows shall land, and make sure that they can.

    :param operator: has `output_path` and `output_conn_id`, rendered.
    :raises SMSPartnerInputError: if the path's ending or its storage is unknown.
    :raises ImportError: if its format or its storage needs a package that is not installed.
    :raises OSError: if no file can be written there.
    """
    if operator.output_path is None:
        return None
    from airflow_provider_smspartner._landing.output import Output

    output = Output.of(operator.output_path, operator.output_conn_id)
    output.check()
    return output


def max_rows_of(operator: Any) -> int | None:
    """Tell how many rows an operator may give: None where they do not go into XCom."""
    return operator.max_xcom_rows if operator.do_xcom_push and operator.output_path is None else None


def pending_of(operator: Any) -> Pending:
    """
    Read an operator's messages, each once: a list into memory, a file onto the disk.

    :param operator: has `messages`, rendered.
    :return: to be closed.
    :raises SMSPartnerInputError: if they are neither a list nor the path of a file, or are more than the operator
        may give rows; or names the position and the fault of a bad message.
    """
    from airflow_provider_smspartner._landing.source import names_a_file

    pending: Pending
    if names_a_file(operator.messages):
        from airflow_provider_smspartner._landing.backlog import Backlog

        pending = Backlog.of(operator.messages).lightest()
    else:
        pending = PendingList(dict.fromkeys(read_messages(operator.messages)))
    try:
        check_rows(len(pending), max_rows_of(operator))
    except SMSPartnerInputError:
        pending.close()
        raise
    return pending


def publish(operator: BaseOperator, context: Context, summary: StatusSummary) -> None:
    """
    Push a summary to XCom, and warn of statuses that this version does not know.

    :param operator: whose results they are.
    :param context: the task's context.
    :param summary: of all rows of the campaign.
    """
    if unknown := summary.counts.get(DeliveryStatus.UNKNOWN):
        operator.log.warning(
            "%d messages have a status that this version does not know; they count as having left Waiting, and "
            "neither as delivered nor as failed. Their rows hold the vendor's text in raw_status.",
            unknown,
        )
    push(operator, context, "summary", summary.as_dict())


def push(operator: BaseOperator, context: Context, key: str, value: Any) -> None:
    """
    Push a value to XCom, if the operator pushes any and there is a task instance: in a unit test there may be none.

    :param operator: whose value it is.
    :param context: the task's context.
    :param key: the XCom's key.
    :param value: plain JSON types only.
    """
    task_instance = context.get("ti") if context else None
    if operator.do_xcom_push and task_instance is not None:
        task_instance.xcom_push(key=key, value=value)
