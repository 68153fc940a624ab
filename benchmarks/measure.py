"""What the benchmarks share: the stub and the connection to it, rounds and their medians, and a line of the table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

import requests

ROOT = Path(__file__).parents[1]
CONN_ID = "smspartner_default"


@dataclass(frozen=True, kw_only=True)
class Result:
    """
    A line of the table.

    :param what: what was measured.
    :param baseline: what it is compared with, or nothing.
    :param measured: the figure, with its unit and its spread.
    :param goal: the figure to reach, or nothing where it is only told.
    :param reached: whether it was, or None without a goal.
    """

    what: str
    baseline: str = ""
    measured: str
    goal: str = ""
    reached: bool | None = None


@dataclass(frozen=True)
class Ratio:
    """
    A figure as a multiple of a baseline's, over rounds that measured both in turn.

    :param rounds: each round's.
    """

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @property
    def inverse(self) -> Self:
        """The ratio the other way round: how many times faster or less."""
        return type(self)(tuple(1 / each for each in self.rounds))

    def __str__(self) -> str:
        """Return the median, and the lowest and highest of the rounds."""
        return f"{self.median:.2f} x ({min(self.rounds):.2f}-{max(self.rounds):.2f})"


def ratio(
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Ratio:
    """Time both in each round, in turn first; a first round does not count."""
    ratios = []
    for number in range(rounds + 1):
        seconds = {}
        for run in (ours, baseline) if number % 2 else (baseline, ours):
            began = clock()
            run()
            seconds[run] = clock() - began
        ratios.append(seconds[ours] / seconds[baseline])
    return Ratio(tuple(ratios[1:]))


class Stub:
    """
    The stub in its process.

    :param url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def figures(self) -> dict[str, int]:
        """Ask for the calls so far, and the most connections at once."""
        figures: dict[str, int] = requests.get(f"{self.url}/figures", timeout=5).json()
        return figures


@contextmanager
def stub(latency: float, **extra: float) -> Iterator[Stub]:
    """
    Start the stub, and let the default connection lead to it.

    :param latency: seconds before each answer.
    :param extra: of the connection; there is no ceiling of requests per minute.
    """
    command = [sys.executable, "-m", "benchmarks.stub", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = f"http://127.0.0.1:{int(process.stdout.readline() if process.stdout else 0)}"
            os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = json.dumps(
                {
                    "conn_type": "smspartner",
                    "host": url,
                    "password": "benchmark",
                    "extra": {"requests_per_minute": 0, **extra},
                }
            )
            yield Stub(url)
        finally:
            process.terminate()


def in_process(module: str, *arguments: object) -> Any:
    """
    Run a module of the benchmarks in a process of its own, and give what it reports.

    :param module: its ``main`` is given a path to write its report to, as JSON, and then the arguments.
    """
    report = Path(os.environ["AIRFLOW_HOME"]) / "report.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", f"benchmarks.{module}", str(report), *map(str, arguments)]
    # Airflow logs to the output of a process that is no task's.
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return json.loads(report.read_text())


def resident_bytes() -> int:
    """Return how much memory this process holds, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class PeakMemory:
    """Measures how far a block's memory rises above its start; on Linux."""

    above_start = 0

    def __enter__(self) -> Self:
        """Forget the peak so far."""
        Path("/proc/self/clear_refs").write_text("5")
        self._start = self._peak()
        return self

    def __exit__(self, *_: object) -> None:
        """Read the peak."""
        self.above_start = self._peak() - self._start

    @staticmethod
    def _peak() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
