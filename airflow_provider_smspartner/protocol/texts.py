"""
What becomes of the text of an SMS: how it is written on the wire, what the vendor replaces, and how many SMS it takes.

A part holds 160 characters of GSM 03.38, or 70 of Unicode; of a text that needs several parts each holds 153, or 67
(3GPP TS 23.040, 9.2.3.24.1). The vendor takes ten parts at most [error-codes]. It writes a line break ``:br:``, which
counts two, and the euro sign ``:euro:`` [send], of which no page says what it counts: two in GSM 03.38, as in the
alphabet itself, one in Unicode. Unless a text is sent as Unicode, it replaces characters [replaced-characters], and
counts what they become.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import plain_text

MAX_PARTS = 10

# 3GPP TS 23.038, 6.2.1: the default alphabet, and what its extension table writes with two characters.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_ONE_PART, _OF_SEVERAL = 160, 153
_ONE_UNICODE_PART, _OF_SEVERAL_UNICODE = 70, 67

_TO_PLAIN_LETTERS = "ÿûüïôöóîëêäáâãñÑÄÀÁÂÃÈÊËÎÜÙÚÛÝÖÔ"
REPLACED: dict[str, str] = {
    **dict.fromkeys("^~|\\¨§", ""),
    **dict.fromkeys("[{", "("),
    **dict.fromkeys("]}", ")"),
    "°": ".",
    "œ": "oe",
    "ç": "Ç",
    "ą": "à",
    # The page has curly quotes here, which are taken for the straight ones: GSM 03.38 has no others.
    **dict.fromkeys("’`“", "'"),  # noqa: RUF001
    **dict.fromkeys("«»", '"'),
    "µ": "u",
    **{letter: unicodedata.normalize("NFD", letter)[0] for letter in _TO_PLAIN_LETTERS},
}
"""What the vendor sends in place of a character [replaced-characters]."""

_REPLACEMENTS = str.maketrans(REPLACED)
_KEPT = (_BASIC | _EXTENSION).difference(REPLACED)

_LINE_BREAK = re.compile(r"\r\n|[\r\n]|:br:")
_UNIT = re.compile(r"\r\n|:br:|:euro:|.", re.DOTALL)
"""What cannot be cut in two."""

_LINK = re.compile(r"(?:https?://|(?<!\w)www\.)(?:(?!:br:)[^\s<>\"])+", re.IGNORECASE)
_BEHIND_A_LINK = ".,;:!?…'’‘`“”"  # noqa: RUF001
_BRACKETS = {")": "(", "]": "[", "}": "{", "»": "«"}


class BrokenLink(NamedTuple):
    """A link that would not arrive as it is: where it begins, and how to write each character that would change."""

    position: int
    escapes: dict[str, str]


def composed(text: str) -> str:
    """Return a text as plain `str` in NFC: an accent in a piece of its own would count, and arrive, as a character."""
    return unicodedata.normalize("NFC", plain_text(text))


def on_the_wire(text: str) -> str:
    """
    Return a text as the vendor's requests have it.

    :param text: of the message; one that is written so already stays as it is.
    """
    return _LINE_BREAK.sub(":br:", composed(text)).replace("€", ":euro:")


def is_empty(text: str, *, unicode: bool) -> bool:
    """
    Return whether a recipient would see nothing.

    :param text: of the message.
    :param unicode: whether it is sent as Unicode.
    """
    return not (text if unicode else text.translate(_REPLACEMENTS)).strip()


def check_sendable(name: str, text: str) -> None:
    """
    Check that a request can hold a text.

    :param name: what an error calls the text.
    :raises SMSPartnerInputError: names where its first lone surrogate is.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        position = error.start + 1
    else:
        return
    # Out here: that error holds the text.
    raise SMSPartnerInputError(
        f"{name} cannot be sent: character {position} is half of one, a lone surrogate. Read the text with the "
        "encoding that it was written in."
    )


def count_parts(text: str, *, unicode: bool) -> int:
    """
    Return how many SMS a text is for each recipient, 0 for an empty one.

    :param text: of the message, on the wire or not.
    :param unicode: whether it is sent as Unicode. Otherwise a character that GSM 03.38 lacks, and of which the vendor
        does not say what it puts in its place, counts as one.
    """
    sizes = _sizes(text, unicode=unicode)
    if not sizes:
        return 0
    if sum(sizes) <= (_ONE_UNICODE_PART if unicode else _ONE_PART):
        return 1
    parts, room, full = 0, 0, _OF_SEVERAL_UNICODE if unicode else _OF_SEVERAL
    for size in sizes:
        if size > room:  # No part ends within a character.
            parts, room = parts + 1, full
        room -= size
    return parts


def cut(text: str, *, unicode: bool) -> str:
    """
    Return a text, or as much of its beginning as ten parts hold.

    :param text: of the message.
    :param unicode: whether it is sent as Unicode.
    """
    text = composed(text)
    ends = [unit.end() for unit in _UNIT.finditer(text)]
    held = bisect_right(ends, MAX_PARTS, key=lambda end: count_parts(text[:end], unicode=unicode))
    return text[: ends[held - 1]] if held else ""


def changing(text: str) -> frozenset[str]:
    """Return the characters of a text that do not arrive as they are, unless it is sent as Unicode."""
    return frozenset(text) - _KEPT


def first_broken_link(text: str) -> BrokenLink | None:
    """
    Return the first link of a text that would not arrive as it is, or None.

    :param text: of a message that is not sent as Unicode.
    """
    for position, link in _links(composed(text)):
        if changed := changing(link):
            return BrokenLink(position, {each: _escape(each) for each in sorted(changed)})
    return None


def encodable(text: str) -> str:
    """Return a text with ``?`` in place of each lone surrogate."""
    return text.encode(errors="replace").decode()


def made_sendable(text: str, *, unicode: bool) -> str:
    """
    Return a text for those who must not be refused: what cannot be sent is replaced, and its links arrive.

    :param text: of the message.
    :param unicode: whether it is sent as Unicode.
    """
    text = composed(encodable(text))
    if unicode:
        return text
    pieces, done = [], 0
    for position, link in _links(text):
        changed = changing(link)
        pieces += [text[done:position], *(_escape(each) if each in changed else each for each in link)]
        done = position + len(link)
    return "".join([*pieces, text[done:]])


def _sizes(text: str, *, unicode: bool) -> list[int]:
    """Return what each character of a text counts, once the vendor has replaced what it replaces."""
    if unicode:
        # UTF-16, as on the air: an emoji is two. It stands for a line break here.
        counted = _LINE_BREAK.sub("😀", composed(text)).replace(":euro:", "€")
        return [2 if ord(character) > 0xFFFF else 1 for character in counted]
    # A form feed is of the extension table: two characters, as a line break.
    counted = _LINE_BREAK.sub("\f", composed(text)).replace(":euro:", "€").translate(_REPLACEMENTS)
    return [2 if character in _EXTENSION else 1 for character in counted]


def _links(text: str) -> Iterator[tuple[int, str]]:
    for match in _LINK.finditer(text):
        link = match.group()
        while link and (link[-1] in _BEHIND_A_LINK or _closes_what_is_before(link)):
            link = link[:-1]
        yield match.start(), link


def _closes_what_is_before(link: str) -> bool:
    """Whether the last character is a bracket that was opened before the link."""
    opening = _BRACKETS.get(link[-1])
    return opening is not None and link.count(link[-1]) > link.count(opening)


def _escape(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
