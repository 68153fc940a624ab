"""The rows of one fetch, on their way into XCom or into a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.models import StatusRow, StatusSummary, counts_from_json

if TYPE_CHECKING:
    from airflow_provider_smspartner._files.format import Row
    from airflow_provider_smspartner._files.output import Output
    from airflow_provider_smspartner._tasks.execution import Execution


class Results:
    """
    The rows of a task, counted on their way into a list or a file.

    :param output: the file, or None for a list.
    :param check_rows: called with the number of rows in a list so far; raises if they are too many.
    :param release: what each row passes through on its way out.
    :param execution: the task's; a file is abandoned with it.
    """

    def __init__(
        self,
        output: Output | None,
        check_rows: Callable[[int], None],
        release: Callable[[Row], Row],
        execution: Execution,
    ) -> None:
        self._release = release
        self._execution = execution
        self._output = output
        self._check_rows = check_rows
        self.count = 0
        """The rows so far."""

    def take(self, rows: Iterable[Row]) -> Any:
        """
        Take all rows, and return what XCom holds of them: the rows themselves, or where they are.

        :param rows: read once.
        :raises SMSPartnerError: says how many rows were fetched before it.
        """
        try:
            if self._output is None:
                return list(self._counted(rows))
            with self._execution.open(self._output) as sink:
                sink.write(self._counted(rows))
                self._execution.check()
                return self._execution.commit(sink)
        except SMSPartnerError as error:
            error.note_rows(self.count)
            raise

    def _counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.count += 1
            if self._output is None:
                self._check_rows(self.count)
            yield self._release(row)


class StatusResults:
    """
    The rows of a task that fetches statuses, counted by status as well.

    :param results: where they go.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self._counts: Counter[str] = Counter()

    @property
    def summary(self) -> StatusSummary:
        """The rows so far, counted by status."""
        return StatusSummary(counts=counts_from_json(self._counts), checked_at=_clock.now())

    def take(self, rows: Iterable[StatusRow]) -> Any:
        """Take all rows: as `Results.take`."""
        return self._results.take(self._counted(rows))

    def _counted(self, rows: Iterable[StatusRow]) -> Iterator[StatusRow]:
        for row in rows:
            self._counts[row["status"]] += 1
            yield row
