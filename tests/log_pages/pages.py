"""What the pages show of the log, compared with what is logged."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

# What differs from run to run. Only what was played on this machine is renamed: there it is the vendor.
_PASSING = (
    (re.compile(r"SMS Partner at 127\.0\.0\.1:\d+"), "SMS Partner at api.smspartner.fr:443"),
    (re.compile(r"The proxy at 127\.0\.0\.1:9"), "The proxy at proxy.example.com:3128"),
    (re.compile(r"\d{4}-\d\d-\d\d (?=\d\d:)"), ""),
    (re.compile(r"(\d days?, )?\d{1,2}:\d\d:\d\d(\.\d+)?( UTC)?"), "TIME"),
    (re.compile(r"\d+(\.\d+)? s\b"), "SECONDS"),
)


def comparable(text: str) -> str:
    """Return a text without times, addresses and line breaks."""
    text = " ".join(text.split())
    for pattern, instead in _PASSING:
        text = pattern.sub(instead, text)
    return text


def is_shown(text: str, lines: Iterable[str]) -> bool:
    """
    Return whether a page's text shows what was logged.

    :param text: a line of it that is … stands for any number of lines.
    :param lines: what was logged.
    """
    parts = [comparable(part) for part in re.split(r"^…$", text, flags=re.MULTILINE)]
    # A blank on either side: a part begins and ends with a whole word.
    pattern = ".* ".join(re.escape(f"{part} " if part else "") for part in parts)
    return re.fullmatch(pattern, comparable("\n".join(lines)) + " ") is not None


def rendered(lines: Iterable[str]) -> str:
    """Return lines as a page shows them: long ones are wrapped."""
    return "\n".join(
        textwrap.fill(line, 104, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )
