"""The SQL on the pages: it runs on the tables that the provider makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from documentation.blocks import Block, Kind, each_of
from warehouses import CONN_ID, opened

from airflow_provider_smspartner.testing import SMSPartnerDouble
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

TABLE = "sms_statuses"
HISTORY = "sms_history"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@each_of(Kind.SQL)
def test_it_gives_rows(
    block: Block, double: SMSPartnerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    double.add_message("+33639980000", 1, "Waiting", "Delivered", tag="late")
    with opened(database, tmp_path, monkeypatch) as warehouse:
        for tag in ("spring", "late", "late"):
            SMSPartnerStatusToSqlOperator(
                task_id="load", tag=tag, table=TABLE, history_table=HISTORY, sql_conn_id=CONN_ID
            ).execute({})
        with warehouse.connected() as connection:
            found = connection.execute(sa.text(block.text))
            assert not found.returns_rows or found.fetchall(), f"{block.id} gives no rows"
