"""
Writing: memory and time of a million rows on their way into each format, against the format's own library.

``python -m benchmarks.writing REPORT rows ENDING`` writes rows that are made on the way, and reports its peak of
memory; ``python -m benchmarks.writing REPORT messages`` that of calls for the messages of a file.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_provider_smspartner._files.formats import GZIP_LEVEL
from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._messages.from_argument import read_pending
from airflow_provider_smspartner.models import StatusRow
from airflow_provider_smspartner.protocol import multi_status
from benchmarks.measure import PeakMemory, Result, in_process, ratio

ROWS = 1_000_000
MEGABYTES = 64


def rows() -> Iterator[StatusRow]:
    """Make rows as a campaign's are: two in three share a second, and one in ten was not delivered."""
    for n in range(ROWS):
        status = "Delivered" if n % 10 else "Not delivered"
        yield {
            "phone_number": f"+336{n:08}",
            "message_id": str(100_000 + n),
            "status": status,
            "raw_status": status,
            "date": f"2018-02-06T{n // 150_000:02}:{n // 2_500 % 60:02}:{n % 60:02}+00:00",
            "stop_sms": n % 1000 == 0,
            "is_spam": False,
            "code": 200,
        }


def by_json(taken: Sequence[StatusRow], path: Path) -> None:
    """Write NDJSON with json and gzip, at the level that is compared."""
    with gzip.open(path, "wt", GZIP_LEVEL, encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in taken)


def by_csv(taken: Sequence[StatusRow], path: Path) -> None:
    """Write CSV with csv."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(taken[0]))
        writer.writeheader()
        writer.writerows(taken)


def by_pyarrow(taken: Sequence[StatusRow], path: Path) -> None:
    """Write Parquet with pyarrow, and let it find the types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(taken), path)


LIBRARIES: dict[str, tuple[str, Callable[[Sequence[StatusRow], Path], None]]] = {
    ".ndjson.gz": (f"json and gzip, level {GZIP_LEVEL}", by_json),
    ".csv": ("csv.DictWriter", by_csv),
    ".parquet": ("pyarrow, from_pylist and write_table", by_pyarrow),
}


def measure() -> Iterator[Result]:
    """Measure all of it."""
    peaks = {ending: in_process("writing", "rows", ending) for ending in LIBRARIES}
    yield Result(
        what=f"{ROWS:,} messages from .csv, into calls: peak memory above the start",
        measured=f"{in_process('writing', 'messages') / 1e6:.0f} MB",
    )
    taken = list(rows())
    with TemporaryDirectory() as folder:
        for ending, (library, write) in LIBRARIES.items():
            peak = peaks[ending] / 1e6
            yield Result(
                what=f"{ROWS:,} rows into {ending}: peak memory above the start",
                measured=f"{peak:.0f} MB",
                goal=f"under {MEGABYTES} MB",
                reached=peak < MEGABYTES,
            )
            found = ratio(
                partial(_write, taken, Path(folder, f"ours{ending}")),
                partial(write, taken, Path(folder, f"theirs{ending}")),
                rounds=3,
            )
            yield Result(
                what=f"{ROWS:,} rows into {ending}: time",
                baseline=f"the same rows already in memory, by {library}",
                measured=str(found),
                goal="at most 2 x",
                reached=found.median <= 2,
            )


def _write(taken: Any, path: Path) -> None:
    Output.of(path.as_uri()).write(taken)


def main(report: str, what: str, *arguments: str) -> None:
    """Report the peak of memory in bytes."""
    with TemporaryDirectory() as folder:
        works: dict[str, Callable[..., Iterator[None]]] = {"rows": _write_rows, "messages": _ask_for_messages}
        work = works[what](Path(folder), *arguments)
        # The start is after a first, small run: what Airflow's storage and the libraries load for it is not ours.
        next(work)
        with PeakMemory() as memory:
            next(work)
    Path(report).write_text(json.dumps(memory.above_start))


def _write_rows(folder: Path, ending: str) -> Iterator[None]:
    output = Output.of((folder / f"rows{ending}").as_uri())
    for count in (1, ROWS):
        output.write(islice(rows(), count))
        yield


def _ask_for_messages(folder: Path) -> Iterator[None]:
    for name, count in (("few", 1_000), ("all", ROWS)):
        with (folder / f"{name}.csv").open("w") as file:
            file.write("phone_number,message_id\n")
            file.writelines(f"+336{n:08},{100_000 + n}\n" for n in range(count))
    for name in ("few", "all"):
        with closing(read_pending((folder / f"{name}.csv").as_uri())) as messages:
            for _ in multi_status(messages, distinct=True):
                pass
        yield


if __name__ == "__main__":
    main(*sys.argv[1:])
