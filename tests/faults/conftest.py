"""Collects what the cells have seen, and writes the pages from it if asked to."""

from __future__ import annotations

from collections import defaultdict

import pytest
from faults.page import PAGE
from faults.written import SEEN
from sending.page import PAGE as NEVER_TWICE

PAGES = (PAGE, NEVER_TWICE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; it is known where this folder is named on the command line."""
    parser.addoption(
        "--fault-table",
        action="store_true",
        help="write docs/faults.md and docs/never-twice.md from what is seen",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect in the process that starts the others."""
    if config.getoption("--fault-table", default=False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Writer())


class _Writer:
    def __init__(self) -> None:
        self._cells: defaultdict[str, dict[tuple[str, str], str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or not report.passed:
            return
        for name, value in report.user_properties:
            if name == SEEN and isinstance(value, (list, tuple)):
                page, happens, reader, ending = value
                self._cells[page][happens, reader] = ending

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for page in PAGES:
            cells = self._cells[page.name]
            missing = len(page.expected().keys() - cells.keys())
            if missing:
                terminalreporter.write_line(
                    f"{page.path} was not written: {missing} cells have not passed.", red=True
                )
            else:
                page.path.write_text(page.render(cells))
                terminalreporter.write_line(f"{page.path} was written.")
