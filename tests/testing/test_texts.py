"""How many SMS a text takes."""

from __future__ import annotations

import pytest

from airflow_provider_smspartner.testing.texts import count_parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", 1),
        ("é" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 1530, 10),
        ("a" * 1531, 11),
        # An escape and what it stands before.
        ("€" * 80, 1),
        ("€" * 81, 2),
        # 152 places and two more, which stay together.
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 151 + "€" + "a" * 153, 2),
        # What stands in no table.
        ("ê" * 160, 1),
    ],
)
def test_gsm(text: str, parts: int) -> None:
    assert count_parts(text, unicode=False) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ê" * 70, 1),
        ("ê" * 71, 2),
        ("ê" * 134, 2),
        ("ê" * 135, 3),
        ("€" * 70, 1),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        # 33 pairs a part, since a 34th would be torn apart.
        ("😀" * 66, 2),
        ("😀" * 67, 3),
    ],
)
def test_unicode(text: str, parts: int) -> None:
    assert count_parts(text, unicode=True) == parts
