"""What others see of a load, and what is left of one that was killed."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.sql.hooks.sql import DbApiHook
from harness import new_context
from killing import held, killed, slowly
from sqlalchemy.engine.reflection import Inspector
from transfers.loads import MESSAGES, TAG, add, each_database, load, transfer
from waits_for import LIMIT, wait_until
from warehouses import CONN_ID, Warehouse

from airflow_provider_smspartner._sql import connecting
from airflow_provider_smspartner._sql.load import Load
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerInputError
from airflow_provider_smspartner.testing import SMSPartnerDouble

ROWS = 600
PAGES = 20


def list_of(count: int) -> list[tuple[str, str]]:
    return [(f"+3363998{n:04}", str(1_000 + n)) for n in range(count)]


each_in_turn = pytest.mark.parametrize(
    ("warehouse", "by_tag"),
    [("sqlite", True), ("postgresql", False), ("mariadb", True)],
    ids=["sqlite-tag", "postgresql-list", "mariadb-tag"],
    indirect=["warehouse"],
)


def hold_the_third(double: SMSPartnerDouble, go: Event) -> None:
    """Let the third request from now have no answer before an event has come."""
    double.misbehave(slowly(0), times=2)
    double.misbehave(held(go))


@each_in_turn
def test_a_reader_sees_the_old_rows_or_the_new_ones(
    double: SMSPartnerDouble, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, by_tag: bool
) -> None:
    for number, id_ in list_of(ROWS):
        double.add_message(number, id_, "Waiting", "Delivered", tag=TAG)
    arguments: dict[str, Any] = {"tag": TAG} if by_tag else {"messages": list_of(ROWS)}
    load(**arguments)
    seen: list[dict[str, int]] = []
    ended = Event()

    def look() -> None:
        seen.append(dict(warehouse.select("SELECT status, count(*) FROM statuses GROUP BY status")))

    def read() -> None:
        while not ended.is_set():
            look()

    reader = Thread(target=read)
    merge = Load._merge

    def watched(self: Load, *given: Any) -> int:
        changed = merge(self, *given)
        # All is written, and nothing is committed: it is looked at now, twice by the reader.
        if warehouse.name == "sqlite":
            look()
        else:
            before = len(seen)
            wait_until(lambda: len(seen) >= before + 2)
        return changed

    monkeypatch.setattr(Load, "_merge", watched)
    if warehouse.name != "sqlite":
        reader.start()
    try:
        load(**arguments)
    finally:
        ended.set()
        if warehouse.name != "sqlite":
            reader.join()

    look()
    assert {"Waiting": ROWS} in seen
    assert seen[-1] == {"Delivered": ROWS}
    assert [each for each in seen if each not in ({"Waiting": ROWS}, {"Delivered": ROWS})] == []


@pytest.mark.parametrize(
    ("warehouse", "by_tag", "isolation"),
    [
        ("sqlite", True, None),
        ("postgresql", False, "read committed"),
        ("postgresql", True, "repeatable read"),
        ("postgresql", True, "serializable"),
        ("mariadb", True, None),
    ],
    indirect=["warehouse"],
)
def test_two_first_loads_of_the_same_at_once_end_as_one(
    double: SMSPartnerDouble,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    by_tag: bool,
    isolation: str | None,
) -> None:
    for number, id_ in list_of(ROWS):
        double.add_message(number, id_, "Delivered", tag=TAG)
    if isolation:
        warehouse.run(
            f"ALTER DATABASE {warehouse.database} SET default_transaction_isolation = '{isolation}'"
        )
    arguments: dict[str, Any] = {"tag": TAG} if by_tag else {"messages": list_of(ROWS)}
    schema = {"sqlite": "main", "postgresql": "public", "mariadb": warehouse.database}[warehouse.name]
    ended: list[Any] = []
    let_them_meet(monkeypatch, lambda: ended or warehouse.name == "sqlite" or waiting(warehouse))

    def run(table: str) -> None:
        operator = transfer(**arguments, table=table, history_table="history")
        # Airflow 2 lets no operator run in a thread, and looks at it in a wrapper.
        execute = getattr(type(operator).execute, "__wrapped__", type(operator).execute)
        try:
            ended.append(execute(operator, new_context())["changed"])
        except SMSPartnerError as error:
            ended.append(str(error))

    both = [Thread(target=run, args=[table]) for table in ("statuses", f"{schema}.statuses")]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert sorted(ended, key=str) == [0, ROWS]
    assert len(warehouse.rows()) == len(warehouse.rows("history")) == ROWS


def let_them_meet(monkeypatch: pytest.MonkeyPatch, waits: Callable[[], object]) -> None:
    """Let two loads find no table, and one of them commit when the other has written as well, or waits."""
    looked, merged, committing = Barrier(2), list[Load](), list[Load]()
    has_table, merge, commit = Inspector.has_table, Load._merge, Load._commit

    def looked_together(self: Inspector, name: str, *given: Any, **more: Any) -> bool:
        found = has_table(self, name, *given, **more)
        if name == "statuses" and not found:
            looked.wait(LIMIT)
        return found

    def merged_by_both(self: Load, *given: Any) -> int:
        merged.append(self)
        return merge(self, *given)

    def committed_late(self: Load) -> None:
        committing.append(self)
        wait_until(lambda: len(committing) > 1 or (len(merged) > 1 and waits()))
        commit(self)

    monkeypatch.setattr(Inspector, "has_table", looked_together)
    monkeypatch.setattr(Load, "_merge", merged_by_both)
    monkeypatch.setattr(Load, "_commit", committed_late)


def waiting(warehouse: Warehouse) -> bool:
    """Return whether a load waits for the lock of another."""
    query = {
        "postgresql": "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        "mariadb": "SELECT 1 FROM information_schema.processlist WHERE state = 'User lock' AND db = database()",
    }[warehouse.name]
    return bool(warehouse.select(query))


def let_driver_commit(connection: Any, _: object) -> None:
    """Let each statement be committed by itself, as hooks do."""
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None
    elif callable(connection.autocommit):
        connection.autocommit(True)
    else:
        connection.autocommit = True


@pytest.fixture(params=["engine", "driver"])
def autocommit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine of a hook commit each statement by itself."""
    original = DbApiHook.get_sqlalchemy_engine

    def engine_of(hook: Any, engine_kwargs: Any) -> Any:
        if request.param == "engine":
            return original(hook, engine_kwargs=engine_kwargs | {"isolation_level": "AUTOCOMMIT"})
        engine = original(hook, engine_kwargs=engine_kwargs)
        sa.event.listen(engine, "connect", let_driver_commit)
        return engine

    monkeypatch.setattr(DbApiHook, "get_sqlalchemy_engine", engine_of)


@each_database
@pytest.mark.usefixtures("autocommit")
def test_a_load_that_fails_leaves_the_old_rows_where_all_is_committed_at_once(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    add(double, "Delivered", tag=TAG)
    load(tag=TAG)
    before = warehouse.rows()
    warehouse.run("CREATE UNIQUE INDEX one_status ON statuses (status)")
    double.add_message(*MESSAGES[1], "Delivered", tag=TAG)

    with pytest.raises(SMSPartnerError, match="Nothing was written"):
        load(tag=TAG)
    assert warehouse.rows() == before


@pytest.mark.usefixtures("autocommit")
def test_a_connection_without_transactions_is_refused_before_anything_is_asked(
    double: SMSPartnerDouble, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "_ISOLATION", {})  # as for other databases

    with pytest.raises(SMSPartnerInputError, match=rf"connection '{CONN_ID}' commits each statement"):
        load(tag=TAG)
    assert double.requests == []


@pytest.mark.parametrize("warehouse", ["mariadb"], indirect=True)
def test_a_table_without_transactions_is_refused(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    load(messages=[], table=f"{warehouse.database}.statuses", history_table="history")
    warehouse.run("ALTER TABLE history ENGINE=MyISAM")

    with pytest.raises(SMSPartnerInputError, match="ALTER TABLE `history` ENGINE=InnoDB;"):
        load(tag=TAG, history_table="history")
    assert double.requests == []


@pytest.mark.parametrize(
    ("warehouse", "raises"),
    [pytest.param("sqlite", False, marks=pytest.mark.nightly), ("postgresql", True)],
    indirect=["warehouse"],
)
def test_a_killed_load_writes_nothing_and_the_next_one_writes_all(
    double: SMSPartnerDouble, warehouse: Warehouse, raises: bool
) -> None:
    double.add_campaign(TAG, size=50 * PAGES, settle_seconds=0)
    double.add_message("+33639970001", "5", "Delivered", tag="old")
    load(tag="old")
    before = warehouse.rows()
    asked = len(double.requests)
    hold_the_third(double, go := Event())

    reported, later = killed(
        double,
        "SMSPartnerStatusToSqlOperator",
        {"tag": TAG, "table": "statuses", "sql_conn_id": CONN_ID},
        raises=raises,
        # Then it waits for what is held: an error that is raised while it hands calls to threads may leave them locked.
        when=lambda: len(double.requests) >= asked + 6,
        then=go.set,
    )

    assert reported["outcome"].startswith(
        "Terminated" if raises else "SMSPartnerError: The task was terminated"
    )
    assert reported["xcoms"] == {}
    assert later <= 5  # those that were in flight together
    assert warehouse.rows() == before
    assert staging_tables(warehouse) == []
    double.clear_faults()
    assert load(tag=TAG)["return_value"] == {"table": "statuses", "rows": 50 * PAGES, "changed": 50 * PAGES}


@pytest.mark.parametrize(
    ("warehouse", "step"),
    [("postgresql", "_stage"), ("mariadb", "_merge"), ("sqlite", "_merge")],
    indirect=["warehouse"],
)
def test_a_kill_between_the_steps_writes_nothing(
    double: SMSPartnerDouble, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    add(double, "Waiting,Delivered,Delivered", "KO")
    load(messages=MESSAGES[:1])
    before = warehouse.rows()
    operator = transfer(messages=MESSAGES[:2], history_table="history")
    run = getattr(Load, step)

    def then_killed(self: Load, *given: Any) -> Any:
        result = run(self, *given)
        operator.on_kill()
        return result

    monkeypatch.setattr(Load, step, then_killed)
    context = new_context()
    with pytest.raises(SMSPartnerError, match="The task was terminated while it ran"):
        operator.execute(context)
    assert context["ti"].xcoms == {}
    assert warehouse.rows() == before
    assert warehouse.rows("history") == []
    assert staging_tables(warehouse) == []


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_a_load_that_is_killed_with_nine_writes_nothing(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    double.add_campaign(TAG, size=50 * PAGES, settle_seconds=0)
    hold_the_third(double, go := Event())

    with pytest.raises(AssertionError):  # it reports nothing any more
        killed(
            double,
            "SMSPartnerStatusToSqlOperator",
            {"tag": TAG, "table": "statuses", "sql_conn_id": CONN_ID},
            raises=False,
            when=lambda: len(double.requests) >= 3,
            send=signal.SIGKILL,
        )
    go.set()

    assert warehouse.rows() == []
    assert staging_tables(warehouse) == []


def staging_tables(warehouse: Warehouse) -> list[str]:
    with warehouse.connected() as connection:
        return [
            name for name in sa.inspect(connection).get_table_names() if name.startswith("smspartner_staging")
        ]
