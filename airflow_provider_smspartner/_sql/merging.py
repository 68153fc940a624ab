"""
The statements that take staged rows into the table: SQLAlchemy writes them for each dialect.

Rows of lists have a message id, rows of tags have none: neither kind ever touches the other's.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from airflow_provider_smspartner._sql.tables import KEY, ROW_COLUMNS, TAG


def changed_of_list(staged: sa.Table, table: sa.Table) -> sa.Select[Any]:
    """
    Select the staged rows of a list that are new, or have another status than the table's row of the same key.

    :param staged: the rows that were read.
    :param table: as it is before they land.
    """
    return (
        sa.select(*staged.c)
        .select_from(staged.outerjoin(table, _same(staged, table, KEY)))
        .where(sa.or_(table.c.status.is_(None), table.c.status != staged.c.status))
    )


def changed_of_tag(staged: sa.Table, table: sa.Table, tag: str) -> sa.Select[Any]:
    """
    Select the staged rows of a tag that are new, or have another status than before.

    Its rows have no id, and a number may have several. So the rows of a number with a status are counted: as many as
    the table has are taken to be known, the oldest first; the others are new or have changed.

    :param staged: the rows that were read.
    :param table: as it is before they land.
    :param tag: whose rows they are.
    """
    alike = ("phone_number", "status")
    place = sa.func.row_number().over(partition_by=[staged.c[name] for name in alike], order_by=staged.c.date)
    numbered = sa.select(*staged.c, place.label("place")).subquery()
    known = (
        sa.select(*(table.c[name] for name in alike), sa.func.count().label("known"))
        .where(_of_tag(table, tag))
        .group_by(*(table.c[name] for name in alike))
        .subquery()
    )
    return (
        sa.select(*(numbered.c[name] for name in ROW_COLUMNS))
        .select_from(numbered.outerjoin(known, _same(numbered, known, alike)))
        .where(numbered.c.place > sa.func.coalesce(known.c.known, 0))
    )


def inserted(source: sa.Select[Any], into: sa.Table, *more: Any) -> Any:
    """
    Insert selected rows into a table.

    :param source: selects the columns of a row.
    :param into: has those of `more`, too, as its last ones.
    :param more: what all the rows have in these.
    """
    return _insert(sa.insert(into), source, into, *more)


def upserts(staged: sa.Table, table: sa.Table, checked_at: Any, dialect: sa.Dialect) -> list[Any]:
    """
    Return the statements that insert the rows of a list, or update those that are there.

    :param staged: each key once.
    :param table: has a unique key.
    :param checked_at: an SQL expression.
    :param dialect: decides how it is said.
    """
    # SQLite cannot tell where a select ends and ON CONFLICT begins, unless there is a WHERE.
    source = sa.select(*staged.c).where(staged.c.message_id.is_not(None))
    more = (sa.literal("", sa.String()), checked_at)
    insert: Any
    match dialect.name:
        case "postgresql" | "sqlite":
            insert = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
            update = {column: insert.excluded[column] for column in _updated(table)}
            return [
                _insert(insert, source, table, *more).on_conflict_do_update(index_elements=KEY, set_=update)
            ]
        case "mysql" | "mariadb":
            insert = mysql.insert(table)
            update = {column: insert.inserted[column] for column in _updated(table)}
            return [_insert(insert, source, table, *more).on_duplicate_key_update(update)]
        case _:
            there = sa.select(sa.literal(1)).where(_same(staged, table, KEY)).correlate(table).exists()
            return [sa.delete(table).where(there), _insert(sa.insert(table), source, table, *more)]


def replacement(staged: sa.Table, table: sa.Table, tag: str, checked_at: Any) -> list[Any]:
    """
    Return the statements that put the staged rows in the place of all rows of a tag.

    :param staged: the rows that were read.
    :param table: where they go.
    :param tag: whose rows they are.
    :param checked_at: an SQL expression.
    """
    return [
        sa.delete(table).where(_of_tag(table, tag)),
        inserted(sa.select(*staged.c), table, sa.literal(tag, sa.String()), checked_at),
    ]


def repeated_keys(staged: sa.Table) -> sa.Select[Any]:
    """
    Count the keys that several staged rows have: masked, two phone numbers may look the same.

    :param staged: the rows that were read.
    """
    key = [staged.c[name] for name in KEY]
    return sa.select(sa.func.count()).select_from(
        sa.select(*key).group_by(*key).having(sa.func.count() > 1).subquery()
    )


def _insert(insert: Any, source: sa.Select[Any], into: sa.Table, *more: Any) -> Any:
    columns = [*ROW_COLUMNS, *list(into.c.keys())[len(ROW_COLUMNS) :]]
    return insert.from_select(columns, source.add_columns(*more))


def _updated(table: sa.Table) -> list[str]:
    return [name for name in table.c.keys() if name not in KEY]  # noqa: SIM118 - not a mapping


def _of_tag(table: sa.Table, tag: str) -> Any:
    # The index is of these rows alone, and whoever else has put rows with an id under a tag keeps them.
    return sa.and_(table.c[TAG] == tag, table.c.message_id.is_(None))


def _same(one: Any, other: Any, names: tuple[str, ...]) -> Any:
    return sa.and_(*(one.c[name] == other.c[name] for name in names))
