"""
Fetch the statuses of one huge list in parts, which land as one partitioned folder.

The list is a file, and is never in memory or in XCom as a whole: a task splits it as a stream, and dynamic task
mapping makes a task for each part. Each writes a file of its own, named after the run and the part: a part that is
run again replaces its own file and no other. A last task adds up the summaries of all parts.

The files are gzipped NDJSON, which needs no extra and keeps phone numbers text. DuckDB reads all of them as one table
with the columns ``run`` and ``part``: ``read_json('<folder>/statuses/*/*/*.ndjson.gz', hive_partitioning=true)``. Let
them end in ``.parquet`` for readers that find partitions in Parquet only, such as Polars.

Trigger it with ``{"folder": "s3://conn_id@bucket/sms"}``, or with any other storage that all workers reach.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath, Param, dag, get_current_context, task

from airflow_provider_smspartner.models import DeliveryStatus, StatusSummary
from airflow_provider_smspartner.operators.smspartner import SMSPartnerMultiStatusOperator

PARAMS = {
    "folder": Param(Path(gettempdir(), "smspartner").as_uri(), type="string"),
    # 100,000 or more for real lists: Airflow maps over 1,024 parts at most ([core] max_map_length).
    "part_size": Param(1_000, type="integer", minimum=1),
}


def folder_of_run(kind: str) -> ObjectStoragePath:
    context = get_current_context()
    # A run id has colons and a plus sign: not every storage takes them in a name.
    run = re.sub(r"[^\w-]", "-", context["run_id"])
    return ObjectStoragePath(context["params"]["folder"]) / kind / f"run={run}"


@dag(schedule=None, params=PARAMS, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_partitioned_list() -> None:
    @task
    def export_messages() -> str:
        # Stands in for the export of what was sent.
        folder = folder_of_run("messages")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "all.ndjson").open("w") as file:
            for n in range(2_300):
                file.write(f'{{"phone_number": "+3363998{n:04}", "message_id": {500_000 + n}}}\n')
        return str(folder / "all.ndjson")

    @task
    def split(path: str) -> list[dict[str, str]]:
        size = get_current_context()["params"]["part_size"]
        messages, statuses = folder_of_run("messages"), folder_of_run("statuses")
        parts = []
        with ObjectStoragePath(path).open("r") as file:
            lines = iter(file.readline, "")  # Airflow 2 cannot iterate over the file itself
            for number, first in enumerate(lines):
                source = messages / f"{number:04}.ndjson"
                target = statuses / f"part={number:04}" / "statuses.ndjson.gz"
                with source.open("w") as part:
                    part.writelines(chain([first], islice(lines, size - 1)))
                parts.append({"messages": str(source), "output_path": str(target)})
        return parts

    fetched = SMSPartnerMultiStatusOperator.partial(
        task_id="fetch_part",
        # Every task is a process with the connection's whole requests_per_minute for itself: one at a time keeps to
        # the ceiling. For n at once, divide it by n; where other DAGs ask as well, give all of them a pool of n slots.
        max_active_tis_per_dag=1,
        map_index_template="{{ task.output_path.split('/')[-2] }}",
    ).expand_kwargs(split(export_messages()))

    @task
    def add_up(summaries: Iterable[dict[str, Any]]) -> dict[str, Any]:
        parts = list(summaries)
        counts = Counter(
            {status: sum(part[status.name.lower()] for part in parts) for status in DeliveryStatus}
        )
        for status, count in counts.most_common():
            print(f"{status:<15}{count:>9}")
        print(f"{'Total':<15}{counts.total():>9} in {len(parts)} parts")
        read_at = max(datetime.fromisoformat(part["checked_at"]) for part in parts)
        return StatusSummary(counts=counts, checked_at=read_at).as_dict()

    add_up(fetched.output["summary"])


smspartner_partitioned_list()
