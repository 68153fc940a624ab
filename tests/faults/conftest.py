"""Collects what the cells have seen, and writes the page from it if asked to."""

from __future__ import annotations

import pytest
from faults.page import PAGE, SEEN, expected_cells, render


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; it is known where this folder is named on the command line."""
    parser.addoption(
        "--fault-table", action="store_true", help="write docs/faults.md from what the tests see"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect in the process that starts the others."""
    if config.getoption("--fault-table", default=False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Writer())


class _Writer:
    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or not report.passed:
            return
        for name, value in report.user_properties:
            if name == SEEN and isinstance(value, (list, tuple)):
                happens, reader, ending = value
                self._cells[happens, reader] = ending

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        missing = len(expected_cells().keys() - self._cells.keys())
        if missing:
            terminalreporter.write_line(f"{PAGE} was not written: {missing} cells have not passed.", red=True)
        else:
            PAGE.write_text(render(self._cells))
            terminalreporter.write_line(f"{PAGE} was written.")
