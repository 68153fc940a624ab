"""No error and no log line has a phone number, whatever the database says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from told import Capture, assert_nothing_in, captured, told_by
from transfers.loads import MESSAGES, TAG, add, each_database, load
from warehouses import Warehouse

from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerInputError
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

SQL_LOGGERS = (
    *("sqlalchemy", "sqlalchemy.engine.Engine", "sqlalchemy.pool", "psycopg", "psycopg.pool", "pymysql"),
    *("airflow_provider_smspartner", "airflow.providers.common.sql"),
)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """All that is logged, SQLAlchemy's and the drivers' DEBUG included."""
    before = {name: logging.getLogger(name).level for name in SQL_LOGGERS}
    for handler in captured(monkeypatch):
        for name in SQL_LOGGERS:
            logging.getLogger(name).setLevel(logging.DEBUG)
        yield handler
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def failed(log: Capture, capfd: pytest.CaptureFixture[str], **arguments: Any) -> str:
    """Return the error that is told; look at it, at the log and at all that is printed."""
    with pytest.raises(SMSPartnerError) as caught:
        load(**arguments)
    assert not isinstance(caught.value, SMSPartnerInputError)
    assert_nothing_in(told_by(caught.value))
    assert_nothing_in(log.texts)
    assert_nothing_in(capfd.readouterr())
    assert caught.value.__cause__ is None
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


@each_database
def test_a_load_logs_no_number_at_any_level(
    double: SMSPartnerDouble, warehouse: Warehouse, log: Capture, capfd: pytest.CaptureFixture[str]
) -> None:
    add(double, "Delivered", "KO", tag=TAG)

    load(messages=MESSAGES, history_table="history")
    load(tag=TAG, history_table="history")

    assert_nothing_in(log.texts)
    assert_nothing_in(capfd.readouterr())
    # SQLAlchemy does log: statements, without what is in them.
    assert any(name.startswith("sqlalchemy.engine") for name in log.names)
    assert any("hide_parameters" in text for text in log.texts)


UNIQUE = "CREATE UNIQUE INDEX one_status ON statuses (status)"
CHECK = "ALTER TABLE statuses ADD CONSTRAINT no_ko CHECK (message_id <> '1002')"
TRIGGER = "CREATE TRIGGER refusing BEFORE INSERT ON statuses "
# The superuser may do everything: a trigger stands for a missing permission, and says a number as well.
REFUSE = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'not %', NEW.phone_number USING ERRCODE = '42501', HINT = NEW.phone_number; END $$"
)
SIGNAL = (
    "FOR EACH ROW BEGIN SET @told = concat('not ', NEW.phone_number); "
    "SIGNAL SQLSTATE '42000' SET MESSAGE_TEXT = @told, MYSQL_ERRNO = 1142; END"
)


@pytest.mark.parametrize(
    ("warehouse", "statements", "reported"),
    [
        ("postgresql", [UNIQUE], "UniqueViolation, SQLSTATE 23505, table statuses, constraint one_status"),
        ("postgresql", [CHECK], "CheckViolation, SQLSTATE 23514, table statuses, constraint no_ko"),
        ("mariadb", [CHECK], "error 4025"),
        (
            "postgresql",
            ["ALTER TABLE statuses ALTER COLUMN raw_status TYPE varchar(3)"],
            "StringDataRightTruncation, SQLSTATE 22001",
        ),
        ("mariadb", ["ALTER TABLE statuses MODIFY raw_status varchar(3)"], "SQLSTATE 22001, error 1406"),
        (
            "postgresql",
            [REFUSE, f"{TRIGGER} FOR EACH ROW EXECUTE FUNCTION refuse()"],
            "InsufficientPrivilege, SQLSTATE 42501",
        ),
        ("mariadb", [TRIGGER + SIGNAL], "error 1142"),
        (
            "sqlite",
            [f"{TRIGGER} BEGIN SELECT RAISE(ABORT, 'not +33639980001'); END"],
            "IntegrityError, SQLITE_CONSTRAINT_TRIGGER",
        ),
    ],
    indirect=["warehouse"],
)
def test_rows_that_the_database_refuses(  # noqa: PLR0917 - fixtures
    double: SMSPartnerDouble,
    warehouse: Warehouse,
    log: Capture,
    capfd: pytest.CaptureFixture[str],
    statements: list[str],
    reported: str,
) -> None:
    add(double, "Delivered", "Delivered", "KO")
    load(messages=MESSAGES[2:])
    before = warehouse.rows()
    warehouse.run(*statements)

    text = failed(log, capfd, messages=MESSAGES, history_table="history")

    assert text.startswith("The list of messages: Writing the rows failed: ")
    assert reported in text
    assert "Nothing was written." in text
    assert "3 rows had been read before this error" in text
    assert warehouse.rows() == before
    assert warehouse.rows("history") == []


def end_sessions(warehouse: Warehouse) -> None:
    if warehouse.name == "postgresql":
        warehouse.select(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    else:
        ids = warehouse.select(
            "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        )
        warehouse.run(*(f"KILL {int(each)}" for (each,) in ids))


@pytest.mark.parametrize("warehouse", ["postgresql", "mariadb"], indirect=True)
def test_a_connection_that_drops(
    double: SMSPartnerDouble, warehouse: Warehouse, log: Capture, capfd: pytest.CaptureFixture[str]
) -> None:
    add(double, "Delivered", "KO", "Waiting")
    load(messages=MESSAGES[:1])
    before = warehouse.rows()

    double.misbehave(_meanwhile(lambda: end_sessions(warehouse)))
    text = failed(log, capfd, messages=MESSAGES)

    assert "failed: " in text
    assert "Nothing was written" in text
    assert warehouse.rows() == before
    assert load(messages=MESSAGES)["return_value"] == {"table": "statuses", "rows": 3, "changed": 2}


@pytest.mark.parametrize(
    "warehouse",
    [
        "postgresql",
        pytest.param("mariadb", marks=pytest.mark.nightly),  # waits 5 s for a lock
    ],
    indirect=True,
)
def test_a_statement_that_takes_too_long(
    double: SMSPartnerDouble, warehouse: Warehouse, log: Capture, capfd: pytest.CaptureFixture[str]
) -> None:
    add(double, "Delivered")
    load(messages=[])
    if warehouse.name == "postgresql":
        warehouse.run(f"ALTER DATABASE {warehouse.database} SET lock_timeout = '200ms'")
    expected = {
        "postgresql": "LockNotAvailable, SQLSTATE 55P03",
        "mariadb": "error 1205",
    }[warehouse.name]
    with warehouse.connected() as other:
        other.execute(
            sa.text(
                "INSERT INTO statuses (phone_number, message_id, status, tag, checked_at) "
                "VALUES ('+33639980001', '1001', 'KO', '', '2026-01-01 00:00:00')"
            )
        )
        assert expected in failed(log, capfd, messages=MESSAGES[:1])
        other.rollback()
    assert warehouse.rows() == []


def _meanwhile(action: Callable[[], None]) -> Fault:
    async def apply(request: Any, proceed: Any, _: object) -> Any:
        action()
        return proceed(request)

    return Fault("meanwhile", apply)
