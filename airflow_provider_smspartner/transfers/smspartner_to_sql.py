"""The transfer: delivery statuses from SMS Partner into a table of a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._pseudonyms import MASK
from airflow_provider_smspartner._tasks.arguments import (
    check_literal_messages,
    check_literals,
    check_rendered,
    check_source,
)
from airflow_provider_smspartner._tasks.execution import Execution
from airflow_provider_smspartner._tasks.lineage import report_input, report_output
from airflow_provider_smspartner._tasks.phone_number_task import PhoneNumberTask
from airflow_provider_smspartner._tasks.subjects import list_subject, name_subject, tag_subject
from airflow_provider_smspartner._tasks.summaries import PushesSummary
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerNotFoundError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import (
    StatusRow,
    StatusSummary,
    counts_from_json,
    describe_progress,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_smspartner._sql.load import Landed, Load

_KILLED = (
    "The task was terminated while it ran. The table has either none of the new rows, or, if they were just being "
    "committed, all of them."
)


class SMSPartnerStatusToSqlOperator(PushesSummary, PhoneNumberTask):
    """
    Fetch statuses into a table of any database that Airflow has a `DbApiHook` for.

    The rows of a list are inserted, or take the place of the rows with the same phone number and message id. The rows
    of a tag, which have no message id, take the place of all rows of that tag. Either happens in one transaction.

    The table has the columns of a status row, and ``tag``, which is empty for a list, and ``checked_at``. ``date`` and
    ``checked_at`` are timestamps with time zone; MariaDB, MySQL and SQLite keep no time zone, and have them in UTC. A
    missing table is created before the first request.

    XCom ``return_value`` is ``{"table": …, "rows": n, "changed": n}``: the rows that were written, and how many of
    them are new or had another status before. XCom ``summary`` is the summary of the rows.

    It needs the extra ``sql``, and Airflow's provider of the database.

    :param table: the table, ``name`` or ``schema.name``: letters, digits and underscores. (templated)
    :param sql_conn_id: the Airflow connection of the database. (templated)
    :param tag: the campaign's tag; exactly one of `tag` and `messages` is given. (templated)
    :param messages: each a ``(phone_number, message_id)`` pair or a mapping with both; a list, or the output of an
        upstream task; or the path of an NDJSON, CSV or Parquet file with those two columns. (templated)
    :param history_table: a table that gets a row, with ``observed_at`` instead of ``checked_at``, whenever the status
        of a message is new or has changed. The rows of a tag do not say which message they are of: there, rows of the
        same phone number and status are counted, and those that are more than before are new. (templated)
    :param create_tables: create tables that are missing, instead of failing.
    :param allow_empty: take a tag that the vendor does not know for one without new rows, instead of failing: the table
        keeps the rows that it has of the tag.
    :param kwargs: `phone_numbers` and `pseudonym_conn_id`, which
        `airflow_provider_smspartner._tasks.phone_number_task.PhoneNumberTask` describes, `smspartner_conn_id`, and
        those of every operator. The key of a list's row has the phone number as it is written.
    :raises SMSPartnerInputError: if an argument, a message or a table is wrong, before anything is asked; it has the
        statement that would mend a table. If masked phone numbers of a list can no longer be told apart.
    :raises SMSPartnerNotFoundError: if no message has this tag, unless `allow_empty`.
    :raises SMSPartnerError: if the database refuses something, with names and codes but no words of the driver; and see
        the error tree in `airflow_provider_smspartner.exceptions`. Nothing was written then.
    """

    template_fields: Sequence[str] = (
        *("table", "sql_conn_id", "tag", "messages", "history_table"),
        *PhoneNumberTask.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    _optional: ClassVar[frozenset[str]] = PhoneNumberTask._optional | {"tag", "history_table"}  # noqa: SLF001 - its own class

    def __init__(
        self,
        *,
        table: str,
        sql_conn_id: str,
        tag: str | None = None,
        messages: Iterable[object] | None = None,
        history_table: str | None = None,
        create_tables: bool = True,
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.sql_conn_id = sql_conn_id
        self.tag = tag
        self.messages = messages
        self.history_table = history_table
        self.create_tables = create_tables
        self.allow_empty = allow_empty
        check_source(self)
        check_literals(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Fetch the rows, and let them land.

        :param context: the task's context; without a task instance in it, as in a unit test, no summary is pushed.
        """
        from airflow_provider_smspartner._http.paging import begin_anew

        check_rendered(self)
        check_source(self)
        release = self._releasing()
        counts: Counter[str] = Counter()

        def passing(rows: Iterable[StatusRow]) -> Iterator[StatusRow]:
            for row in rows:
                counts[row["status"]] += 1
                yield release(row)

        with Execution(self, when_killed=_KILLED) as execution:
            try:
                with (
                    self._open_messages() as messages,
                    self._open_load() as load,
                    execution.use(SMSPartnerHook(self.smspartner_conn_id)) as hook,
                ):

                    def read() -> None:
                        counts.clear()
                        with closing(self._fetch(hook, messages)) as rows:
                            load.take(passing(rows))

                    begin_anew(read)
                    checked_at = _clock.now()
                    landed = load.land(checked_at, execution.check)
            except SMSPartnerError as error:
                if counts:
                    error.note_rows(counts.total())
                name_subject(error, self._subject)
                raise
            return self._landed(
                context, landed, StatusSummary(counts=counts_from_json(counts), checked_at=checked_at)
            )

    def _landed(self, context: Context, landed: Landed, summary: StatusSummary) -> dict[str, Any]:
        """Tell what was written, once the tables have it."""
        for uri, rows in landed.written.items():
            report_output(self, uri, rows=rows)
        self._push_summary(context, summary)
        self.log.info(
            "%s has %d rows of %s, of which %d are new or have another status than before: %s.",
            self.table,
            landed.rows,
            self._subject,
            landed.changed,
            describe_progress(summary),
        )
        return {"table": self.table, "rows": landed.rows, "changed": landed.changed}

    def _check_lists(self) -> None:
        if self.messages is not None:
            check_literal_messages(self.messages, may_be_empty=True)

    @property
    def _subject(self) -> str:
        return list_subject(self.messages) if self.tag is None else tag_subject(self.tag)

    @contextmanager
    def _open_messages(self) -> Iterator[Iterable[Any]]:
        """Read the messages of a list, and check all of them; none for a tag."""
        if self.tag is not None:
            yield ()
            return
        from airflow_provider_smspartner._messages.from_argument import read_pending

        with closing(read_pending(self.messages)) as messages:
            if isinstance(self.messages, str):
                report_input(self, self.messages)
            yield messages

    def _open_load(self) -> Load:
        from airflow_provider_smspartner._sql.load import Load
        from airflow_provider_smspartner._sql.names import TableName

        return Load(
            self.sql_conn_id,
            TableName.of("table", self.table),
            history=TableName.of("history_table", self.history_table) if self.history_table else None,
            tag=self.tag,
            create=self.create_tables,
            check_keys=self.phone_numbers == MASK,
        )

    def _fetch(self, hook: SMSPartnerHook, messages: Iterable[Any]) -> Generator[StatusRow, None, None]:
        if self.tag is not None:
            return self._of_tag(hook, self.tag)
        return hook.iter_multi_status(messages, distinct=True)

    def _of_tag(self, hook: SMSPartnerHook, tag: str) -> Generator[StatusRow, None, None]:
        with closing(hook.iter_status_by_tag(tag, read_ahead=True)) as rows:
            try:
                yield from islice(rows, 1)
            except SMSPartnerNotFoundError:
                if not self.allow_empty:
                    raise
                self.log.info(
                    "SMS Partner does not know %s: %s keeps the rows that it has of it.",
                    self._subject,
                    self.table,
                )
            # A tag that is known and then not has no rows that may be taken for all.
            yield from rows
