"""A task process that is killed while it writes a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stack.conftest import Vendor
    from stack.production import Production

pytestmark = pytest.mark.stack

ROWS = 600


def test_the_retry_gives_the_whole_file_and_leaves_no_other(
    production: Production, vendor: Vendor, tmp_path: Path
) -> None:
    conn_id, double = vendor(page_size=25, latency=0.4, extra={"max_connections": 1})
    double.add_campaign("spring", size=ROWS, settle_seconds=0)
    target = tmp_path / "out" / "statuses.ndjson"
    run = production.trigger("stack_fetch", conn_id=conn_id, path=str(target))

    def unfinished() -> list[Path]:
        return [path for path in tmp_path.rglob("*") if path.is_file()]

    production.wait_for("the file in the making", lambda: unfinished() if len(double.requests) > 5 else None)
    (part,) = unfinished()
    assert part.suffix == ".part"
    assert not target.exists()
    processes = production.task_processes()
    assert processes
    for process in processes:
        process.kill()
    production.wait_for(
        "the killed task to be tried again", lambda: run.task("fetch_statuses")["try_number"] == 2
    )
    assert not target.exists()
    assert run.follow(lambda *_: None, seconds=180) == "success"
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(rows) == len({row["phone_number"] for row in rows}) == ROWS
    assert unfinished() == [target]
    assert run.xcom("fetch_statuses") == {"path": str(target), "rows": ROWS, "format": "ndjson"}
