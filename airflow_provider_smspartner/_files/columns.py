"""The columns of files: those that are wanted of a file that is read, and those of a file that is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A column that a reader looks for.

    :param names: what it may be called; errors use the first.
    :param integers: whether a format with types may hold integers in it, too.
    :param prose: whether its values are texts of SMS: longer than other values, and never shown.
    """

    names: tuple[str, ...]
    integers: bool = False
    prose: bool = False


class Kind(Enum):
    """What a column that is written holds. Rows have plain JSON types; a format with types has the right ones."""

    TEXT = auto()
    CATEGORY = auto()
    """One of a few texts."""
    INSTANT = auto()
    """In rows, the ISO text of an aware time."""
    BOOLEAN = auto()
    INTEGER = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column that is written.

    :param name: what it is called, in the file and in rows.
    :param kind: what it holds.
    :param nullable: whether it may hold null.
    """

    name: str
    kind: Kind
    nullable: bool = True


Table = tuple[Column, ...]
"""The columns of a file that is written, in their order."""

STATUS_ROWS: Table = (
    Column("phone_number", Kind.TEXT, nullable=False),
    Column("message_id", Kind.TEXT),
    Column("status", Kind.CATEGORY, nullable=False),
    Column("raw_status", Kind.CATEGORY),
    Column("date", Kind.INSTANT),
    Column("stop_sms", Kind.BOOLEAN),
    Column("is_spam", Kind.BOOLEAN),
    Column("code", Kind.INTEGER),
)
"""Of what became of messages."""

STOP_LIST: Table = (
    Column("phone_number", Kind.TEXT, nullable=False),
    Column("created_at", Kind.INSTANT),
)
"""Of who answered STOP, and when."""


def positions(header: Sequence[str], wanted: Sequence[Wanted]) -> tuple[int, ...]:
    """
    Find the wanted columns. Case, and spaces around a name, make no difference.

    :param header: the names of the columns.
    :param wanted: what to look for.
    :return: the positions, in the order of `wanted`.
    :raises ValueError: if one is missing or there twice; shows the names that were found, if they look like names.
    """
    found = [position_of(header, column.names) for column in wanted]
    missing = [column for column, at in zip(wanted, found, strict=True) if at is None]
    if missing:
        alike = [
            f"{name!r} must be called {column.names[0]}"
            for column in missing
            for name in _alike(header, column)
        ]
        # Where texts of SMS are expected, several words may be one, unless the line is surely a header.
        may_be_text = any(column.prose for column in wanted) and len(missing) == len(wanted) and not alike
        accepted = ", and ".join(" or ".join(column.names) for column in wanted)
        raise ValueError(
            f"there is no column {' and no column '.join(column.names[0] for column in missing)}: "
            f"{_shown(header, _WORD if may_be_text else _NAME)}. "
            f"{''.join(f'{hint}. ' for hint in alike)}Accepted are {accepted}"
        )
    return tuple(at for at in found if at is not None)


def position_of(header: Sequence[str], names: Sequence[str]) -> int | None:
    """
    Find one column.

    :param header: the names of the columns.
    :param names: what it may be called.
    :raises ValueError: if it is there twice.
    """
    stripped = [name.strip() for name in header]
    folded = [name.casefold() for name in stripped]
    # A name that is written exactly so goes before one that is only similar.
    for name, candidates in [(n, stripped) for n in names] + [(n.casefold(), folded) for n in names]:
        if name in candidates:
            if candidates.count(name) > 1:
                raise ValueError(f"the column {name} is there twice")
            return candidates.index(name)
    return None


def _alike(header: Sequence[str], column: Wanted) -> list[str]:
    """Return the names that lack nothing but spaces, case or underscores to be the column's."""
    keys = set(map(_letters, column.names))
    return [name.strip() for name in header if _letters(name) in keys]


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name)).casefold()


_SHOWN = 20
_NAME = re.compile(r"[^\W\d][\w -]{0,39}")
_WORD = re.compile(r"[^\W\d][\w-]{0,39}")


def _shown(header: Sequence[str], looks_right: re.Pattern[str]) -> str:
    """Return the names of the columns, unless they do not look like names: they may be the first row."""
    names = [name for name in map(str.strip, header) if name]
    if not names:
        return "the file is empty, or its first line is"
    if not all(looks_right.fullmatch(name) and sum(map(str.isdigit, name)) <= 3 for name in names):
        return "the first line does not look like a header, and is not shown here"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are {', '.join(map(repr, names[:_SHOWN]))}{more}"
