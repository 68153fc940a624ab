"""The parameters, and the ways out, that the operators and the sensor share."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_smspartner._tasks.account_task import AccountTask
from airflow_provider_smspartner.exceptions import SMSPartnerInputError, TooManyRowsError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import DeliveryStatus

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_smspartner._files.output import Output
    from airflow_provider_smspartner._messages.pending import PendingMessages
    from airflow_provider_smspartner.models import StatusRow, StatusSummary

MAX_XCOM_ROWS = 10_000
"""An XCom is for kilobytes: these rows are about two megabytes."""


class StatusTask(AccountTask):
    """
    A task that delivers the statuses of messages, into XCom or into a file.

    :param output_path: write the rows to this file instead of XCom: a path or URI that Airflow's ObjectStoragePath
        takes, ending in ``.ndjson``, ``.csv`` (each also ``.gz``) or ``.parquet``. XCom ``return_value`` is then
        ``{"path": …, "rows": n, "format": …}``. (templated)
    :param output_conn_id: the Airflow connection of that storage, if it is not in the URI. (templated)
    :param max_xcom_rows: more rows than that without `output_path` are an error.
    :param kwargs: `smspartner_conn_id`, which `AccountTask` describes, and those of every operator.
    """

    template_fields: Sequence[str] = ("output_path", "output_conn_id", *AccountTask.template_fields)

    def __init__(
        self,
        *,
        output_path: str | None = None,
        output_conn_id: str | None = None,
        max_xcom_rows: int = MAX_XCOM_ROWS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.output_conn_id = output_conn_id
        self.max_xcom_rows = max_xcom_rows

    def _open_output(self) -> Output | None:
        """
        Return the file that the rows go into, made sure that it can be written, or None for XCom.

        :raises SMSPartnerInputError: if the path's ending or its storage is unknown.
        :raises ImportError: if its format or its storage needs a package that is not installed.
        :raises OSError: if no file can be written there.
        """
        if self.output_path is None:
            return None
        from airflow_provider_smspartner._files.output import Output

        output = Output.of(self.output_path, self.output_conn_id)
        output.check()
        return output

    @property
    def _max_rows(self) -> int | None:
        """The most rows that the task may deliver, or None if they do not go into XCom."""
        return self.max_xcom_rows if self.do_xcom_push and self.output_path is None else None

    def _check_rows(self, count: int) -> None:
        """
        Make sure that XCom can hold the rows.

        :param count: rows that there are, or are known so far.
        :raises SMSPartnerInputError: says what to do.
        """
        if self._max_rows is not None and count > self._max_rows:
            raise self._too_many(count)

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

        pending = read_pending(messages)
        try:
            self._check_rows(len(pending))
        except SMSPartnerInputError:
            pending.close()
            raise
        return pending

    def _too_many(self, count: int) -> SMSPartnerInputError:
        return SMSPartnerInputError(
            f"{count} rows are more than `max_xcom_rows`, {self.max_xcom_rows}: write them to a file with "
            "`output_path`, or raise the limit if your XCom can hold them."
        )

    def _push_summary(self, context: Context, summary: StatusSummary) -> None:
        """
        Push the summary to XCom, and warn of statuses that this version does not know.

        :param context: the task's context.
        :param summary: of all rows of the campaign.
        """
        if unknown := summary.counts.get(DeliveryStatus.UNKNOWN):
            self.log.warning(
                "%d messages have a status that this version does not know; they count as having left Waiting, and "
                "neither as delivered nor as failed. Their rows hold the vendor's text in raw_status.",
                unknown,
            )
        self._push(context, "summary", summary.as_dict())
