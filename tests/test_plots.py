"""The plots in the docs show what the benchmarks have measured."""

from __future__ import annotations

from pathlib import Path

import pytest

# Of the group docs, which the matrix does not install.
pytest.importorskip("matplotlib", reason="matplotlib, which draws the plots, is not installed: group docs")

import plots

if not plots.CURVES.exists():
    pytest.skip("benchmarks/ is of the checkout, not of the sdist", allow_module_level=True)

DRAWN = ("calls.svg", "memory.svg", "time.svg")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots")
    plots.main(folder)
    return folder


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_what_make_plots_draws(drawn: Path, name: str) -> None:
    committed = (plots.FIGURES / name).read_bytes()

    # Not assert a == b: pytest would print the difference of two pictures.
    assert (drawn / name).read_bytes() == committed or pytest.fail(f"{name} is not up to date: make plots")


def test_no_other_plot_is_drawn(drawn: Path) -> None:
    assert sorted(path.name for path in drawn.iterdir()) == sorted(DRAWN)


def test_a_ratio_is_read_with_its_spread() -> None:
    line = "| 1,000,000 rows into .csv: time | its library | 0.67 x (0.60-0.70) | at most 2 x | yes |"

    (ratio,) = plots.ratios(line)

    assert ratio[1:] == (0.67, 0.60, 0.70)


def test_a_speed_becomes_a_time() -> None:
    what = "speed for a tag of 100 pages, 30 ms, 4 in flight"

    (ratio,) = plots.ratios(f"| {what} | HttpOperator | 4.00 x (2.00-5.00) | at least 2 x | yes |")

    assert ratio[1:] == (0.25, 0.20, 0.50)


def test_figures_without_a_spread_are_no_ratios() -> None:
    lines = [
        "| what | baseline | 500 x fewer (20 calls) | 500 x fewer | yes |",
        "|---|---|---|---|---|",
        "text",
    ]

    assert list(plots.ratios("\n".join(lines))) == []


def test_a_line_that_is_new_in_the_results_needs_a_label() -> None:
    with pytest.raises(KeyError, match="something new"):
        list(plots.ratios("| something new | baseline | 1.00 x (0.90-1.10) | | |"))
