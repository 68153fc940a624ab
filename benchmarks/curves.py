"""
Curves: calls against the number of waits, and memory against the size of a campaign.

Not among the parts that run by default: ``python -m benchmarks curves`` also writes `CURVES`, which
``scripts/plots.py`` draws. Calls and memory, unlike time, come out the same on a busy machine.

``python -m benchmarks.curves REPORT pokes WAITS`` polls with as many sensors, each by itself; ``python -m
benchmarks.curves REPORT memory INTO ROWS`` reports the peak of memory of one fetch.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_provider_smspartner.operators.smspartner import SMSPartnerStatusByTagOperator
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from benchmarks.measure import ROOT, PeakMemory, Result, in_process, stub
from benchmarks.stub import ROWS_A_PAGE

CURVES = ROOT / "benchmarks" / "curves.json"

WAITS = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000)
INTERVAL, POLLS = 6.0, 4

ROWS = (1_000, 10_000, 100_000, 250_000, 500_000, 1_000_000)
XCOM = "XCom"
TARGETS = (XCOM, ".ndjson.gz", ".csv", ".parquet")


def measure() -> Iterator[Result]:
    """Measure all of it, and write the curves."""
    from airflow import __version__ as airflow_version

    calls: dict[str, list[float]] = {"waits": list(WAITS), "together": [], "alone": []}
    for waits in WAITS:
        together = _calls_of("waiting", "until_deadline", waits, INTERVAL, POLLS) / POLLS
        alone = _calls_of("curves", "pokes", waits)
        calls["together"].append(together)
        calls["alone"].append(alone)
        yield Result(
            what=f"calls a poll for {waits:,} waits of one message, over {POLLS} polls",
            baseline=f"as many sensors in mode poke, polled once: {alone} calls",
            measured=f"{together:g} calls",
        )
    memory: dict[str, list[int]] = {"rows": list(ROWS), **{target: [] for target in TARGETS}}
    with stub(0, max_connections=4):
        for target in TARGETS:
            for rows in ROWS:
                peak = in_process("curves", "memory", target, rows)
                memory[target].append(peak)
                yield Result(
                    what=f"{rows:,} rows of a tag into {target}: peak memory above the start",
                    measured=f"{peak / 1e6:.1f} MB",
                )
    measured = {
        "on": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "airflow": airflow_version,
    }
    CURVES.write_text(
        json.dumps({"measured": measured, "calls_a_poll": calls, "peak_bytes": memory}, indent=2) + "\n"
    )


def _calls_of(module: str, *arguments: object) -> int:
    with stub(0.03 if module == "waiting" else 0, max_connections=4) as vendor:
        in_process(module, *arguments)
        return vendor.figures()["calls"]


def main(report: str, what: str, *arguments: str) -> None:
    """Do one run, and report what it has cost, if it is not the calls."""
    runs: dict[str, Callable[..., int | None]] = {"pokes": _poke, "memory": _fetch}
    Path(report).write_text(json.dumps(runs[what](*arguments)))


def _poke(waits: str) -> None:
    for n in range(int(waits)):
        # The stub answers Waiting for such an id.
        sensor = SMSPartnerCampaignSensor(task_id=f"wait_{n}", messages=[(f"+336{n:08}", 10 * n + 7)])
        if sensor.poke({}):
            raise ValueError("a wait has ended before its time")


def _fetch(target: str, rows: str) -> int:
    with TemporaryDirectory() as folder:

        def fetch(count: int) -> Any:
            into: dict[str, Any] = (
                {"max_xcom_rows": count}
                if target == XCOM
                else {"output_path": Path(folder, f"{count}{target}").as_uri()}
            )
            tag = f"pages-{count // ROWS_A_PAGE}"
            return SMSPartnerStatusByTagOperator(task_id="fetch", tag=tag, **into).execute({})

        # The start is after a first, small run: what Airflow's storage and the libraries load for it is not ours.
        fetch(ROWS_A_PAGE)
        with PeakMemory() as memory:
            fetched = fetch(int(rows))
        if (len(fetched) if target == XCOM else fetched["rows"]) != int(rows):
            raise ValueError("not all rows have come")
    return memory.above_start


if __name__ == "__main__":
    main(*sys.argv[1:])
