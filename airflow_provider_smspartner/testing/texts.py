"""How many SMS a text takes, as 3GPP TS 23.038 packs it."""

from __future__ import annotations

from collections.abc import Iterable

# The basic table of GSM 03.38 has 128 characters, none of which takes more than one place.
# Those of its extension take two, for an escape comes first.
_EXTENSION = frozenset("\f^{}\\[~]|€")

_GSM_LENGTHS = (160, 153)
_UNICODE_LENGTHS = (70, 67)


def count_parts(text: str, *, unicode: bool) -> int:
    """Return how many SMS a text takes.

    :param text: the text.
    :param unicode: whether it is sent as UTF-16, as ``isUnicode`` asks for.
    """
    alone, chained = _UNICODE_LENGTHS if unicode else _GSM_LENGTHS
    widths = list(_unicode_widths(text) if unicode else _gsm_widths(text))
    if sum(widths) <= alone:
        return 1
    parts, used = 1, 0
    for width in widths:
        # Neither an escape sequence nor a surrogate pair is torn apart.
        if used + width > chained:
            parts, used = parts + 1, 0
        used += width
    return parts


def _unicode_widths(text: str) -> Iterable[int]:
    return (1 if character <= "\uffff" else 2 for character in text)


def _gsm_widths(text: str) -> Iterable[int]:
    # What the vendor does with a character of neither table is not documented: assume that one of the basic table
    # stands in for it.
    return (2 if character in _EXTENSION else 1 for character in text)
