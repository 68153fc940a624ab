"""The parameters, and the ways out, of every task that delivers rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_smspartner._files.columns import STATUS_ROWS, Table
from airflow_provider_smspartner._tasks.phone_number_task import PhoneNumberTask
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

if TYPE_CHECKING:
    from airflow_provider_smspartner._files.output import Output

MAX_XCOM_ROWS = 10_000
"""An XCom is for kilobytes: these rows are about two megabytes."""


class OutputTask(PhoneNumberTask):
    """
    A task that delivers rows, into XCom or into a file.

    :param output_path: write the rows to this file instead of XCom: a path or URI that Airflow's ObjectStoragePath
        takes, ending in ``.ndjson``, ``.csv`` (each also ``.gz``) or ``.parquet``. XCom ``return_value`` is then
        ``{"path": …, "rows": n, "format": …}``. (templated)
    :param output_conn_id: the Airflow connection of that storage, if it is not in the URI. (templated)
    :param max_xcom_rows: more rows than that without `output_path` are an error.
    :param kwargs: `phone_numbers` and `pseudonym_conn_id`, which `PhoneNumberTask` describes, `smspartner_conn_id`,
        and those of every operator.
    """

    template_fields: Sequence[str] = ("output_path", "output_conn_id", *PhoneNumberTask.template_fields)
    _optional: ClassVar[frozenset[str]] = frozenset({"output_path", "output_conn_id", "pseudonym_conn_id"})

    _table: ClassVar[Table] = STATUS_ROWS
    """The columns of the file."""

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

        output = Output.of(self.output_path, self.output_conn_id, self._table)
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

    def _too_many(self, count: int) -> SMSPartnerInputError:
        return SMSPartnerInputError(
            f"{count} rows are more than `max_xcom_rows`, {self.max_xcom_rows}: write them to a file with "
            "`output_path`, or raise the limit if your XCom can hold them."
        )
