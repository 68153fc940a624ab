"""
How many parts the text of an SMS takes, and where it has to be cut.

A part holds 160 characters of GSM 03.38, or 70 of Unicode; of a text that needs several parts each holds 153, or 67
(3GPP TS 23.040, 9.2.3.24.1). The vendor takes ten parts at most [error-codes].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_PARTS = 10

# 3GPP TS 23.038, 6.2.1: the default alphabet, and what its extension table writes with two characters.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_ONE_PART, _OF_SEVERAL = 160, 153
_ONE_UNICODE_PART, _OF_SEVERAL_UNICODE = 70, 67


def count_parts(text: str, *, unicode: bool) -> int:
    """
    Return how many SMS a text is for each recipient, 0 for an empty one.

    :param text: of the message.
    :param unicode: whether it is sent as Unicode. Otherwise a character that GSM 03.38 lacks counts as one: the vendor
        does not say what it puts in its place.
    """
    sizes = list(_sizes(text, unicode=unicode))
    if not sizes:
        return 0
    if sum(sizes) <= (_ONE_UNICODE_PART if unicode else _ONE_PART):
        return 1
    return sum(1 for _ in _starts(sizes, unicode=unicode))


def cut(text: str, *, unicode: bool) -> str:
    """
    Return a text, or as much of its beginning as ten parts hold.

    :param text: of the message.
    :param unicode: whether it is sent as Unicode.
    """
    for number, start in enumerate(_starts(_sizes(text, unicode=unicode), unicode=unicode)):
        if number == MAX_PARTS:
            return text[:start]
    return text


def count_foreign(text: str) -> int:
    """Return how many characters of a text GSM 03.38 lacks."""
    return sum(character not in _BASIC and character not in _EXTENSION for character in text)


def _sizes(text: str, *, unicode: bool) -> Iterator[int]:
    if unicode:
        # UTF-16, as on the air: an emoji is two.
        return (2 if ord(character) > 0xFFFF else 1 for character in text)
    return (2 if character in _EXTENSION else 1 for character in text)


def _starts(sizes: Iterable[int], *, unicode: bool) -> Iterator[int]:
    """Yield where each part of a text begins that needs several; no part ends within a character."""
    room, full = 0, _OF_SEVERAL_UNICODE if unicode else _OF_SEVERAL
    for position, size in enumerate(sizes):
        if size > room:
            yield position
            room = full
        room -= size
