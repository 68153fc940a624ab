"""Whether a table is fit for rows of statuses, and if not, which statement would mend it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from airflow_provider_smspartner._sql.tables import KEY
from airflow_provider_smspartner.exceptions import SMSPartnerInputError


def check_or_create(connection: sa.Connection, table: sa.Table, *, create: bool, keyed: bool) -> None:
    """
    Make sure that a table is there and has what is needed.

    :param connection: is committed where the table is created.
    :param table: as it should be.
    :param create: whether to create it where it is missing.
    :param keyed: whether the rows of a list are to go in: these need a unique key, and those of tags need null ids.
    :raises SMSPartnerInputError: says all that is wrong, and the statements that would mend it.
    """
    inspector = sa.inspect(connection)
    dialect = connection.dialect
    if not inspector.has_table(table.name, table.schema):
        if not create:
            raise SMSPartnerInputError(
                f"There is no table {table.fullname}, and `create_tables` is False. Create it:\n"
                f"{_created(table, dialect)}"
            )
        if _create(connection, table):
            return
        inspector = sa.inspect(connection)
    faults = list(_faults(inspector, table, dialect, keyed=keyed))
    if faults:
        told = "\n".join(f"- {fault}:\n{statement}" for fault, statement in faults)
        raise SMSPartnerInputError(f"The table {table.fullname} does not fit. What would mend it:\n{told}")


def _create(connection: sa.Connection, table: sa.Table) -> bool:
    """Create a table, and return True; False if another load has just done so."""
    try:
        table.create(connection)
        connection.commit()
    except sa.exc.DBAPIError:
        connection.rollback()
        if sa.inspect(connection).has_table(table.name, table.schema):
            return False
        raise
    return True


def _faults(
    inspector: Any, table: sa.Table, dialect: sa.Dialect, *, keyed: bool
) -> Iterator[tuple[str, str]]:
    found = {each["name"]: each for each in inspector.get_columns(table.name, table.schema)}
    for column in table.c:
        there = found.get(column.name)
        if there is None:
            yield f"it has no column {column.name}", _added(column, dialect)
        elif not _fits(there["type"], _own_type(column, dialect), dialect):
            has = there["type"].compile(dialect=dialect)
            wanted = column.type.compile(dialect=dialect)
            yield f"its column {column.name} is {has}, not {wanted}", _retyped(column, dialect)
        elif column.nullable and not there["nullable"] and not (keyed and column.name in KEY):
            yield f"its column {column.name} takes no nulls", _retyped(column, dialect, nullable=True)
    if dialect.name in ("mysql", "mariadb") and not _keeps_transactions(inspector.bind, table):
        name = dialect.identifier_preparer.format_table(table)
        yield "its engine keeps no transactions", f"ALTER TABLE {name} ENGINE=InnoDB;"
    constraints = any(isinstance(each, sa.UniqueConstraint) for each in table.constraints)
    if keyed and constraints and set(KEY) <= set(found) and not _has_key(inspector, table):
        index = sa.Index(f"{table.name[:50]}_message", *(table.c[name] for name in KEY), unique=True)
        statement = _compiled(CreateIndex(index), dialect)
        table.indexes.discard(index)
        yield f"it has no unique key of {' and '.join(KEY)}", statement


def _keeps_transactions(connection: sa.Connection, table: sa.Table) -> bool:
    engine = sa.text(
        "SELECT known.transactions FROM information_schema.tables AS found "
        "JOIN information_schema.engines AS known ON known.engine = found.engine "
        "WHERE found.table_schema = coalesce(:schema, database()) AND found.table_name = :name"
    )
    return bool(connection.scalar(engine, {"schema": table.schema, "name": table.name}) != "NO")


def _own_type(column: sa.Column[Any], dialect: sa.Dialect) -> Any:
    # In SQLAlchemy 1.4 a type with variants is no instance of any of them.
    if isinstance(column.type, sa.types.TypeDecorator):
        return column.type.load_dialect_impl(dialect)
    return column.type.dialect_impl(dialect)


def _fits(found: Any, wanted: Any, dialect: sa.Dialect) -> bool:
    if isinstance(wanted, sa.Boolean):
        # MySQL and MariaDB have no other.
        return isinstance(found, sa.Boolean | mysql.TINYINT)
    if isinstance(wanted, sa.DateTime):
        has_zone = dialect.name != "postgresql" or bool(getattr(found, "timezone", False))
        return isinstance(found, sa.DateTime) and has_zone
    if isinstance(wanted, sa.Integer):
        return isinstance(found, sa.Integer) and not (
            dialect.name != "sqlite" and isinstance(found, sa.SmallInteger)
        )
    # Others than SQLite would refuse a longer text, or cut it.
    length = getattr(found, "length", None)
    return isinstance(found, sa.String) and not (length and wanted.length and length < wanted.length)


def _has_key(inspector: Any, table: sa.Table) -> bool:
    keys = [inspector.get_pk_constraint(table.name, table.schema).get("constrained_columns", [])]
    keys += [each["column_names"] for each in inspector.get_unique_constraints(table.name, table.schema)]
    keys += [
        each["column_names"]
        for each in inspector.get_indexes(table.name, table.schema)
        if each.get("unique") and not any(name.endswith("_where") for name in each.get("dialect_options", {}))
    ]
    return any(len(key) == len(KEY) and set(key) == set(KEY) for key in keys)


def _created(table: sa.Table, dialect: sa.Dialect) -> str:
    statements = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
    return "\n".join(_compiled(each, dialect) for each in statements)


def _added(column: sa.Column[Any], dialect: sa.Dialect) -> str:
    return f"{_altered(column, dialect)} ADD COLUMN {_spelled(column, dialect, nullable=True)};"


def _retyped(column: sa.Column[Any], dialect: sa.Dialect, *, nullable: bool = False) -> str:
    altered = _altered(column, dialect)
    name = dialect.identifier_preparer.format_column(column)
    if dialect.name in ("mysql", "mariadb"):
        return f"{altered} MODIFY COLUMN {_spelled(column, dialect, nullable=bool(column.nullable))};"
    if dialect.name == "sqlite":
        return f"SQLite cannot change a column: copy the rows into a new table.\n{_created(column.table, dialect)}"
    if nullable:
        return f"{altered} ALTER COLUMN {name} DROP NOT NULL;"
    wanted = column.type.compile(dialect=dialect)
    using = f" USING CAST({name} AS {wanted})" if dialect.name == "postgresql" else ""
    return f"{altered} ALTER COLUMN {name} TYPE {wanted}{using};"


def _altered(column: sa.Column[Any], dialect: sa.Dialect) -> str:
    return f"ALTER TABLE {dialect.identifier_preparer.format_table(column.table)}"


def _spelled(column: sa.Column[Any], dialect: sa.Dialect, *, nullable: bool) -> str:
    # Rows that are there already have no value for a new column.
    alone = sa.Table(column.table.name, sa.MetaData(), sa.Column(column.name, column.type, nullable=nullable))
    return str(CreateColumn(alone.c[column.name]).compile(dialect=dialect)).strip()


def _compiled(statement: Any, dialect: sa.Dialect) -> str:
    return f"{str(statement.compile(dialect=dialect)).strip()};"
