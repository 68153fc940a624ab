"""How many SMS a text takes, and where it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner.protocol.texts import MAX_PARTS, count_foreign, count_parts, cut


@pytest.mark.parametrize(
    ("text", "unicode", "parts"),
    [
        ("", False, 0),
        ("a" * 160, False, 1),
        ("a" * 161, False, 2),
        ("a" * 306, False, 2),
        ("a" * 307, False, 3),
        ("a" * 1531, False, 11),
        # Of the extension table: two characters each, of which none may stand in two parts.
        ("€" * 80, False, 1),
        ("€" * 81, False, 2),
        ("€" * 153, False, 3),
        # What the alphabet lacks counts as one: what the vendor makes of it is not known.
        ("ê" * 160, False, 1),
        ("é" * 70, True, 1),
        ("é" * 71, True, 2),
        ("é" * 671, True, 11),
        # On the air the first character beyond the first plane is two, the last one in it one.
        ("\U00010000" * 36, True, 2),
        ("\uffff" * 70, True, 1),
        ("😀" * 67, True, 3),
    ],
)
def test_parts(text: str, unicode: bool, parts: int) -> None:
    assert count_parts(text, unicode=unicode) == parts


characters = st.text(st.sampled_from("aé€\n😀ê"), max_size=2_000)


@given(text=characters, unicode=st.booleans())
def test_a_text_is_cut_only_where_it_must_be(text: str, unicode: bool) -> None:
    kept = cut(text, unicode=unicode)

    assert text.startswith(kept)
    assert count_parts(kept, unicode=unicode) <= MAX_PARTS
    if kept != text:
        assert count_parts(text[: len(kept) + 1], unicode=unicode) > MAX_PARTS


def test_characters_that_the_alphabet_lacks() -> None:
    assert count_foreign("Prêt à l'été, ça coûte 5 €") == 3
    assert count_foreign("^{}\\[~]|€\f@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà") == 0


@pytest.mark.parametrize(
    ("character", "unicode", "kept"), [("a", True, 670), ("a", False, 1530), ("\U0001f600", True, 330)]
)
def test_a_text_is_cut_after_ten_parts_of_its_own_kind(character: str, unicode: bool, kept: int) -> None:
    assert cut(character * 2_000, unicode=unicode) == character * kept
