"""Rows on their way into the staging table: by COPY where the driver has it, elsewhere many at a time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from airflow_provider_smspartner._files.columns import STATUS_ROWS, Kind
from airflow_provider_smspartner._sql.tables import NAIVE, ROW_COLUMNS

Row = Mapping[str, Any]

CHUNK_ROWS = 5_000
"""Rows that are held at once, and are one round trip: the messages of ten calls."""

# Nearly every row has its own; the other facts are the same for many.
_OWN = [column.name for column in STATUS_ROWS if column.kind is Kind.TEXT]
_SHARED = [column.name for column in STATUS_ROWS if column.kind is not Kind.TEXT]
_INSTANTS = [column.name for column in STATUS_ROWS if column.kind is Kind.INSTANT]


def stager(connection: sa.Connection, staged: sa.Table) -> Callable[[Sequence[Row]], None]:
    """
    Return what puts rows into a staging table.

    :param connection: with the table.
    :param staged: the table.
    """
    dialect = connection.dialect
    put_text = {"psycopg": _copy_by_psycopg, "psycopg2": _copy_by_psycopg2}.get(dialect.driver)
    if dialect.name == "postgresql" and put_text is not None:
        preparer = dialect.identifier_preparer
        columns = ", ".join(preparer.quote(name) for name in (*_OWN, *_SHARED))
        copy = f"COPY {preparer.format_table(staged)} ({columns}) FROM STDIN"
        # The driver's own connection: SQLAlchemy's transaction is its transaction.
        return lambda rows: put_text(connection.connection.cursor(), copy, _encoded(rows))
    insert = sa.insert(staged)
    naive = dialect.name in NAIVE
    return lambda rows: _insert(connection, insert, rows, naive=naive)


def _copy_by_psycopg(cursor: Any, statement: str, text: str) -> None:
    with cursor, cursor.copy(statement) as copy:
        copy.write(text)


def _copy_by_psycopg2(cursor: Any, statement: str, text: str) -> None:
    with cursor:
        cursor.copy_expert(statement, io.StringIO(text))


def _insert(connection: sa.Connection, insert: Any, rows: Sequence[Row], *, naive: bool) -> None:
    read = _read_in_utc if naive else _read
    connection.execute(
        insert,
        [
            {
                **{name: row[name] for name in ROW_COLUMNS},
                **{name: read(row[name]) for name in _INSTANTS if row[name] is not None},
            }
            for row in rows
        ],
    )


@lru_cache(maxsize=4096)
def _read(text: str) -> datetime:
    return datetime.fromisoformat(text)


@lru_cache(maxsize=4096)
def _read_in_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


# The text format of COPY, as the manual of PostgreSQL describes it.
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_NULL = r"\N"

_own_facts = itemgetter(*_OWN)
_shared_facts = itemgetter(*_SHARED)


def _encoded(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        own = "\t".join([_own_text(fact) for fact in _own_facts(row)])
        lines.append(f"{own}\t{_shared_text(*_shared_facts(row))}\n")
    return "".join(lines)


def _own_text(fact: str | None) -> str:
    if fact is None:
        return _NULL
    return fact.translate(_ESCAPED) if _SPECIAL.search(fact) else fact


@lru_cache(maxsize=4096)
def _shared_text(*facts: Any) -> str:
    return "\t".join([_as_text(fact) for fact in facts])


def _as_text(fact: Any) -> str:
    match fact:
        case None:
            return _NULL
        case bool():
            return "t" if fact else "f"
        case int():
            return str(fact)
    return str(fact).translate(_ESCAPED)
