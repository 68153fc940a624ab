"""The tables, made of the columns that files have, too: what is written, its history, and where rows are staged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_smspartner._files.columns import STATUS_ROWS, Column, Kind

if TYPE_CHECKING:
    from airflow_provider_smspartner._sql.names import TableName

ROW_COLUMNS = [column.name for column in STATUS_ROWS]
KEY = ("phone_number", "message_id")
"""Of the rows of lists. The rows of tags have no message id, and nulls differ from each other in a unique key."""

TAG, CHECKED_AT, OBSERVED_AT = "tag", "checked_at", "observed_at"
NO_TAG = ""
"""The tag of the rows of lists."""

# A pseudonym has 64 characters; so has the longest message id. MySQL and MariaDB want to know it of what has an index.
_LENGTHS = {"phone_number": 64, "message_id": 64, "status": 16, TAG: 20}

# MySQL and MariaDB may have another default, which keeps no transactions.
_TRANSACTIONAL: dict[str, Any] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}

NAIVE = ("mysql", "mariadb", "sqlite")
"""Dialects that keep no time zone: they are given UTC."""


def statuses(name: TableName) -> sa.Table:
    """
    Return the table of what became of messages.

    :param name: the table's.
    """
    table = sa.Table(
        name.name,
        sa.MetaData(),
        *_of_rows(),
        sa.Column(TAG, _text(TAG), nullable=False),
        sa.Column(CHECKED_AT, _instant(), nullable=False),
        sa.UniqueConstraint(*KEY),
        schema=name.schema,
        **_TRANSACTIONAL,
    )
    # Finds the rows of a tag, and costs the rows of lists nothing where a partial index can be had.
    of_tags = table.c.message_id.is_(None)
    sa.Index(None, table.c.tag, postgresql_where=of_tags, sqlite_where=of_tags)
    return table


def history(name: TableName) -> sa.Table:
    """
    Return the table of the statuses that messages had, one after the other.

    :param name: the table's.
    """
    return sa.Table(
        name.name,
        sa.MetaData(),
        *_of_rows(),
        sa.Column(TAG, _text(TAG), nullable=False),
        sa.Column(OBSERVED_AT, _instant(), nullable=False),
        schema=name.schema,
        **_TRANSACTIONAL,
    )


def staging() -> sa.Table:
    """Return a temporary table for the rows of one load."""
    return sa.Table(
        f"smspartner_staging_{uuid4().hex[:12]}",
        sa.MetaData(),
        *_of_rows(),
        prefixes=["TEMPORARY"],
        **_TRANSACTIONAL,
    )


def moment(dialect: sa.Dialect, at: datetime) -> Any:
    """
    Return an instant to be put into a statement.

    :param dialect: the database's.
    :param at: aware.
    """
    utc = at.astimezone(UTC)
    return sa.literal(utc.replace(tzinfo=None) if dialect.name in NAIVE else utc, _instant())


def _of_rows() -> list[sa.Column[Any]]:
    return [sa.Column(column.name, _type_of(column), nullable=column.nullable) for column in STATUS_ROWS]


def _type_of(column: Column) -> sa.types.TypeEngine[Any]:
    match column.kind:
        case Kind.TEXT | Kind.CATEGORY:
            return _text(column.name)
        case Kind.INSTANT:
            return _instant()
        case Kind.BOOLEAN:
            return sa.Boolean()
        case Kind.INTEGER:
            return sa.Integer()


def _text(name: str) -> sa.types.TypeEngine[Any]:
    length = _LENGTHS.get(name)
    plain: sa.types.TypeEngine[Any] = sa.String(length) if length else sa.Text()
    # MySQL's and MariaDB's usual collations take "a1" and "A1" for the same message id.
    exact: sa.types.TypeEngine[Any] = (
        mysql.VARCHAR(length, collation="utf8mb4_bin") if length else mysql.TEXT(collation="utf8mb4_bin")
    )
    return plain.with_variant(exact, "mysql").with_variant(exact, "mariadb")


def _instant() -> sa.types.TypeEngine[Any]:
    fine = mysql.DATETIME(fsp=6)
    return sa.DateTime(timezone=True).with_variant(fine, "mysql").with_variant(fine, "mariadb")
