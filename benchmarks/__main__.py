"""
Run the benchmarks and print their table: ``python -m benchmarks``, or with the names of some of `PARTS`, or ``curves``.

Each part runs in a process of its own, one after the other: all of them in less than ten minutes on two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import ROOT, Result

PARTS = ("fetching", "waiting", "writing", "warehousing", "importing")


def main(parts: list[str]) -> None:
    """Run the parts, and print a line as soon as it is known."""
    began = time.monotonic()
    print("| what | baseline | measured | to reach | reached |\n|---|---|---|---|---|")
    for part in parts or PARTS:
        for result in run(part):
            verdict = {True: "yes", False: "**no**", None: ""}[result.reached]
            cells = (result.what, result.baseline, result.measured, result.goal, verdict)
            print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nTook {time.monotonic() - began:.0f} s, on {os.cpu_count()} cores.")


def run(part: str) -> list[Result]:
    """Measure a part, in a process and an Airflow home of its own."""
    with TemporaryDirectory() as home:
        report = Path(home, "results.json")
        environment = os.environ | {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        command = [sys.executable, "-m", "benchmarks", part, str(report)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        return [Result(**each) for each in json.loads(report.read_text())]


if __name__ == "__main__":
    match sys.argv[1:]:
        case [part, report] if report.endswith(".json"):
            results = [asdict(result) for result in import_module(f"benchmarks.{part}").measure()]
            Path(report).write_text(json.dumps(results))
        case parts:
            main(parts)
