"""The command, run in the test's process: much faster than one of its own."""

from __future__ import annotations

import pytest
from check.asking import Check, Checked

from airflow_provider_smspartner.check.__main__ import main


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> Check:
    """Runs the command, and returns what it printed."""

    def run(*arguments: str) -> Checked:
        capfd.readouterr()
        try:
            exit_code = main(arguments)
        except SystemExit as error:  # of argparse
            exit_code = int(error.code or 0)
        return Checked(exit_code, *capfd.readouterr())

    return run
