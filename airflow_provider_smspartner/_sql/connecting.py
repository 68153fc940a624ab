"""From an Airflow connection to SQLAlchemy's engine, by the connection's own hook."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_smspartner._sql.errors import described, telling
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

if TYPE_CHECKING:
    import sqlalchemy as sa


_SCHEMES = {"postgresql": "postgres", "mariadb": "mysql"}
_PORTS = {"postgres": 5432, "mysql": 3306}

_ISOLATION = {
    # A statement sees what was committed before it began: a load sees what the one has written that it waited for.
    "postgresql": "READ COMMITTED",
    # The first statement that reads a table takes the snapshot; the one that takes the lock reads none.
    "mysql": "REPEATABLE READ",
    "mariadb": "REPEATABLE READ",
    "sqlite": "SERIALIZABLE",
}
"""What loads were written for, whatever the database, the hook or its engine has for default: AUTOCOMMIT, too."""


def engine_of(sql_conn_id: str) -> sa.Engine:
    """
    Return the engine of a database; nothing is connected yet.

    :param sql_conn_id: the Airflow connection.
    :raises SMSPartnerInputError: if its hook is none for databases, or cannot be had.
    :raises AirflowNotFoundException: if there is no such connection.
    """
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise SMSPartnerInputError(
            "Tables need apache-airflow-providers-common-sql: install airflow-provider-smspartner[sql]."
        ) from None
    hook = _hook_of(sql_conn_id)
    if not isinstance(hook, DbApiHook):
        raise SMSPartnerInputError(
            f"The connection {sql_conn_id!r} is for no database that Airflow speaks SQL with: its hook, "
            f"{type(hook).__name__}, is no DbApiHook."
        )
    return _engine_of(hook)


def connect(engine: sa.Engine) -> sa.Connection:
    """
    Return a new connection, in transactions of its own.

    :param engine: of `engine_of`.
    """
    connection = engine.connect()
    level = _ISOLATION.get(engine.dialect.name)
    try:
        return connection.execution_options(isolation_level=level) if level else connection
    except BaseException:
        connection.close()
        raise


def _hook_of(sql_conn_id: str) -> object:
    connection = BaseHook.get_connection(sql_conn_id)
    try:
        return connection.get_hook()
    except AirflowNotFoundException:
        raise
    # Airflow knows no hook for the type, or its provider does not load.
    except Exception as error:  # noqa: BLE001
        fault = described(error)
    raise SMSPartnerInputError(
        f"The connection {sql_conn_id!r} has the type {connection.conn_type!r}, for which Airflow has no hook here "
        f"({fault}): install the provider of the database, and restart Airflow."
    )


def uri_of(engine: sa.Engine, table: sa.Table) -> str:
    """
    Return the URI of a table, as Airflow's providers name assets, without user and password.

    :param engine: has been connected, so that it knows its default schema.
    :param table: in the engine's database.
    """
    url, default = engine.url, engine.dialect.default_schema_name
    scheme = _SCHEMES.get(engine.dialect.name, engine.dialect.name)
    if scheme == "sqlite":
        names = [table.schema, table.name]
        return f"sqlite://{quote(url.database or '')}/{'/'.join(quote(name) for name in names if name)}"
    host, port = url.host or "localhost", url.port or _PORTS.get(scheme)
    place = f"[{host}]" if ":" in host else host
    if port:
        place += f":{port}"
    # MySQL and MariaDB call a schema a database.
    names = [table.schema or url.database] if scheme == "mysql" else [url.database, table.schema or default]
    return f"{scheme}://{place}/{'/'.join(quote(name) for name in [*names, table.name] if name)}"


@telling("Preparing the database's engine")
def _engine_of(hook: object) -> sa.Engine:
    from sqlalchemy.pool import NullPool

    engine: sa.Engine = hook.get_sqlalchemy_engine(  # type: ignore[attr-defined]  # a DbApiHook
        # SQLAlchemy 1.4 as if it were 2. Rows are neither in its errors nor in its log. A connection is closed when it
        # is done with, and with it its temporary table and its lock.
        engine_kwargs={"future": True, "hide_parameters": True, "echo": False, "poolclass": NullPool}
    )
    return engine
