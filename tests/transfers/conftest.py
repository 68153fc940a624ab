"""Each test runs on SQLite, or on the databases that it names; without their servers it is skipped, with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from warehouses import Warehouse, opened


@pytest.fixture
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Warehouse]:
    """A database of the test's own."""
    with opened(getattr(request, "param", "sqlite"), tmp_path, monkeypatch) as made:
        yield made
