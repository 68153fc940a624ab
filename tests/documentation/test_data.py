"""The JSON, SQL and configuration on the pages are what the provider, a database and Airflow really know."""

from __future__ import annotations

import json
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from airflow.configuration import conf
from documentation import shapes
from documentation.blocks import Block, Kind, each_of
from documentation.place import Place
from warehouses import CONN_ID, opened

from airflow_provider_smspartner.testing import SMSPartnerDouble
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator


@each_of(Kind.JSON)
def test_json_has_a_real_shape(page: str, block: Block, place: Place, double: SMSPartnerDouble) -> None:
    samples = shapes.make(double)
    if name := block.marks.get("json"):
        samples = {name: samples[name]}

    differences = {name: shapes.difference(json.loads(block.text), real) for name, real in samples.items()}

    assert None in differences.values(), f"{block.id} is none of these: {differences}"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@each_of(Kind.SQL)
def test_sql_gives_rows(  # noqa: PLR0917 - fixtures
    page: str,
    block: Block,
    double: SMSPartnerDouble,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
) -> None:
    double.add_message("+33639980000", 1, "Waiting", "Delivered", tag="late")
    with opened(database, tmp_path, monkeypatch) as warehouse:
        for tag in ("spring", "late", "late"):
            SMSPartnerStatusToSqlOperator(
                task_id="load",
                tag=tag,
                table="sms_statuses",
                history_table="sms_history",
                sql_conn_id=CONN_ID,
            ).execute({})
        with warehouse.connected() as connection:
            found = connection.execute(sa.text(block.text))
            assert not found.returns_rows or found.fetchall(), f"{block.id} gives no rows"


@each_of(Kind.CONFIG)
def test_configuration_can_be_read(page: str, block: Block) -> None:
    block.skip_unless_possible()
    if block.language != "ini":
        read: dict[str, Any] = {"toml": tomllib.loads, "yaml": yaml.safe_load}
        assert read[block.language](block.text)
        return
    # Options of Airflow: no other file of this format is shown.
    parser = ConfigParser(interpolation=None)
    parser.read_string(block.text)
    named = {(section, option) for section in parser.sections() for option in parser[section]}
    known = conf.configuration_description
    assert named
    assert [each for each in named if each[1] not in known[each[0]]["options"]] == []
