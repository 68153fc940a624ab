"""Loads into the same table wait for each other: what has changed is told from what is there, and a tag is replaced."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from airflow_provider_smspartner.exceptions import SMSPartnerError

_LOCK_SECONDS = 86_400

_OURS = int.from_bytes(hashlib.sha256(b"airflow_provider_smspartner").digest()[:4], signed=True) << 32
"""The upper half of PostgreSQL's keys; the lower one is the table's number."""


def lock(connection: sa.Connection, table: sa.Table) -> None:
    """
    Wait until no other load writes into a table, whether it names it with its schema or without.

    Other databases than these may interleave two loads of one tag at the same time.

    :param connection: as `connecting.connect` gives it, and nothing has been read in its transaction: in the isolation
        that it has, what others have committed until now is seen from here on.
    :param table: is there.
    """
    dialect = connection.dialect
    match dialect.name:
        case "postgresql":
            name = dialect.identifier_preparer.format_table(table)
            number = sa.cast(sa.cast(sa.func.to_regclass(name), postgresql.OID), sa.BigInteger)
            key = sa.literal(_OURS, sa.BigInteger) + number
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        case "mysql" | "mariadb":
            # Names may differ in case alone, and then be the same table or two: no harm is done if two wait.
            place = (
                f"{table.schema or connection.scalar(sa.select(sa.func.database()))}.{table.name}".casefold()
            )
            digest = hashlib.sha256(place.encode()).hexdigest()
            wanted = sa.func.get_lock(f"smspartner {digest[:32]}", _LOCK_SECONDS)
            if connection.scalar(sa.select(wanted)) != 1:
                raise SMSPartnerError(
                    "Another load into the table has not ended within a day. Nothing was written."
                )
        case "sqlite":
            # Its driver begins a transaction at the first statement that writes, this one: it deletes no row.
            connection.execute(sa.delete(table).where(sa.false()))
