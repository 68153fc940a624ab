"""From an Airflow connection to SQLAlchemy's engine, by the connection's own hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_smspartner._sql.errors import described, telling
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

if TYPE_CHECKING:
    import sqlalchemy as sa


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
        f"({fault}): install the provider of the database."
    )


@telling("Preparing the database's engine")
def _engine_of(hook: object) -> sa.Engine:
    from sqlalchemy.pool import NullPool

    engine: sa.Engine = hook.get_sqlalchemy_engine(  # type: ignore[attr-defined]  # a DbApiHook
        # SQLAlchemy 1.4 as if it were 2. Rows are neither in its errors nor in its log. A connection is closed when it
        # is done with, and with it its temporary table and its lock.
        engine_kwargs={"future": True, "hide_parameters": True, "echo": False, "poolclass": NullPool}
    )
    return engine
