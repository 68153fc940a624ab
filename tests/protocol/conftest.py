"""Every call of the protocol, one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from protocol.samples import CALLS

from airflow_provider_smspartner.protocol import Call


@pytest.fixture(params=list(CALLS.values()), ids=list(CALLS))
def call(request: pytest.FixtureRequest) -> Call[Any]:
    """Each of the calls."""
    made: Call[Any] = request.param()
    return made
