"""What becomes of a text: what a recipient reads, and how many SMS it takes, as 3GPP TS 23.038 packs it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# The basic table of GSM 03.38 has 128 characters, none of which takes more than one place.
# Those of its extension take two, for an escape comes first.
_EXTENSION = frozenset("\f^{}\\[~]|€")

_GSM_LENGTHS = (160, 153)
_UNICODE_LENGTHS = (70, 67)

# The vendor's page of replaced characters, each with what is sent in its place.
_REPLACED = str.maketrans(
    {
        **dict.fromkeys("^~|\\¨§", ""),
        **dict.fromkeys("[{", "("),
        **dict.fromkeys("]}", ")"),
        **dict.fromkeys("’`“", "'"),  # noqa: RUF001
        **dict.fromkeys("«»", '"'),
        "°": ".",
        "œ": "oe",
        "ç": "Ç",
        "ą": "à",
        "µ": "u",
        **{letter: unicodedata.normalize("NFD", letter)[0] for letter in "ÿûüïôöóîëêäáâãñÑÄÀÁÂÃÈÊËÎÜÙÚÛÝÖÔ"},
    }
)

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def as_received(text: str, *, unicode: bool) -> str:
    """Return a text as its recipient reads it.

    What becomes of a line break or a euro sign that is not written as the vendor wants it is not documented: assume
    that they arrive.

    :param text: the text of the request.
    :param unicode: whether it is sent as UTF-16, as ``isUnicode`` asks for, in which nothing is replaced.
    """
    received = text.replace(":br:", "\n").replace(":euro:", "€")
    return received if unicode else received.translate(_REPLACED)


def count_parts(text: str, *, unicode: bool) -> int:
    """Return how many SMS a text takes.

    :param text: the text, as it is received.
    :param unicode: whether it is sent as UTF-16, as ``isUnicode`` asks for.
    """
    alone, chained = _UNICODE_LENGTHS if unicode else _GSM_LENGTHS
    # A line break counts two, by the vendor's page; that a euro sign counts as in the alphabet is assumed.
    packed = _LINE_BREAK.sub("😀" if unicode else "\f", text)
    widths = list(_unicode_widths(packed) if unicode else _gsm_widths(packed))
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
    # What the vendor does with a character of neither table, nor of its page, is not documented: assume that one of
    # the basic table stands in for it.
    return (2 if character in _EXTENSION else 1 for character in text)
