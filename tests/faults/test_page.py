"""The page of the documentation shows the table as it is."""

from __future__ import annotations

from faults.page import PAGE


def test_the_page_agrees_with_the_table() -> None:
    PAGE.check()
