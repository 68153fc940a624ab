"""Real HTTP clients of real doubles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from testing.client import Client, Run

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
