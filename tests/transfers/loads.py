"""What the tests of the transfer share."""

from __future__ import annotations

from typing import Any

import pytest
from harness import new_context
from warehouses import CONN_ID

from airflow_provider_smspartner.testing import SMSPartnerDouble
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

TAG = "spring"
MESSAGES = [("+33639980001", "1001"), ("+33639980002", "1002"), ("+33639980003", "1003")]

each_database = pytest.mark.parametrize("warehouse", ["sqlite", "postgresql", "mariadb"], indirect=True)
"""For facts that each database has code of its own for, in the provider or in its driver."""


def transfer(**arguments: Any) -> SMSPartnerStatusToSqlOperator:
    return SMSPartnerStatusToSqlOperator(
        task_id="load", **{"table": "statuses", "sql_conn_id": CONN_ID, **arguments}
    )


def load(**arguments: Any) -> Any:
    """Run the operator, and return what it has pushed."""
    context = new_context()
    result = transfer(**arguments).execute(context)
    return {"return_value": result, **context["ti"].xcoms}


def add(double: SMSPartnerDouble, *statuses: str, tag: str | None = None) -> None:
    """Let the double know the messages: each in a status, or in one after the other, between commas, as it is read."""
    for message, seen in zip(MESSAGES, statuses, strict=False):
        double.add_message(*message, *seen.split(","), tag=tag)
