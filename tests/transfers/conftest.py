"""Each test runs on every database; one whose server does not answer is skipped, and the run says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from warehouses import Warehouse, opened


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Warehouse]:
    """A database of the test's own."""
    with opened(request.param, tmp_path, monkeypatch) as made:
        yield made
