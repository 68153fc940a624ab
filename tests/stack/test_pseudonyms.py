"""With pseudonyms and messages from a file, no phone number is anywhere: in no XCom, file, table or log."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from told import without_ids

from stack.sweeping import kept, logged

if TYPE_CHECKING:
    from stack.conftest import Vendor
    from stack.production import Production

pytestmark = pytest.mark.stack

KEY = "the-key-of-the-pseudonyms-of-this-test"
# A range that is kept for fiction, and that nothing else in these tests uses.
NUMBERS = [f"+447700900{number:03}" for number in range(40)]
ANY_NUMBER = re.compile(r"7700900\d{3}")


def pseudonym(number: str) -> str:
    return hmac.new(KEY.encode(), number.encode(), hashlib.sha256).hexdigest()


def test_no_number_is_left_anywhere(production: Production, vendor: Vendor, tmp_path: Path) -> None:
    conn_id, double = vendor()
    for position, number in enumerate(NUMBERS):
        # A wait that defers, so that the trigger and its event are looked at, too.
        double.add_message(number, str(9_000 + position), "Waiting", "Waiting", "Delivered", tag="pseudo")
        double.add_stop(number)
    messages = tmp_path / "messages.csv"
    messages.write_text(
        "phone_number,message_id\n"
        + "".join(f"{number},{9_000 + position}\n" for position, number in enumerate(NUMBERS))
    )
    production.airflow.post(
        "connections", {"connection_id": "pseudonyms", "conn_type": "generic", "password": KEY}
    )
    # Into the database that is looked at as a whole.
    production.store_warehouse("warehouse")
    results = tmp_path / "results"

    run = production.trigger(
        "stack_pseudonyms", conn_id=conn_id, messages=str(messages), results=str(results)
    )
    assert run.follow(lambda *_: None, seconds=180) == "success"

    expected = {pseudonym(number) for number in NUMBERS}
    for task_id in ("await_messages", "await_tag", "fetch_messages", "fetch_stop_list"):
        assert {row["phone_number"] for row in run.xcom(task_id)} == expected
    files = sorted(results.iterdir())
    assert [path.name for path in files] == ["messages.ndjson", "tag.csv"]
    assert {json.loads(line)["phone_number"] for line in files[0].read_text().splitlines()} == expected
    assert all(each in files[1].read_text() for each in expected)
    for table in ("swept_statuses", "swept_history"):
        assert {number for (number,) in production.query(f"SELECT phone_number FROM {table}")} == expected  # noqa: S608 - ours
    places = [*logged(production), *kept(production), *((path.name, path.read_text()) for path in files)]
    assert [where for where, text in places if ANY_NUMBER.search(without_ids(text))] == []
    assert [where for where, text in places if KEY in text] == []
    # The sweep would see a number: the trigger's arguments name the file that has them.
    assert any(str(messages) in text for where, text in places if where == "trigger")
    assert ANY_NUMBER.search(messages.read_text())
