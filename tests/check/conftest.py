"""The command, run in the test's process."""

from __future__ import annotations

import pytest
from check.asking import Check, checking


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> Check:
    """Runs the command, and returns what it printed."""
    return checking(capfd)
