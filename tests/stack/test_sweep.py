"""No key and no phone number in any log or table, but for what the author has put there; run after all others."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from told import PHONE_NUMBER, forms_of, without_ids

from airflow_provider_smspartner.testing import SMSPartnerDouble
from stack.conftest import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local_airflow import DagRun
    from stack.conftest import Vendor
    from stack.production import Production

pytestmark = pytest.mark.stack

# The doubles make up all their numbers in this range, which is kept for fiction.
NUMBER = re.compile(PHONE_NUMBER)
KEY = re.compile("|".join(map(re.escape, forms_of(API_KEY) | {json.dumps(json.dumps(API_KEY))[2:-2]})))
# Results, by the contract: what the author asked for.
RESULTS = {"xcom"}
# What an author has written into a DAG file, and so into what Airflow keeps of its text and its literals.
SOURCES = {"dag_code", "serialized_dag"}
# What an author has filled in: recipients and messages, and what a task of the author's takes as its arguments.
GIVEN = {"recipients", "messages", "op_args", "op_kwargs"}

PSEUDONYM_KEY = "the-key-of-the-pseudonyms-of-this-test"
# A range that is kept for fiction, and that nothing else in these tests uses.
NUMBERS = [f"+447700900{number:03}" for number in range(40)]
OTHER_NUMBER = re.compile(r"7700900\d{3}")


class Sweep:
    """What was looked at, and what was found."""

    def __init__(self, production: Production) -> None:
        self.looked_at: Counter[str] = Counter()
        self.found: list[tuple[str, str]] = []
        for name, text in production.logged():
            self._look("files", name, text, RESULTS)
        for name, text in production.kept():
            self.looked_at["tables"] += not self.looked_at[f"rows of {name}"]
            self.looked_at[f"rows of {name}"] += 1
            self._look("rows", name, without_what_was_given(text), RESULTS | SOURCES)

    def _look(self, kind: str, where: str, text: str, may_hold_numbers: set[str]) -> None:
        self.looked_at[kind] += 1
        self.looked_at["characters"] += len(text)
        if KEY.search(text):
            self.found.append(("the key", where))
        if where not in may_hold_numbers and NUMBER.search(without_ids(text)):
            self.found.append(("a phone number", where))


def without_what_was_given(text: str) -> str:
    """Leave out what an author has given, wherever it stands in a row."""

    def strip(value: Any) -> Any:
        if isinstance(value, str) and value[:1] in ("{", "["):
            try:
                return strip(json.loads(value))
            except ValueError:
                return value
        if isinstance(value, dict):
            return {name: strip(each) for name, each in value.items() if name not in GIVEN}
        return [strip(each) for each in value] if isinstance(value, list) else value

    return json.dumps(strip(json.loads(text)))


def test_no_log_and_no_table_holds_what_it_must_not(
    production: Production, awaited: tuple[DagRun, SMSPartnerDouble], tell: Callable[[str], None]
) -> None:
    run, double = awaited
    double.advance(3600)
    assert run.follow(lambda *_: None, seconds=300) == "success"

    sweep = Sweep(production)
    looked_at = sweep.looked_at
    tell(", ".join(f"{looked_at[kind]:,} {kind}" for kind in ("files", "tables", "rows", "characters")))
    assert sweep.found == []

    # It has looked where leaks would be, and finds what is planted: else it would pass on nothing.
    logs = " ".join(str(path) for path in (production.home / "logs").rglob("*.log"))
    assert "task_id=await_delivery" in logs
    assert ".trigger." in logs
    assert {"rows of trigger", "rows of xcom", "rows of task_instance", "rows of log"} <= set(looked_at)
    # The second are a list's own messages.
    assert {"xcom", "trigger"} <= {name for name, text in production.kept() if NUMBER.search(text)}
    planted = production.trigger("stack_print", text=f"it is +33639980007 with {quote(API_KEY)}")
    assert planted.follow(lambda *_: None, seconds=300) == "success"
    found = set(Sweep(production).found)
    assert {("the key", "dag_run"), ("a phone number", "dag_run")} < found
    assert {what for what, where in found if where.endswith(".log")} == {"the key", "a phone number"}


@pytest.mark.nightly
def test_with_pseudonyms_and_a_file_no_number_is_left_anywhere(
    production: Production, vendor: Vendor, tmp_path: Path
) -> None:
    conn_id, double = vendor()
    for position, number in enumerate(NUMBERS):
        # A wait that defers, so that the trigger and its event are looked at, too.
        double.add_message(number, str(9_000 + position), "Waiting", "Waiting", "Delivered", tag="pseudo")
        double.add_stop(number)
    messages = tmp_path / "messages.csv"
    pairs = (f"{number},{9_000 + position}" for position, number in enumerate(NUMBERS))
    messages.write_text("\n".join(["phone_number,message_id", *pairs]))
    fields = {"connection_id": "pseudonyms", "conn_type": "generic", "password": PSEUDONYM_KEY}
    production.airflow.post("connections", fields)
    # Into the database that is looked at as a whole.
    production.store_warehouse("warehouse")
    results = tmp_path / "results"
    run = production.trigger(
        "stack_pseudonyms", conn_id=conn_id, messages=str(messages), results=str(results)
    )
    assert run.follow(lambda *_: None, seconds=300) == "success"

    key = PSEUDONYM_KEY.encode()
    expected = {hmac.new(key, number.encode(), hashlib.sha256).hexdigest() for number in NUMBERS}
    for task_id in ("await_messages", "await_tag", "fetch_messages", "fetch_stop_list"):
        assert {row["phone_number"] for row in run.xcom(task_id)} == expected
    files = sorted(results.iterdir())
    assert [path.name for path in files] == ["messages.ndjson", "tag.csv"]
    assert {json.loads(line)["phone_number"] for line in files[0].read_text().splitlines()} == expected
    assert all(each in files[1].read_text() for each in expected)
    for table in ("swept_statuses", "swept_history"):
        assert {number for (number,) in production.query(f"SELECT phone_number FROM {table}")} == expected  # noqa: S608 - ours
    places = [*production.logged(), *production.kept(), *((path.name, path.read_text()) for path in files)]
    assert [where for where, text in places if OTHER_NUMBER.search(without_ids(text))] == []
    assert [where for where, text in places if PSEUDONYM_KEY in text] == []
    # The sweep would see a number: the trigger's arguments name the file that has them.
    assert any(str(messages) in text for where, text in places if where == "trigger")
    assert OTHER_NUMBER.search(messages.read_text())
