"""Real databases for statuses to land in, each with the Airflow connection that leads to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import BaseHook
from airflow.providers.common.sql.hooks.sql import DbApiHook
from services import mariadb_database, postgresql_database
from sqlalchemy.pool import NullPool

CONN_ID = "warehouse"
_OWN = "tests"
SQLALCHEMY_2 = not sa.__version__.startswith("1.")
# What Airflow's own hook of PostgreSQL takes.
PSYCOPG = "psycopg" if SQLALCHEMY_2 else "psycopg2"


class MariaDbHook(DbApiHook):
    """A hook for MariaDB: that of Airflow's provider needs mysqlclient, which is built with the C library of MySQL."""

    conn_name_attr = "mysql_conn_id"
    default_conn_name = "mysql_default"
    conn_type = "mysql"
    hook_name = "MariaDB"

    @property
    def sqlalchemy_url(self) -> Any:
        """Return the URL with PyMySQL for a driver."""
        found = self.get_connection(self.get_conn_id())
        return sa.engine.URL.create(
            "mysql+pymysql",
            username=found.login,
            password=found.password or None,
            host=found.host,
            port=found.port,
            database=found.schema,
            # By default it waits 50 s for a lock.
            query={"init_command": "SET SESSION innodb_lock_wait_timeout = 5"},
        )


@dataclass(frozen=True)
class Warehouse:
    """
    A database.

    :param name: ``sqlite``, ``postgresql`` or ``mariadb``.
    :param url: SQLAlchemy's, to look at what is in it.
    """

    name: str
    url: Any

    @property
    def engine(self) -> Any:
        """Return an engine whose connections are the test's own."""
        # Its log has rows.
        logging.getLogger(f"sqlalchemy.engine.Engine.{_OWN}").setLevel(logging.WARNING)
        return sa.create_engine(
            self.url, future=True, poolclass=NullPool, logging_name=_OWN, hide_parameters=True
        )

    @property
    def host(self) -> str:
        """The server's host and port."""
        url = sa.engine.make_url(self.url)
        return f"{url.host}:{url.port}"

    @property
    def database(self) -> str:
        """The name of the database on its server."""
        return str(sa.engine.make_url(self.url).database)

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """Connect."""
        engine = self.engine
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def run(self, *statements: str) -> None:
        """Run statements, and commit them."""
        with self.connected() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
            connection.commit()

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.connected() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def rows(self, table: str = "statuses", order_by: str = "phone_number, message_id, status") -> list[Any]:
        """Return the rows of a table as dictionaries, flags as booleans and times in UTC."""
        with self.connected() as connection:
            found = sa.Table(table, sa.MetaData(), autoload_with=connection)
            query = sa.select(*found.c).order_by(*(found.c[name] for name in order_by.split(", ")))
            return [_plain(row._mapping) for row in connection.execute(query)]


def _plain(row: Any) -> dict[str, Any]:
    def plain(name: str, value: Any) -> Any:
        if name in ("stop_sms", "is_spam") and value is not None:
            return bool(value)
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return value

    return {name: plain(name, value) for name, value in row.items()}


@contextmanager
def opened(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """
    Make a database, let the Airflow connection `CONN_ID` lead to it, and drop it in the end.

    :param name: ``sqlite``, ``postgresql`` or ``mariadb``.
    :param folder: for the file of SQLite.
    """
    if name == "sqlite":
        _connect(monkeypatch, conn_type="sqlite", host=str(folder / "warehouse.db"))
        yield Warehouse(name, f"sqlite:///{folder / 'warehouse.db'}")
        return
    database, driver = {
        "postgresql": (postgresql_database, f"postgresql+{PSYCOPG}"),
        "mariadb": (mariadb_database, "mysql+pymysql"),
    }[name]
    with database() as rest:
        url = sa.engine.make_url(f"{driver}://{rest}")
        _connect(
            monkeypatch,
            conn_type={"postgresql": "postgres", "mariadb": "mysql"}[name],
            host=url.host,
            port=url.port,
            login=url.username,
            password=unquote(str(url.password)) if url.password else None,
            schema=url.database,
        )
        if name == "mariadb":
            _let_airflow_know_the_hook(monkeypatch)
        yield Warehouse(name, url)


def _connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    given = {key: value for key, value in fields.items() if value is not None}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(given))


def _let_airflow_know_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what the discovery of providers would: no provider of MariaDB is installed here."""
    kind: Any = type(BaseHook.get_connection(CONN_ID))
    get_hook: Callable[..., Any] = kind.get_hook

    def hook_of(connection: Any, **arguments: Any) -> Any:
        if connection.conn_type == MariaDbHook.conn_type:
            return MariaDbHook(mysql_conn_id=connection.conn_id)
        return get_hook(connection, **arguments)

    monkeypatch.setattr(kind, "get_hook", hook_of)
