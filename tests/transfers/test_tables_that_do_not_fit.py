"""Tables that lack something are reported before the first request, with the statement that mends them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from combinations import in_turn
from transfers.loads import MESSAGES, TAG, add, each_database, load, transfer
from warehouses import Warehouse

from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.testing import SMSPartnerDouble


def refused(double: SMSPartnerDouble, **arguments: Any) -> str:
    """Return what is reported before anything is asked."""
    asked = len(double.requests)
    with pytest.raises(SMSPartnerInputError) as caught:
        load(**arguments)
    assert len(double.requests) == asked
    return str(caught.value)


def mended(warehouse: Warehouse, reported: str) -> None:
    """Do as the error says."""
    statements = re.findall(r"^(?:ALTER|CREATE)\b.*?;$", reported, re.DOTALL | re.MULTILINE)
    assert statements
    warehouse.run(*statements)


@pytest.fixture
def loaded(double: SMSPartnerDouble, warehouse: Warehouse) -> Warehouse:
    """A warehouse with a row."""
    add(double, "Delivered,KO")
    load(messages=MESSAGES[:1], history_table="history")
    return warehouse


@each_database
def test_a_missing_table_is_reported_with_the_statement_that_creates_it(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    add(double, "Delivered")
    arguments = {"messages": MESSAGES[:1], "history_table": "history", "create_tables": False}

    reported = refused(double, **arguments)
    assert "There is no table statuses, and `create_tables` is False" in reported
    mended(warehouse, reported)
    reported = refused(double, **arguments)
    assert "There is no table history, and `create_tables` is False" in reported
    mended(warehouse, reported)

    for _ in range(2):
        assert load(**arguments)["return_value"]["rows"] == 1
    assert len(warehouse.rows()) == len(warehouse.rows("history")) == 1


@pytest.mark.parametrize(
    ("warehouse", "column"),
    [
        ("postgresql", "date"),
        ("mariadb", "checked_at"),
        ("sqlite", "code"),
    ],
    indirect=["warehouse"],
)
def test_a_missing_column_is_reported_with_the_statement_that_adds_it(
    double: SMSPartnerDouble, loaded: Warehouse, column: str
) -> None:
    loaded.run(f"ALTER TABLE statuses DROP COLUMN {column}")

    reported = refused(double, messages=MESSAGES[:1])
    assert f"it has no column {column}" in reported
    assert "ADD COLUMN" in reported
    mended(loaded, reported)

    assert load(messages=MESSAGES[:1], history_table="history")["return_value"]["changed"] == 1
    assert loaded.rows()[0][column] is not None


@pytest.mark.parametrize(
    ("warehouse", "column", "change", "expected"),
    [
        ("postgresql", "code", "ALTER COLUMN code TYPE text", "is TEXT, not INTEGER"),
        ("postgresql", "date", "ALTER COLUMN date TYPE timestamp", "not TIMESTAMP WITH TIME ZONE"),
        ("mariadb", "date", "MODIFY date text", "not DATETIME(6)"),
        (
            "mariadb",
            "phone_number",
            "MODIFY phone_number varchar(20) NOT NULL",
            "VARCHAR(20), not VARCHAR(64)",
        ),
        ("mariadb", "stop_sms", "MODIFY stop_sms text", "is TEXT, not BOOL"),
    ],
    indirect=["warehouse"],
)
def test_another_type_is_reported_with_the_statement_that_changes_it(
    double: SMSPartnerDouble, loaded: Warehouse, column: str, change: str, expected: str
) -> None:
    loaded.run("DELETE FROM statuses", f"ALTER TABLE statuses {change}")

    reported = refused(double, messages=MESSAGES[:1])
    assert f"its column {column} " in reported
    assert expected in re.sub(r" COLLATE utf8mb4_\w+", "", reported)
    mended(loaded, reported)
    assert load(messages=MESSAGES[:1])["return_value"]["rows"] == 1


# SQLite keeps no types when it copies.
@pytest.mark.parametrize("warehouse", ["postgresql", "mariadb"], indirect=True)
def test_a_list_needs_a_unique_key_and_a_tag_does_not(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    add(double, "Delivered,KO", tag=TAG)
    load(tag=TAG)
    warehouse.run("CREATE TABLE copied AS SELECT * FROM statuses WHERE 1 = 0")

    reported = refused(double, messages=MESSAGES[:1], table="copied")
    assert "it has no unique key of phone_number and message_id" in reported
    assert load(tag=TAG, table="copied")["return_value"]["rows"] == 1
    mended(warehouse, reported)
    for _ in range(2):
        load(messages=MESSAGES[:1], table="copied")
    assert len(warehouse.rows("copied")) == 2


# Airflow 2 imports Flask to know the hooks, which warns of itself.
@pytest.mark.filterwarnings("default")
def test_a_connection_that_is_for_no_database_is_reported(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, expected in (
        ("smspartner", "is no DbApiHook"),
        ("nonsense", "install the provider of the database, and restart Airflow"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", f"{kind}://example.com")
        assert expected in refused(double, tag=TAG, sql_conn_id="other")


@in_turn(
    name=["a b", "a.b.c", "", "é", "x" * 64, 5],
    argument=["table", "history_table"],
)
def test_a_bad_name_is_reported_when_the_dag_is_parsed(name: object, argument: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=f"`{argument}` must be the name of a table") as caught:
        transfer(tag=TAG, **{argument: name})
    assert isinstance(caught.value, ValueError)


def test_a_name_that_is_rendered_wrongly_is_reported_before_the_first_request(
    double: SMSPartnerDouble,
) -> None:
    operator = transfer(tag=TAG, table="{{ params.table }}")
    operator.render_template_fields({"params": {"table": "a; DROP TABLE b"}})

    with pytest.raises(SMSPartnerInputError, match="`table` must be the name of a table"):
        operator.execute({})
    assert double.requests == []
