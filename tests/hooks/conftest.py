"""Doubles with options of a test's own."""

from __future__ import annotations

import pytest
from loopback import started

start = pytest.fixture(started)
