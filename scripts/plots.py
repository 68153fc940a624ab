"""
Draw the plots of ``docs/scaling.md`` from what the benchmarks have measured: ``python scripts/plots.py``.

Calls and memory are in ``benchmarks/curves.json``, which ``make bench PART=curves`` writes. Times are the ratios in the
tables of ``benchmarks/RESULTS.md``. No figure is in this file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
CURVES = ROOT / "benchmarks" / "curves.json"
RESULTS = ROOT / "benchmarks" / "RESULTS.md"

# Chosen to be told apart in grey and by colour-blind readers, and to be read on white.
BLUE, ORANGE, TEXT, MUTED, GRID = "#0b5cad", "#b35900", "#1f2328", "#57606a", "#e3e7eb"

# As wide as a telephone shows them nearly in full: a wider figure would shrink, and its letters with it.
WIDTH_INCHES = 4.6

STYLE: Any = {
    "svg.hashsalt": "smspartner",  # else each run names its shapes anew
    "svg.fonttype": "path",  # the same letters everywhere
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 11,
    "text.color": TEXT,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "lines.linewidth": 2,
    "lines.markersize": 5,
}


class Ratio(NamedTuple):
    """
    A time as a multiple of a baseline's.

    :param label: what was timed, and against what.
    :param median: over the rounds.
    :param least: of the rounds.
    :param most: of the rounds.
    """

    label: str
    median: float
    least: float
    most: float


# What a line of RESULTS.md is called in the plot.
LABELS = {
    "speed for a tag of 100 pages, 30 ms, 4 in flight": "tag of 100 pages, against HttpOperator",
    "1,000,000 rows into .ndjson.gz: time": "a million rows to .ndjson.gz, against json and gzip",
    "1,000,000 rows into .csv: time": "a million rows to .csv, against csv.DictWriter",
    "time for 100,000 messages by list, 30 ms, 4 in flight": "100,000 messages by list, against a bare loop",
    "1,000,000 rows into .parquet: time": "a million rows to .parquet, against pyarrow",
    "CPU for the list, no latency": "CPU time for the list, against a bare loop",
    "1,000,000 rows into PostgreSQL, load again, 5 % changed: time": (
        "a million rows to PostgreSQL again, against SQL by hand"
    ),
    "1,000,000 rows into PostgreSQL, first load: time": "a million rows to PostgreSQL, against SQL by hand",
}

_RATIO = re.compile(r"([0-9.]+) x \(([0-9.]+)-([0-9.]+)\)$")


def ratios(results: str) -> Iterator[Ratio]:
    """
    Yield the ratios with a spread that the tables of results have.

    :param results: the text of RESULTS.md.
    :raises KeyError: if one has no label.
    """
    for line in results.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 5 or not (found := _RATIO.match(cells[2])):
            continue
        median, least, most = map(float, found.groups())
        if cells[0].startswith("speed"):
            median, least, most = 1 / median, 1 / most, 1 / least
        yield Ratio(LABELS[cells[0]], median, least, most)


def draw_calls(curves: dict[str, Any]) -> Figure:
    """Draw the calls a poll against the number of waits."""
    calls = curves["calls_a_poll"]
    figure = Figure(figsize=(WIDTH_INCHES, 3.9), layout="constrained")
    axes = figure.subplots()
    axes.loglog(calls["waits"], calls["alone"], "o-", color=ORANGE)
    axes.loglog(calls["waits"], calls["together"], "o-", color=BLUE)
    axes.set_xlabel("waits for one message each (log scale)")
    axes.set_ylabel("calls a poll (log scale)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylim(bottom=0.7)
    _label(axes, calls, "waits", "alone", at=5, text="each by itself", color=ORANGE, offset=(-8, 6))
    _label(axes, calls, "waits", "together", at=-1, text="deferred: together", color=BLUE, offset=(2, 9))
    return figure


def draw_memory(curves: dict[str, Any]) -> Figure:
    """Draw the peak of memory against the rows of a campaign."""
    memory = {
        name: [value if name == "rows" else value / 1e6 for value in values]
        for name, values in curves["peak_bytes"].items()
    }
    figure = Figure(figsize=(WIDTH_INCHES, 4.7), layout="constrained")
    axes = figure.subplots()
    for name, color in (("XCom", ORANGE), (".parquet", BLUE), (".csv", BLUE), (".ndjson.gz", BLUE)):
        axes.plot(memory["rows"], memory[name], "o-", color=color)
    axes.set_xlabel("rows of the campaign")
    axes.set_ylabel("peak of memory above the start, MB")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlim(0, 1_050_000)
    axes.xaxis.set_major_locator(FixedLocator([0, 250_000, 500_000, 750_000, 1_000_000]))
    axes.set_ylim(bottom=0)
    _label(axes, memory, "rows", "XCom", at=-2, text="held for XCom", color=ORANGE, offset=(-8, 4))
    _label(axes, memory, "rows", ".parquet", at=-1, text="into .parquet", color=BLUE, offset=(0, 9))
    # One line to the eye: less than a megabyte lies between the two.
    _label(axes, memory, "rows", ".csv", at=-1, text=".csv and .ndjson.gz", color=BLUE, offset=(-6, 6))
    return figure


def draw_time(found: list[Ratio]) -> Figure:
    """Draw the times as multiples of a baseline's."""
    found = sorted(found, key=lambda ratio: ratio.median, reverse=True)
    figure = Figure(figsize=(WIDTH_INCHES, 0.64 * len(found) + 0.9), layout="constrained")
    axes = figure.subplots()
    for at, ratio in enumerate(found):
        # Not through the labels.
        axes.vlines(1, at - 0.38, at + 0.1, color=MUTED, linewidth=1)
        color = BLUE if ratio.median <= 1 else ORANGE
        axes.plot(
            [ratio.least, ratio.most], [at, at], color=color, linewidth=5, alpha=0.35, solid_capstyle="butt"
        )
        axes.plot(ratio.median, at, "o", color=color, markersize=7)
        axes.annotate(
            f"{ratio.median:.2f}",
            (ratio.most, at),
            (7, 0),
            textcoords="offset points",
            va="center",
            color=color,
        )
        axes.annotate(
            ratio.label,
            (0, at),
            (2, 15),
            textcoords="offset points",
            va="center",
            fontsize=10,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 3},
        )
    axes.set_xlim(0, 1.8)
    axes.set_ylim(-0.5, len(found) - 0.3)
    axes.xaxis.set_major_locator(MultipleLocator(0.5))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("time as a multiple of the baseline's (less: faster)")
    return figure


def _label(
    axes: Any,
    curves: dict[str, list[float]],
    x: str,
    y: str,
    *,
    at: int,
    text: str,
    color: str,
    offset: tuple[int, int],
) -> None:
    """Write beside a curve what it is, ending at one of its points."""
    axes.annotate(
        text,
        (curves[x][at], curves[y][at]),
        offset,
        textcoords="offset points",
        ha="right",
        color=color,
        fontweight="bold",
    )


def main(folder: Path = FIGURES) -> None:
    """
    Draw all plots.

    :param folder: where to.
    """
    curves = json.loads(CURVES.read_text())
    plots: dict[str, Callable[[], Figure]] = {
        "calls.svg": lambda: draw_calls(curves),
        "memory.svg": lambda: draw_memory(curves),
        "time.svg": lambda: draw_time(list(ratios(RESULTS.read_text()))),
    }
    with mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc of whoever draws changes nothing
        mpl.rcParams.update(STYLE)
        for name, draw in plots.items():
            # Without the time and matplotlib's version: equal figures give equal files.
            draw().savefig(folder / name, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
