"""The parameters, and the ways out, of the operators and the sensor that deliver statuses."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from airflow_provider_smspartner._tasks.output_task import OutputTask
from airflow_provider_smspartner._tasks.summaries import PushesSummary
from airflow_provider_smspartner.exceptions import SMSPartnerInputError, TooManyRowsError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

if TYPE_CHECKING:
    from airflow_provider_smspartner._messages.pending import PendingMessages
    from airflow_provider_smspartner.models import StatusRow


class StatusTask(PushesSummary, OutputTask):
    """
    A task that delivers the statuses of messages, into XCom or into a file.

    :param kwargs: `output_path`, `output_conn_id`, `max_xcom_rows`, `phone_numbers`, `pseudonym_conn_id` and
        `smspartner_conn_id`, which `OutputTask` describes, and those of every operator.
    """

    def _iter_status_by_tag(self, hook: SMSPartnerHook, tag: str) -> Generator[StatusRow, None, None]:
        """
        Yield the rows of a tag, unless XCom cannot hold them all: the first page tells how many there are.

        :param hook: asks for the rows.
        :param tag: the campaign's tag.
        :raises SMSPartnerInputError: if they are too many; says what to do.
        :raises SMSPartnerError: as the hook does.
        """
        try:
            yield from hook.iter_status_by_tag(tag, max_rows=self._max_rows, read_ahead=True)
        except TooManyRowsError as error:
            raise self._too_many(error.count) from None

    def _read_pending(self, messages: object) -> PendingMessages:
        """
        Read messages, each once: a list into memory, a file onto the disk.

        :param messages: rendered.
        :return: to be closed.
        :raises SMSPartnerInputError: if they are neither a list nor the path of a file, or are more than XCom can hold
            rows; or names the position and the fault of a bad message.
        """
        from airflow_provider_smspartner._messages.from_argument import read_pending
        from airflow_provider_smspartner._tasks.lineage import report_input

        pending = read_pending(messages)
        if isinstance(messages, str):
            report_input(self, messages)
        try:
            self._check_rows(len(pending))
        except SMSPartnerInputError:
            pending.close()
            raise
        return pending
