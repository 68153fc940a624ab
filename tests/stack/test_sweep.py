"""No key and no phone number in any log or table, but for what the author has put there; run after all others."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from told import PHONE_NUMBER, forms_of, without_ids

from airflow_provider_smspartner.testing import SMSPartnerDouble
from stack.conftest import API_KEY
from stack.sweeping import kept, logged

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.production import Production

pytestmark = pytest.mark.stack

# The doubles make up all their numbers in this range, which is kept for fiction.
NUMBER = re.compile(PHONE_NUMBER)
KEY = re.compile("|".join(map(re.escape, forms_of(API_KEY) | {json.dumps(json.dumps(API_KEY))[2:-2]})))
# Results, by the contract: what the author asked for.
RESULTS = {"xcom"}
# What an author has written into a DAG file, and so into what Airflow keeps of its text and its literals.
SOURCES = {"dag_code", "serialized_dag"}
# What an author has filled in: a list of messages, and what a task of the author's takes as its arguments.
GIVEN = {"messages", "op_args", "op_kwargs"}


class Sweep:
    """What was looked at, and what was found."""

    def __init__(self, production: Production) -> None:
        self.looked_at: Counter[str] = Counter()
        self.found: list[str] = []
        for name, text in logged(production):
            self._look("files", name, text, RESULTS)
        for name, text in kept(production):
            self.looked_at["tables"] += not self.looked_at[f"rows of {name}"]
            self.looked_at[f"rows of {name}"] += 1
            self._look("rows", name, without_what_was_given(text), RESULTS | SOURCES)

    def _look(self, kind: str, where: str, text: str, may_hold_numbers: set[str]) -> None:
        self.looked_at[kind] += 1
        self.looked_at["characters"] += len(text)
        if KEY.search(text):
            self.found.append(f"the key in {where}")
        if where not in may_hold_numbers and NUMBER.search(without_ids(text)):
            self.found.append(f"a phone number in {where}")


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


@pytest.fixture(scope="module")
def sweep(production: Production) -> Sweep:
    """What is found once all others have run, and a wait by tag and one by list at least."""
    with SMSPartnerDouble(api_key=API_KEY, auto_campaigns=True, settle_seconds=8) as double:
        production.airflow.store_connection("swept", double)
        for dag_id in ("stack_wait", "stack_many_waits"):
            run = production.trigger(dag_id, conn_id="swept")
            assert run.follow(lambda *_: None, seconds=120) == "success"
    return Sweep(production)


def test_no_log_and_no_table_holds_what_it_must_not(sweep: Sweep, tell: Callable[[str], None]) -> None:
    tell(", ".join(f"{sweep.looked_at[kind]:,} {kind}" for kind in ("files", "tables", "rows", "characters")))
    assert sweep.found == []


def test_it_has_looked_where_leaks_would_be(production: Production, sweep: Sweep) -> None:
    # Else the test above would pass on nothing.
    names = " ".join(str(path) for path in (production.home / "logs").rglob("*.log"))
    assert "task_id=await_campaign" in names
    assert ".trigger." in names
    assert {"rows of trigger", "rows of xcom", "rows of task_instance", "rows of log"} <= set(sweep.looked_at)
    numbers = [name for name, text in kept(production) if NUMBER.search(text)]
    assert "xcom" in numbers
    assert "trigger" in numbers  # a list's own messages


@pytest.mark.usefixtures("sweep")
@pytest.mark.parametrize(
    ("text", "found"),
    [("it is +33639980007", "a phone number in"), (f"it is {quote(API_KEY)}", "the key in")],
)
def test_a_planted_leak_is_found(production: Production, text: str, found: str) -> None:
    run = production.trigger("stack_print", text=text)
    assert run.follow(lambda *_: None, seconds=60) == "success"
    places = {each.removeprefix(found).strip() for each in Sweep(production).found if each.startswith(found)}
    assert any(place.endswith(".log") for place in places)
    assert "dag_run" in places
