"""Tables that lack something are told before the first request, with the statement that mends them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from transfers.loads import MESSAGES, TAG, add, load, transfer
from warehouses import Warehouse

from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.testing import SMSPartnerDouble


def refused(double: SMSPartnerDouble, **arguments: Any) -> str:
    """Return what is told before anything is asked."""
    asked = len(double.requests)
    with pytest.raises(SMSPartnerInputError) as caught:
        load(**arguments)
    assert len(double.requests) == asked
    return str(caught.value)


def mended(warehouse: Warehouse, told: str) -> None:
    """Do as the error says."""
    statements = re.findall(r"^(?:ALTER|CREATE)\b.*?;$", told, re.DOTALL | re.MULTILINE)
    assert statements
    warehouse.run(*statements)


@pytest.fixture
def loaded(double: SMSPartnerDouble, warehouse: Warehouse) -> Warehouse:
    """A warehouse with a row."""
    add(double, "Delivered,KO")
    load(messages=MESSAGES[:1], history_table="history")
    return warehouse


def test_a_missing_table_is_told_with_the_statement_that_creates_it(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    add(double, "Delivered")
    arguments = {"messages": MESSAGES[:1], "history_table": "history", "create_tables": False}

    told = refused(double, **arguments)
    assert "There is no table statuses, and `create_tables` is False" in told
    mended(warehouse, told)
    told = refused(double, **arguments)
    assert "There is no table history, and `create_tables` is False" in told
    mended(warehouse, told)

    for _ in range(2):
        assert load(**arguments)["return_value"]["rows"] == 1
    assert len(warehouse.rows()) == len(warehouse.rows("history")) == 1


@pytest.mark.parametrize("column", ["code", "date", "is_spam", "raw_status", "checked_at"])
def test_a_missing_column_is_told_with_the_statement_that_adds_it(
    double: SMSPartnerDouble, loaded: Warehouse, column: str
) -> None:
    loaded.run(f"ALTER TABLE statuses DROP COLUMN {column}")

    told = refused(double, messages=MESSAGES[:1])
    assert f"it has no column {column}" in told
    assert "ADD COLUMN" in told
    mended(loaded, told)

    assert load(messages=MESSAGES[:1], history_table="history")["return_value"]["changed"] == 1
    assert loaded.rows()[0][column] is not None


def test_all_that_a_table_lacks_is_told_at_once(double: SMSPartnerDouble, loaded: Warehouse) -> None:
    loaded.run("ALTER TABLE statuses DROP COLUMN code", "ALTER TABLE statuses DROP COLUMN is_spam")

    mended(loaded, refused(double, messages=MESSAGES[:1]))
    assert load(messages=MESSAGES[:1])["return_value"]["rows"] == 1


def test_the_history_is_looked_at_as_well(double: SMSPartnerDouble, loaded: Warehouse) -> None:
    loaded.run("ALTER TABLE history DROP COLUMN observed_at")

    told = refused(double, messages=MESSAGES[:1], history_table="history")
    assert "The table history does not fit" in told
    assert "it has no column observed_at" in told
    mended(loaded, told)
    assert load(messages=MESSAGES[:1], history_table="history")["return_value"]["changed"] == 1


CHANGES = {
    "postgresql": [
        ("code", "ALTER COLUMN code TYPE text", "is TEXT, not INTEGER"),
        ("date", "ALTER COLUMN date TYPE timestamp", "not TIMESTAMP WITH TIME ZONE"),
        ("phone_number", "ALTER COLUMN phone_number TYPE varchar(20)", "is VARCHAR(20), not VARCHAR(64)"),
        ("stop_sms", "ALTER COLUMN stop_sms TYPE text", "is TEXT, not BOOLEAN"),
    ],
    "mariadb": [
        ("code", "MODIFY code text", "is TEXT, not INTEGER"),
        ("date", "MODIFY date text", "not DATETIME(6)"),
        ("phone_number", "MODIFY phone_number varchar(20) NOT NULL", "is VARCHAR(20), not VARCHAR(64)"),
        ("stop_sms", "MODIFY stop_sms text", "is TEXT, not BOOL"),
    ],
}


@pytest.mark.parametrize("number", range(4))
def test_another_type_is_told_with_the_statement_that_changes_it(
    double: SMSPartnerDouble, loaded: Warehouse, number: int
) -> None:
    if loaded.name == "sqlite":
        pytest.skip("SQLite changes no types; see the next test.")
    column, change, expected = CHANGES[loaded.name][number]
    loaded.run("DELETE FROM statuses", f"ALTER TABLE statuses {change}")

    told = refused(double, messages=MESSAGES[:1])
    assert f"its column {column} " in told
    assert expected in told.replace(" COLLATE utf8mb4_general_ci", "").replace(" COLLATE utf8mb4_bin", "")
    mended(loaded, told)
    assert load(messages=MESSAGES[:1])["return_value"]["rows"] == 1


@pytest.mark.parametrize("warehouse", ["sqlite"], indirect=True)
def test_sqlite_gets_the_statement_of_a_new_table(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    warehouse.run("CREATE TABLE statuses (phone_number TEXT NOT NULL, message_id TEXT, status INTEGER)")

    told = refused(double, messages=MESSAGES[:1])
    assert "its column status is INTEGER, not VARCHAR(16)" in told
    assert "SQLite cannot change a column" in told
    assert "CREATE TABLE statuses" in told


def test_a_list_needs_a_unique_key_and_a_tag_does_not(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    add(double, "Delivered,KO", tag=TAG)
    load(tag=TAG)
    warehouse.run("CREATE TABLE copied AS SELECT * FROM statuses WHERE 1 = 0")

    if warehouse.name != "sqlite":  # it keeps no types when it copies
        told = refused(double, messages=MESSAGES[:1], table="copied")
        assert "it has no unique key of phone_number and message_id" in told
        assert load(tag=TAG, table="copied")["return_value"]["rows"] == 1
        mended(warehouse, told)
        for _ in range(2):
            load(messages=MESSAGES[:1], table="copied")
        assert len(warehouse.rows("copied")) == 2


def test_a_primary_key_does_for_lists_and_not_for_tags(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    add(double, "Delivered", tag=TAG)
    kinds = {"postgresql": "timestamptz", "mariadb": "datetime(6)", "sqlite": "datetime"}
    warehouse.run(
        "CREATE TABLE statuses (phone_number varchar(64) NOT NULL, message_id varchar(64) NOT NULL, "
        f"status varchar(16), raw_status text, date {kinds[warehouse.name]}, stop_sms boolean, is_spam boolean, "
        f"code integer, tag varchar(20), checked_at {kinds[warehouse.name]}, remark text, "
        "PRIMARY KEY (phone_number, message_id))"
    )

    told = refused(double, tag=TAG)
    assert "its column message_id takes no nulls" in told
    for _ in range(2):
        load(messages=MESSAGES[:1])
    assert [(row["status"], row["remark"]) for row in warehouse.rows()] == [("Delivered", None)]


# Airflow 2 imports Flask to know the hooks, which warns of itself.
@pytest.mark.filterwarnings("default")
def test_a_connection_that_is_for_no_database_is_told(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, expected in (
        ("smspartner", "is no DbApiHook"),
        ("nonsense", "for which Airflow has no hook here"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", f"{kind}://example.com")
        assert expected in refused(double, tag=TAG, sql_conn_id="other")


BAD_NAMES = [
    "a b",
    "a.b.c",
    'a"b',
    "",
    ".a",
    "a.",
    "é",
    "a;b",
    "a\n",
    "x" * 64,
    "schema.with-hyphen",
    5,
    None,
]


@pytest.mark.parametrize("argument", ["table", "history_table"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_none_is_told_when_the_dag_is_parsed(argument: str, name: Any) -> None:
    if (argument, name) == ("history_table", None):
        return
    with pytest.raises(SMSPartnerInputError, match=f"`{argument}` must be the name of a table") as caught:
        transfer(tag=TAG, **{argument: name})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("argument", ["table", "history_table"])
def test_a_name_that_is_rendered_wrongly_is_told_before_the_first_request(
    double: SMSPartnerDouble, argument: str
) -> None:
    operator = transfer(tag=TAG, **{argument: "{{ params.table }}"})
    operator.render_template_fields({"params": {"table": "a; DROP TABLE b"}})

    with pytest.raises(SMSPartnerInputError, match=f"`{argument}` must be the name of a table"):
        operator.execute({})
    assert double.requests == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"sql_conn_id": ""}, "`sql_conn_id` must name an Airflow connection"),
        ({"sql_conn_id": 5}, "`sql_conn_id` must be text"),
        ({"create_tables": "False"}, "`create_tables` must be True or False"),
        ({"history_table": "statuses"}, "`history_table` must be another table"),
        ({"tag": "two words"}, "tag must"),
        ({"tag": None, "messages": [("+33639980001x", 5)]}, r"messages\[0\]: phone_number"),
        ({"phone_numbers": "hash"}, "`phone_numbers` must be one of"),
        ({"phone_numbers": "hmac"}, "`pseudonym_conn_id` must name"),
    ],
)
def test_other_arguments_are_checked_as_well(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=expected):
        transfer(**{"tag": TAG, **arguments})
