"""
Landing: memory and time of a million rows on their way into each format, against the format's own library.

``python -m benchmarks.landing REPORT ENDING`` writes rows that are made on the way, and reports its peak of memory.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_provider_smspartner._landing.formats import GZIP_LEVEL
from airflow_provider_smspartner._landing.output import Output
from airflow_provider_smspartner.models import StatusRow
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
    peaks = {ending: in_process("landing", ending) for ending in LIBRARIES}
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


def main(report: str, ending: str) -> None:
    """Write rows that are made on the way, and report the peak of memory in bytes."""
    with TemporaryDirectory() as folder:
        output = Output.of(Path(folder, f"rows{ending}").as_uri())
        # The start is after a first row: what Airflow's storage and the format's library load for it is not ours.
        output.write(islice(rows(), 1))
        with PeakMemory() as memory:
            output.write(rows())
    Path(report).write_text(json.dumps(memory.above_start))


if __name__ == "__main__":
    main(*sys.argv[1:])
