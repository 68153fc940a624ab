"""The page of the documentation shows the table as it is."""

from __future__ import annotations

from collections import Counter

from faults.page import PAGE
from faults.readers import READERS
from faults.table import TABLE


def test_the_page_agrees_with_the_table() -> None:
    PAGE.check()


def test_the_table_is_as_large_as_promised() -> None:
    faults = [row.happens for rows in TABLE.values() for row in rows]

    assert not [name for name, count in Counter(faults).items() if count > 1]
    assert len(faults) >= 30
    assert len(READERS) == 5
