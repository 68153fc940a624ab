"""Real HTTP clients of real doubles."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from testing.client import Client, Python, Run

import airflow_provider_smspartner
from airflow_provider_smspartner.testing import SMSPartnerDouble


@pytest.fixture
def run() -> Iterator[Run]:
    """Start doubles, each with a client."""
    with ExitStack() as stack:

        def start(**options: Any) -> Client:
            double = stack.enter_context(SMSPartnerDouble(**options))
            return Client(double, stack.enter_context(requests.Session()))

        yield start


@pytest.fixture
def client(run: Run) -> Client:
    """A client of a double as it is by default."""
    return run()


@pytest.fixture
def python() -> Python:
    """The start of a command line and the environment of an interpreter that finds the package."""
    root = Path(airflow_provider_smspartner.__file__).parents[1]
    return [sys.executable, "-W", "error"], {**os.environ, "PYTHONPATH": str(root)}
