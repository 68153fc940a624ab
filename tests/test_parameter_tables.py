"""The docs have a table of the parameters of each class: all of them, with their defaults, and which are templated."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseSensorOperator

from airflow_provider_smspartner.notifications.smspartner import SMSPartnerNotifier
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = "airflow_provider_smspartner."

# The class, the page, the heading above the table, and what its column "of" says of the class.
TABLES = [
    (SMSPartnerStatusByTagOperator, "fetch.md", "Parameters", "by tag|both"),
    (SMSPartnerMultiStatusOperator, "fetch.md", "Parameters", "by list|both"),
    (SMSPartnerStopListOperator, "fetch.md", "Parameters", "stop list"),
    (SMSPartnerCampaignSensor, "await.md", "Parameters", ""),
    (SMSPartnerSendOperator, "sending.md", "Parameters", ""),
    (SMSPartnerNotifier, "sending.md", "Alert people by SMS", ""),
    (SMSPartnerStatusToSqlOperator, "warehouse.md", "Statuses in a database", ""),
]


@dataclass
class Row:
    names: list[str]
    default: str
    meaning: str


def rows_of(page: str, heading: str, of: str) -> Iterator[Row]:
    section = re.split(rf"^#+ {heading}\n", (DOCS / page).read_text(), flags=re.MULTILINE)[1]
    table = re.search(r"^\| parameter \|.*?(?=^$)", section, re.MULTILINE | re.DOTALL)
    assert table, f"{page} has no table of parameters below {heading!r}"
    titles, _, *lines = ([cell.strip() for cell in line[1:-1].split("|")] for line in table[0].splitlines())
    for line in lines:
        cells = dict(zip(titles, line, strict=True))
        if re.search(of, cells.get("of", "")):
            yield Row(re.findall(r"`(\w+)`", cells["parameter"]), cells["default"], cells["meaning"])


def own_parameters(kind: type) -> dict[str, Any]:
    return {
        name: parameter.default
        for base in kind.__mro__
        if base.__module__.startswith(PACKAGE) and "__init__" in vars(base)
        for name, parameter in inspect.signature(base.__init__).parameters.items()  # type: ignore[misc]
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


@pytest.mark.parametrize(
    ("kind", "page", "heading", "of"), TABLES, ids=[kind.__name__ for kind, *_ in TABLES]
)
def test_a_table_has_all_parameters_with_their_defaults(kind: Any, page: str, heading: str, of: str) -> None:
    rows, own = list(rows_of(page, heading, of)), own_parameters(kind)
    named = {name for row in rows for name in row.names}
    # The sensor's table has those of Airflow that matter to it.
    others = inspect.signature(BaseSensorOperator.__init__).parameters if page == "await.md" else {}
    assert own.keys() <= named <= {*own, *others}
    for row in rows:
        if not row.meaning.startswith("as "):
            is_templated = row.meaning.endswith("(templated)")
            assert {name in kind.template_fields for name in row.names} == {is_templated}, row
        if len(row.names) > 1 or row.names[0] not in own:
            continue
        default = own[row.names[0]]
        if not row.default:
            assert default in (inspect.Parameter.empty, None), row
            continue
        # A default in words, or a name, is not compared.
        with suppress(ValueError, SyntaxError):
            assert ast.literal_eval(row.default.strip("`")) == default, row
