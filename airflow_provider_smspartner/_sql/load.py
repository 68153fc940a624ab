"""One load: tables are checked, rows are staged as they come, and all of them land in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from airflow_provider_smspartner._sql import merging, tables
from airflow_provider_smspartner._sql.checking import check_or_create
from airflow_provider_smspartner._sql.connecting import connect, engine_of, uri_of
from airflow_provider_smspartner._sql.errors import PERHAPS_WRITTEN, telling
from airflow_provider_smspartner._sql.locking import lock
from airflow_provider_smspartner._sql.names import TableName
from airflow_provider_smspartner._sql.staging import CHUNK_ROWS, Row, stager
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerInputError


class Landed(NamedTuple):
    """
    What a load has written.

    :param rows: that are in the table now.
    :param changed: of these, the rows that are new or had another status before.
    :param written: the URIs of the tables, and how many rows each was given.
    """

    rows: int
    changed: int
    written: Mapping[str, int]


class Load:
    """
    One load of statuses into a table; use it with ``with``, in which the tables are checked first.

    Until `land`, nothing but a temporary table is written, and no transaction stays open while rows are awaited.

    :param sql_conn_id: the Airflow connection of the database.
    :param table: where the rows go.
    :param history: the table of what has changed, or None.
    :param tag: whose rows they are, or None for those of a list.
    :param create: whether to create tables that are missing.
    :param check_keys: whether rows of a list may have the same key, for their phone numbers were masked.
    :raises SMSPartnerInputError: if a table does not fit; says what would mend it. If the connection keeps no
        transactions.
    :raises SMSPartnerError: if the database cannot be reached, or refuses something.
    """

    def __init__(
        self,
        sql_conn_id: str,
        table: TableName,
        *,
        history: TableName | None,
        tag: str | None,
        create: bool,
        check_keys: bool,
    ) -> None:
        self._table = tables.statuses(table)
        self._history = tables.history(history) if history else None
        self._tag = tag
        self._create = create
        self._check_keys = check_keys
        self._staged = tables.staging()
        self._sql_conn_id = sql_conn_id
        self._engine = engine_of(sql_conn_id)
        self._rows = 0

    def __enter__(self) -> Self:
        """Connect, check the tables, and make the staging table."""
        self._connection = self._connect()
        try:
            self._prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection: what has not landed is gone with it."""
        # Whether the rows have landed is known by now.
        with suppress(SMSPartnerError):
            self._close()

    def take(self, rows: Iterable[Row]) -> None:
        """
        Stage rows, in the place of those that were staged before.

        :param rows: read once, a few thousand held at a time.
        """
        if self._rows:
            self._empty()
            self._rows = 0
        # Outside of `_stage`: an error of whatever yields the rows is its own.
        for chunk in _chunks(rows):
            self._stage(chunk)
            self._rows += len(chunk)

    def land(self, checked_at: datetime, check: Callable[[], None]) -> Landed:
        """
        Let the rows land: whoever reads sees the old ones until all of the new ones are there.

        :param checked_at: when they were read, aware.
        :param check: raises if they should not land after all.
        """
        check()
        changed = self._merge(checked_at)
        check()
        self._commit()
        written = {uri_of(self._engine, self._table): self._rows}
        if self._history is not None:
            written[uri_of(self._engine, self._history)] = changed
        return Landed(self._rows, changed, written)

    @telling("Connecting to the database")
    def _connect(self) -> sa.Connection:
        return connect(self._engine)

    @telling("Preparing the tables")
    def _prepare(self) -> None:
        connection = self._connection
        check_or_create(connection, self._table, create=self._create, keyed=self._tag is None)
        if self._history is not None:
            check_or_create(connection, self._history, create=self._create, keyed=False)
        self._staged.create(connection)
        connection.commit()
        self._refuse_autocommit()
        self._put = stager(connection, self._staged)

    @telling("Staging the rows")
    def _stage(self, rows: list[Row]) -> None:
        self._put(rows)
        self._connection.commit()

    @telling("Staging the rows anew")
    def _empty(self) -> None:
        self._connection.execute(sa.delete(self._staged))
        self._connection.commit()

    @telling("Writing the rows")
    def _merge(self, checked_at: datetime) -> int:
        if not self._rows:
            # Of a tag that is not known, or no longer: what the table has of it is all that is left.
            return 0
        connection, staged, table = self._connection, self._staged, self._table
        at = tables.moment(connection.dialect, checked_at)
        lock(connection, table)
        if self._tag is None:
            if self._check_keys:
                self._refuse_repeated_keys()
            changed = merging.changed_of_list(staged, table)
            statements = merging.upserts(staged, table, at, connection.dialect)
        else:
            changed = merging.changed_of_tag(staged, table, self._tag)
            statements = merging.replacement(staged, table, self._tag, at)
        count = self._note(changed, at)
        for statement in statements:
            connection.execute(statement)
        return count

    def _note(self, changed: sa.Select[Any], at: Any) -> int:
        """Count what has changed, and write it into the history, if there is one."""
        if self._history is None:
            return self._connection.scalar(sa.select(sa.func.count()).select_from(changed.subquery())) or 0
        tag = sa.literal(self._tag or tables.NO_TAG, sa.String())
        # SQLAlchemy 2 does not keep the count of what is inserted, unless it is asked to.
        keeping = {"preserve_rowcount": True}
        return self._connection.execute(
            merging.inserted(changed, self._history, tag, at), execution_options=keeping
        ).rowcount

    def _refuse_repeated_keys(self) -> None:
        if repeated := self._connection.scalar(merging.repeated_keys(self._staged)):
            raise SMSPartnerInputError(
                f"Masked, {repeated} pairs of phone number and message id are those of several messages: one would "
                "take the place of the other. Use `phone_numbers='hmac'`. Nothing was written."
            )

    def _refuse_autocommit(self) -> None:
        """See whether what is taken back is gone: only then can a load that fails leave the old rows."""
        connection, staged = self._connection, self._staged
        connection.execute(
            sa.insert(staged).values({each.name: "" for each in staged.c if not each.nullable})
        )
        connection.rollback()
        count = connection.scalar(sa.select(sa.func.count()).select_from(staged))
        connection.commit()
        if count:
            raise SMSPartnerInputError(
                f"The connection {self._sql_conn_id!r} commits each statement by itself (autocommit): a load that "
                "failed would leave the table without its old rows. Let the connection, or its hook, keep "
                "transactions. Nothing was asked or written."
            )

    @telling("Committing the rows", PERHAPS_WRITTEN)
    def _commit(self) -> None:
        self._connection.commit()

    @telling("Closing the connection")
    def _close(self) -> None:
        self._connection.close()
        self._engine.dispose()


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK_ROWS)):
        yield chunk
