"""
Warehousing: a million rows into a table of PostgreSQL, against COPY and INSERT … ON CONFLICT written by hand.

The server is the one that PGHOST, PGPORT, PGUSER and PGPASSWORD name, by default postgres on 127.0.0.1:5432; the
tables are in a database of their own, which is dropped in the end. ``python -m benchmarks.warehousing REPORT`` loads
rows that are made on the way, into the database that the connection leads to, and reports its peak of memory.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from airflow_provider_smspartner._sql.load import Load
from airflow_provider_smspartner._sql.names import TableName
from airflow_provider_smspartner.models import StatusRow
from benchmarks.measure import PeakMemory, Result, in_process, ratio
from benchmarks.writing import ROWS, rows

SERVER: dict[str, Any] = {
    "host": os.environ.get("PGHOST", "127.0.0.1"),
    "port": os.environ.get("PGPORT", "5432"),
    "user": os.environ.get("PGUSER", "postgres"),
    "password": os.environ.get("PGPASSWORD", ""),
}
CONN_ID = "warehouse"
MEGABYTES = 64
TIMES = 1.5
# One row in twenty.
CHANGED = 20
BY_HAND = "COPY and INSERT … ON CONFLICT by hand, with psycopg, the same rows already in memory"


def measure() -> Iterator[Result]:
    """Measure all of it."""
    with database():
        peak = in_process("warehousing") / 1e6
        yield Result(
            what=f"{ROWS:,} rows into PostgreSQL: peak memory above the start",
            measured=f"{peak:.0f} MB",
            goal=f"under {MEGABYTES} MB",
            reached=peak < MEGABYTES,
        )
        first = list(rows())
        yield _compared("first load", [first], anew=True)
        yield _compared(f"load again, {100 // CHANGED} % changed", [_later(first), first], anew=False)


def _compared(what: str, turns: Sequence[list[StatusRow]], *, anew: bool) -> Result:
    found = ratio(
        _repeatedly(load, "ours", turns, anew=anew),
        _repeatedly(load_by_hand, "theirs", turns, anew=anew),
        rounds=3,
    )
    return Result(
        what=f"{ROWS:,} rows into PostgreSQL, {what}: time",
        baseline=BY_HAND,
        measured=str(found),
        goal=f"at most {TIMES} x",
        reached=found.median <= TIMES,
    )


def _repeatedly(
    into: Callable[[str, Iterable[StatusRow]], None],
    table: str,
    turns: Sequence[list[StatusRow]],
    *,
    anew: bool,
) -> Callable[[], None]:
    """Load one list of rows after the other, each time into a new table, or into what the last one has left."""
    taken = cycle(turns)

    def run() -> None:
        if anew:
            with connected() as connection:
                connection.execute(f"DROP TABLE IF EXISTS {table}")
        into(table, next(taken))

    return run


def load(table: str, taken: Iterable[StatusRow]) -> None:
    """Load as the operator does."""
    with Load(
        CONN_ID, TableName(None, table), history=None, tag=None, create=True, check_keys=False
    ) as opened:
        opened.take(taken)
        opened.land(datetime.now(UTC), lambda: None)


def load_by_hand(table: str, taken: Iterable[StatusRow]) -> None:
    """Do the same in one transaction, without a check of anything and without telling what has changed."""
    columns = "phone_number, message_id, status, raw_status, date, stop_sms, is_spam, code"
    others = columns.split(", ")[2:]
    update = ", ".join(f"{name} = excluded.{name}" for name in (*others, "tag", "checked_at"))
    with connected() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (phone_number varchar(64) NOT NULL, message_id varchar(64), "
            "status varchar(16) NOT NULL, raw_status text, date timestamptz, stop_sms boolean, is_spam boolean, "
            "code integer, tag varchar(20) NOT NULL, checked_at timestamptz NOT NULL, "
            "UNIQUE (phone_number, message_id))"
        )
        cursor.execute(
            "CREATE TEMPORARY TABLE staged (phone_number varchar(64), message_id varchar(64), status varchar(16), "
            "raw_status text, date timestamptz, stop_sms boolean, is_spam boolean, code integer) ON COMMIT DROP"
        )
        with cursor.copy(f"COPY staged ({columns}) FROM STDIN") as copy:
            for row in taken:
                copy.write_row(tuple(row.values()))
        cursor.execute(
            f"INSERT INTO {table} ({columns}, tag, checked_at) SELECT {columns}, '', %s FROM staged "  # noqa: S608
            f"ON CONFLICT (phone_number, message_id) DO UPDATE SET {update}",
            (datetime.now(UTC),),
        )


def _later(taken: Iterable[StatusRow]) -> list[StatusRow]:
    return [
        {**row, "status": "KO", "raw_status": "KO"} if n % CHANGED == 0 else row
        for n, row in enumerate(taken)
    ]


@contextmanager
def database() -> Iterator[None]:
    """Make a database that the connection leads to, and drop it in the end."""
    name = f"smspartner_{uuid4().hex[:12]}"
    with connected("postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    os.environ["PGDATABASE"] = name
    os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = json.dumps(
        {
            "conn_type": "postgres",
            "host": SERVER["host"],
            "port": int(SERVER["port"]),
            "login": SERVER["user"],
            "password": SERVER["password"],
            "schema": name,
        }
    )
    try:
        yield
    finally:
        with connected("postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def connected(database: str | None = None, *, autocommit: bool = False) -> psycopg.Connection[Any]:
    """Connect to a database, by default the one that was made."""
    return psycopg.connect(**SERVER, dbname=database or os.environ["PGDATABASE"], autocommit=autocommit)


def main(report: str) -> None:
    """Report the peak of memory in bytes."""
    # The start is after a first, small load: what SQLAlchemy and the driver load for it is not ours.
    load("few", islice(rows(), 1))
    with PeakMemory() as memory:
        load("many", rows())
    Path(report).write_text(json.dumps(memory.above_start))


if __name__ == "__main__":
    main(*sys.argv[1:])
