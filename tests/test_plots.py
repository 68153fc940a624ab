"""The plots in the docs show what the benchmarks have measured."""

from __future__ import annotations

from pathlib import Path

import pytest

# Of the group docs, which the matrix does not install.
pytest.importorskip("matplotlib", reason="matplotlib, which draws the plots, is not installed: group docs")

import plots

if not plots.CURVES.exists():
    pytest.skip("benchmarks/ is of the checkout, not of the sdist", allow_module_level=True)


def test_the_plots_are_what_make_plots_draws(tmp_path: Path) -> None:
    plots.main(tmp_path)

    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(drawn) == ["calls.svg", "memory.svg", "time.svg"]
    stale = [name for name, content in drawn.items() if (plots.FIGURES / name).read_bytes() != content]
    assert not stale, f"not up to date: {stale}. Run: make plots"


def test_ratios_are_read_with_their_spread() -> None:
    lines = [
        "| what | baseline | 500 x fewer (20 calls) | 500 x fewer | yes |",
        "|---|---|---|---|---|",
        "text",
        "| 1,000,000 rows into .csv: time | its library | 0.67 x (0.60-0.70) | at most 2 x | yes |",
        # A speed becomes a time.
        "| speed for a tag of 100 pages, 30 ms, 4 in flight | HttpOperator | 4.00 x (2.00-5.00) | | yes |",
    ]

    assert [ratio[1:] for ratio in plots.ratios("\n".join(lines))] == [(0.67, 0.60, 0.70), (0.25, 0.20, 0.50)]
    with pytest.raises(KeyError, match="something new"):
        list(plots.ratios("| something new | baseline | 1.00 x (0.90-1.10) | | |"))
