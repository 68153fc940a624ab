"""The pytest plug-in: a fixture that runs the double and points the default connection at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_smspartner.testing import SMSPartnerDouble


@pytest.fixture
def smspartner_double(monkeypatch: pytest.MonkeyPatch) -> Iterator[SMSPartnerDouble]:
    """Run an API double that the connection ``smspartner_default`` leads to."""
    from airflow_provider_smspartner.testing import SMSPartnerDouble

    with SMSPartnerDouble() as double:
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        yield double
