"""The page of the documentation shows the table as it is."""

from __future__ import annotations

from collections import Counter

from sending.page import COLUMNS, PAGE, expected_cells, rows


def test_the_page_agrees_with_the_table() -> None:
    PAGE.check()


def test_the_table_is_as_large_as_promised() -> None:
    happens = [row.happens for row in rows()]

    assert not [name for name, count in Counter(happens).items() if count > 1]
    assert len(happens) >= 40
    assert len(expected_cells()) == len(happens) * len(COLUMNS)
