"""What becomes of a text, how many SMS it takes, and where it is cut."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.protocol.texts import (
    MAX_PARTS,
    changing,
    check_sendable,
    count_parts,
    cut,
    first_broken_link,
    is_empty,
    made_sendable,
    on_the_wire,
)
from airflow_provider_smspartner.testing import texts as double

NFD = unicodedata.normalize("NFD", "é")


@pytest.mark.parametrize(
    ("text", "unicode", "parts"),
    [
        ("", False, 0),
        ("a" * 160, False, 1),
        ("a" * 161, False, 2),
        ("a" * 306, False, 2),
        ("a" * 307, False, 3),
        ("a" * 1531, False, 11),
        # Two characters each, of which none may stand in two parts.
        ("€" * 80, False, 1),
        ("€" * 81, False, 2),
        ("€" * 153, False, 3),
        ("€" * 70, True, 1),
        # So does a line break, however it is written.
        ("\n" + "a" * 158, False, 1),
        ("\r\n" + "a" * 159, False, 2),
        (":br:" + "a" * 159, False, 2),
        ("\r" + "é" * 69, True, 2),
        # An accent in a piece of its own is none.
        (NFD * 160, False, 1),
        (NFD * 70, True, 1),
        # What the vendor replaces counts as what it becomes.
        ("œ" + "a" * 159, False, 2),
        ("~^|\\" + "[" * 160, False, 1),
        ("œ" + "a" * 69, True, 1),
        # What the alphabet lacks counts as one: what the vendor makes of it is not known.
        ("Œ" * 160, False, 1),
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
    assert count_parts(on_the_wire(text), unicode=unicode) == parts


@pytest.mark.parametrize(
    ("text", "unicode", "nothing_arrives"),
    [("~ ^\n", False, True), ("~", True, False), ("a~", False, False), (" ", True, True)],
)
def test_a_text_of_which_nothing_arrives_is_empty(text: str, unicode: bool, nothing_arrives: bool) -> None:
    assert is_empty(text, unicode=unicode) is nothing_arrives


def test_where_a_text_cannot_be_sent_is_said() -> None:
    check_sendable("tag", "été")
    with pytest.raises(SMSPartnerInputError, match=r"^tag cannot be sent: character 3 is half of one"):
        check_sendable("tag", "ab\ud83d")


def test_a_line_break_and_a_euro_sign_are_written_as_the_vendor_wants_them() -> None:
    wire = on_the_wire(f"a\nb\r\nc\rd\n\n5 €{NFD}")

    assert wire == "a:br:b:br:c:br:d:br::br:5 :euro:é"
    assert on_the_wire(wire) == wire
    assert double.as_received(wire, unicode=True) == "a\nb\nc\nd\n\n5 €é"


characters = st.builds(
    lambda units, times: "".join(units) * times,
    st.lists(st.sampled_from(["a", "é", NFD, *"€\n\r😀êœ~]", "\r\n", ":br:", ":euro:", "https://a."])),
    st.integers(1, 300),
)


@given(text=characters, unicode=st.booleans())
def test_a_text_is_cut_only_where_it_must_be(text: str, unicode: bool) -> None:
    kept = cut(text, unicode=unicode)
    rest = unicodedata.normalize("NFC", text).removeprefix(kept)

    assert count_parts(kept, unicode=unicode) <= MAX_PARTS
    assert on_the_wire(kept) + on_the_wire(rest) == on_the_wire(text)
    if rest:
        # The longest of what becomes one thing on the wire has six characters.
        assert count_parts(kept + rest[:6], unicode=unicode) > MAX_PARTS


@given(text=characters, unicode=st.booleans())
def test_the_double_counts_the_same(text: str, unicode: bool) -> None:
    received = double.as_received(on_the_wire(text), unicode=unicode)

    assert double.count_parts(received, unicode=unicode) == max(count_parts(text, unicode=unicode), 1)


def test_characters_that_do_not_arrive() -> None:
    assert changing("Prêt à l'été, ça coûte 5 €, OÙ ?") == {*"êçûÙ"}
    assert changing("€\f@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡¿à") == frozenset()


BROKEN = {
    "See https://a.example/~ada.": (5, {"~": "%7E"}),
    "HTTP://a.example?ids[]=1": (1, {"[": "%5B", "]": "%5D"}),
    "(www.a.example/forêt|œ)": (2, {"|": "%7C", "ê": "%C3%AA", "œ": "%C5%93"}),
    f"www.a.example/ www.a.example/{unicodedata.normalize('NFD', 'ê')}": (16, {"ê": "%C3%AA"}),
    # What becomes of it is not known, but it does not stay.
    "http://a.example/Œ": (1, {"Œ": "%C5%92"}),
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_link_that_would_break(text: str) -> None:
    link = first_broken_link(text)

    assert link is not None
    assert (link.position + 1, link.escapes) == BROKEN[text]
    assert first_broken_link(made_sendable(text, unicode=False)) is None


@pytest.mark.parametrize(
    "text",
    [
        "[https://a.example/1] {www.a.example/(b)} «http://a.example», “http://a.example”: l’a",  # noqa: RUF001
        "https://a.example/été?a=5€\nForêt ~",
        "https://a.example:br:Forêt",
        "awww.~ http ~ [www]",
    ],
)
def test_a_link_that_would_not_break(text: str) -> None:
    assert first_broken_link(text) is None
    assert made_sendable(text, unicode=False) == text


@pytest.mark.parametrize(
    ("character", "unicode", "kept"),
    [("a", True, 670), ("a", False, 1530), ("œ", False, 765), ("\U0001f600", True, 330)],
)
def test_a_text_is_cut_after_ten_parts_of_its_own_kind(character: str, unicode: bool, kept: int) -> None:
    assert cut(character * 2_000, unicode=unicode) == character * kept
