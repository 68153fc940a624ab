"""The transfer into a table: rows of lists and of tags, their history, and what XCom holds of them."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from harness import new_context
from transfers.loads import MESSAGES, TAG, add, each_database, load, transfer
from warehouses import CONN_ID, Warehouse

from airflow_provider_smspartner._sql import load as load_module
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
)
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


def statuses(rows: list[Any]) -> list[tuple[str, ...]]:
    return [(row["phone_number"], row["message_id"], row["status"]) for row in rows]


@each_database
def test_a_list_lands_with_all_that_is_known_of_it(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    double.add_message(*MESSAGES[0], "Delivered", is_spam=True)
    before = datetime.now(UTC)

    reported = load(messages=MESSAGES[:2])

    first, second = warehouse.rows()
    assert before <= first["checked_at"] == second["checked_at"] <= datetime.now(UTC)
    assert before - timedelta(seconds=1) <= first.pop("date") <= datetime.now(UTC)
    checked_at = first.pop("checked_at")
    assert first == {
        "phone_number": "+33639980001",
        "message_id": "1001",
        "status": "Delivered",
        "raw_status": "Delivered",
        "stop_sms": False,
        "is_spam": True,
        "code": 200,
        "tag": "",
    }
    assert [second[name] for name in ("status", "date", "is_spam", "code")] == ["Not found", None, None, 4]
    assert reported["return_value"] == {"table": "statuses", "rows": 2, "changed": 2}
    assert (
        reported["summary"]["total"],
        reported["summary"]["delivered"],
        reported["summary"]["not_found"],
    ) == (2, 1, 1)
    assert datetime.fromisoformat(reported["summary"]["checked_at"]) == checked_at


@each_database
def test_a_list_that_is_loaded_again_updates_its_rows(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    add(double, "Waiting,Delivered", "Waiting", "KO")
    load(messages=MESSAGES[:2])
    (before, _) = warehouse.rows()

    reported = load(messages=MESSAGES[1:])
    assert reported["return_value"] == {"table": "statuses", "rows": 2, "changed": 1}
    assert warehouse.rows()[0] == before
    reported = load(messages=MESSAGES)

    assert reported["return_value"] == {"table": "statuses", "rows": 3, "changed": 1}
    assert statuses(warehouse.rows()) == [
        ("+33639980001", "1001", "Delivered"),
        ("+33639980002", "1002", "Waiting"),
        ("+33639980003", "1003", "KO"),
    ]
    assert len({row["checked_at"] for row in warehouse.rows()}) == 1


def test_an_empty_list_writes_no_rows(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    reported = load(messages=[])

    assert reported["return_value"] == {"table": "statuses", "rows": 0, "changed": 0}
    assert reported["summary"]["total"] == 0
    assert warehouse.rows() == []
    assert double.requests == []


@each_database
def test_a_tag_replaces_all_rows_of_the_tag_and_no_others(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    double.add_campaign(TAG, size=120, settle_seconds=0)
    double.add_campaign("autumn", size=7, settle_seconds=0)
    add(double, "Delivered")
    load(messages=MESSAGES[:1])
    load(tag="autumn")
    for _ in range(2):
        reported = load(tag=TAG)

    assert reported["return_value"] == {"table": "statuses", "rows": 120, "changed": 0}
    assert sorted(warehouse.select("SELECT tag, count(*), count(message_id) FROM statuses GROUP BY tag")) == [
        ("", 1, 1),
        ("autumn", 7, 0),
        (TAG, 120, 0),
    ]
    # What the table has besides is no longer the vendor's.
    warehouse.run("UPDATE statuses SET tag = 'spring' WHERE tag = 'autumn'")
    assert load(tag=TAG)["return_value"]["rows"] == 120
    assert sorted(warehouse.select("SELECT tag, count(*) FROM statuses GROUP BY tag")) == [
        ("", 1),
        (TAG, 120),
    ]


@each_database
def test_the_history_of_a_list_has_each_status_that_a_message_had(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    add(double, "Waiting,Delivered", "Waiting,Waiting,KO")
    times = [load(messages=MESSAGES[:2], history_table="history")["summary"]["checked_at"] for _ in range(4)]

    history = warehouse.rows("history", "message_id, observed_at")
    assert [(row["message_id"], row["status"], row["observed_at"].isoformat()) for row in history] == [
        ("1001", "Waiting", times[0]),
        ("1001", "Delivered", times[1]),
        ("1002", "Waiting", times[0]),
        ("1002", "KO", times[2]),
    ]
    assert {row["tag"] for row in history} == {""}
    assert list(history[0]) == [*list(warehouse.rows()[0])[:-1], "observed_at"]


@each_database
def test_the_history_of_a_tag_has_what_is_more_than_before(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    for id_, seen in (("1", "Waiting,Delivered"), ("2", "Waiting,Waiting,Delivered"), ("3", "KO")):
        double.add_message("+33639980001", id_, *seen.split(","), tag=TAG)

    loads = [load(tag=TAG, history_table="history")["return_value"] for _ in range(4)]

    assert [each["changed"] for each in loads] == [3, 1, 1, 0]
    history = warehouse.rows("history", "observed_at, status")
    assert [row["status"] for row in history] == ["KO", "Waiting", "Waiting", "Delivered", "Delivered"]
    assert {(row["tag"], row["message_id"]) for row in history} == {(TAG, None)}


def test_an_unknown_tag_leaves_the_rows_as_they_are(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    double.add_campaign(TAG, size=5, settle_seconds=0)
    load(tag=TAG)
    before = warehouse.rows()

    with pytest.raises(SMSPartnerNotFoundError, match="tag 'autumn'"):
        load(tag="autumn")
    assert warehouse.rows() == before
    for table in ("statuses", "others"):
        reported = load(tag="autumn", table=table, history_table="history", allow_empty=True)
        assert reported["return_value"] == {"table": table, "rows": 0, "changed": 0}
        assert reported["summary"]["total"] == 0
    assert warehouse.rows("others") == warehouse.rows("history") == []
    # One that was known has its rows still.
    double.misbehave(Fault.error(4))
    assert load(tag=TAG, allow_empty=True)["return_value"]["rows"] == 0
    assert warehouse.rows() == before
    double.misbehave(Fault.error(10))
    with pytest.raises(SMSPartnerCredentialsError):
        load(tag=TAG, allow_empty=True)


@each_database
def test_names_of_tables_may_be_words_of_sql_and_in_a_schema(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    add(double, "Delivered")
    schema = {"sqlite": "main", "postgresql": "sms", "mariadb": warehouse.database}[warehouse.name]
    if warehouse.name == "postgresql":
        warehouse.run("CREATE SCHEMA sms")

    for _ in range(2):
        reported = load(messages=MESSAGES[:1], table=f"{schema}.order", history_table=f"{schema}.Group")
        load(messages=MESSAGES[:1], table="order", history_table="Group")

    assert reported["return_value"] == {"table": f"{schema}.order", "rows": 1, "changed": 0}
    with warehouse.connected() as connection:
        for name, place in itertools.product(("order", "Group"), (schema, None)):
            table = sa.Table(name, sa.MetaData(), schema=place, autoload_with=connection)
            assert len(connection.execute(sa.select(*table.c)).all()) == 1


def test_pseudonyms_are_the_key_and_no_number_is_in_the_tables(
    double: SMSPartnerDouble, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "a long key of pseudonyms"
    monkeypatch.setenv("AIRFLOW_CONN_PSEUDONYMS", json.dumps({"conn_type": "generic", "password": key}))
    for message in MESSAGES:
        double.add_message(*message, "Delivered", tag=TAG)
    form = {"phone_numbers": "hmac", "pseudonym_conn_id": "pseudonyms", "history_table": "history"}

    for _ in range(2):
        load(messages=MESSAGES, **form)
        load(tag=TAG, **form)

    expected = {hmac.new(key.encode(), number.encode(), hashlib.sha256).hexdigest() for number, _ in MESSAGES}
    for table in ("statuses", "history"):
        rows = warehouse.rows(table)
        assert len(rows) == 6
        assert {row["phone_number"] for row in rows} == expected
        # The microseconds of a time hold any five digits at times.
        reported = [
            value for row in rows for name, value in row.items() if name not in ("checked_at", "date")
        ]
        assert "63998" not in repr(reported)


@each_database
def test_a_tag_that_changes_while_it_is_read_is_loaded_anew(
    double: SMSPartnerDouble, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, "CHUNK_ROWS", 10)
    double.add_campaign(TAG, size=120, settle_seconds=0)
    double.misbehave(Fault.sent_meanwhile(), times=3)

    loaded = load(tag=TAG)

    assert (loaded["return_value"]["rows"], loaded["summary"]["total"]) == (120, 120)
    assert len({row["phone_number"] for row in warehouse.rows()}) == len(warehouse.rows()) == 120


def test_masked_numbers_are_the_key_while_they_can_be_reported_apart(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    alike = [("+33639980001", "7"), ("+33639980101", "7"), ("+33639980002", "7")]
    for message in alike:
        double.add_message(*message, "Delivered", tag=TAG)

    load(messages=alike[1:], phone_numbers="mask")
    assert [row["phone_number"] for row in warehouse.rows()] == ["+33*******01", "+33*******02"]
    with pytest.raises(SMSPartnerInputError, match=r"1 pairs of phone number and message id.*hmac"):
        load(messages=alike, phone_numbers="mask")
    assert len(warehouse.rows()) == 2
    assert load(tag=TAG, phone_numbers="mask")["return_value"]["rows"] == 3


@each_database
def test_texts_land_as_they_are_and_ids_that_differ_in_case_are_two(
    double: SMSPartnerDouble, warehouse: Warehouse
) -> None:
    texts = {"A1": 'Ein\x00Status\nmit "allem", \\N und \\ é €', "a1": "\\N"}
    messages = [("+33639980001", message_id) for message_id in texts]
    for message in messages:
        double.add_message(*message, texts[message[1]])

    for _ in range(2):
        load(messages=messages)

    assert {row["message_id"]: row["raw_status"] for row in warehouse.rows()} == {
        **texts,
        "A1": 'Ein Status mit "allem", \\N und \\ é €',
    }
    assert [row["status"] for row in warehouse.rows()] == ["Unknown", "Unknown"]


def test_no_other_dialect_needs_an_upsert(
    double: SMSPartnerDouble, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_smspartner._sql import merging

    upserts: Any = merging.upserts

    class Other:
        name = "other"

    monkeypatch.setattr(merging, "upserts", lambda *given: upserts(*given[:-1], Other()))
    add(double, "Waiting,Delivered", "Waiting", "KO")
    load(messages=MESSAGES[:2])

    assert load(messages=MESSAGES, history_table="history")["return_value"]["changed"] == 2
    assert [row["status"] for row in warehouse.rows()] == ["Delivered", "Waiting", "KO"]
    assert len(warehouse.rows("history")) == 2


@each_database
def test_columns_have_their_types(double: SMSPartnerDouble, warehouse: Warehouse) -> None:
    load(messages=[], history_table="history")

    inspector = sa.inspect(warehouse.engine)
    for table, last in (("statuses", "checked_at"), ("history", "observed_at")):
        found = {
            each["name"]: str(each["type"]).split(" COLLATE")[0] for each in inspector.get_columns(table)
        }
        time = {"postgresql": "TIMESTAMP", "mariadb": "DATETIME", "sqlite": "DATETIME"}[warehouse.name]
        flag = {"postgresql": "BOOLEAN", "mariadb": "TINYINT", "sqlite": "BOOLEAN"}[warehouse.name]
        assert {name: kind.split("(1)")[0] for name, kind in found.items()} == {
            "phone_number": "VARCHAR(64)",
            "message_id": "VARCHAR(64)",
            "status": "VARCHAR(16)",
            "raw_status": "TEXT",
            "date": time,
            "stop_sms": flag,
            "is_spam": flag,
            "code": "INTEGER",
            "tag": "VARCHAR(20)",
            last: time,
        }


def test_all_arguments_but_booleans_are_templated() -> None:
    assert set(transfer(tag=TAG).template_fields) == {
        *("table", "sql_conn_id", "tag", "messages", "history_table"),
        *("phone_numbers", "pseudonym_conn_id", "smspartner_conn_id"),
    }
    assert transfer(tag=TAG).sql_conn_id == CONN_ID


@each_database
def test_messages_may_be_a_file_and_lineage_shows_it_and_the_tables(
    double: SMSPartnerDouble, warehouse: Warehouse, tmp_path: Path
) -> None:
    add(double, "Delivered", "Waiting")
    path = tmp_path / "messages.csv"
    path.write_text("phone_number,message_id\n" + "".join(f"{n},{i}\n" for n, i in MESSAGES[:2]))
    task = transfer(messages=str(path), history_table="history")

    assert task.execute(new_context())["rows"] == 2

    assert [row["status"] for row in warehouse.rows()] == ["Delivered", "Waiting"]
    assert task._lineage is not None
    assert list(task._lineage.inputs) == [f"file://{path}"]
    place = {
        "sqlite": f"sqlite://{tmp_path}/warehouse.db",
        "postgresql": f"postgres://{warehouse.host}/{warehouse.database}/public",
        "mariadb": f"mysql://{warehouse.host}/{warehouse.database}",
    }[warehouse.name]
    assert task._lineage.outputs == {f"{place}/statuses": 2, f"{place}/history": 2}
