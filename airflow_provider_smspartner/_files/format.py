"""What a file format is here: a name, an ending, a way to write status rows and a way to read messages."""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import BinaryIO, ClassVar, Protocol

from airflow_provider_smspartner.models import StatusRow

COLUMNS: tuple[str, ...] = tuple(StatusRow.__annotations__)
"""The columns of a results file, in their order."""

_MESSAGE_COLUMNS = (("phone_number", "phoneNumber"), ("message_id", "messageId"))


class RowWriter(Protocol):
    """Writes status rows to one stream, which it leaves open."""

    def write(self, rows: Sequence[StatusRow]) -> None:
        """Write some rows: few enough to be held in memory several times over."""

    def finish(self) -> None:
        """Write what must stand at the end; nothing follows."""


class Format(ABC):
    """
    One file format.

    To add one: a class like this, and a line in the table of `formats`.
    """

    name: ClassVar[str]
    """What XCom calls it."""

    ending: ClassVar[str]
    """How its files end, with the dot."""

    gzips: ClassVar[bool]
    """Whether its files may also be compressed as a whole, and end in ``.gz``."""

    module: ClassVar[str | None] = None
    """What it imports that this package does not depend on."""

    extra: ClassVar[str | None] = None
    """The extra of this package that brings `module`."""

    def require(self) -> None:
        """
        Make sure that what the format needs is installed.

        :raises ImportError: says what to install.
        """
        if self.module is not None:
            try:
                importlib.import_module(self.module)
            except ImportError as error:
                raise ImportError(
                    f"{self.ending} files need {self.module.partition('.')[0]}: "
                    f"pip install 'airflow-provider-smspartner[{self.extra}]'"
                ) from error

    @abstractmethod
    def writer(self, stream: BinaryIO) -> RowWriter:
        """
        Begin a file of status rows with the columns `COLUMNS`.

        :param stream: where to; it need not be seekable.
        """

    @abstractmethod
    def messages(self, stream: BinaryIO) -> Iterator[object]:
        """
        Look at the head of a file of messages at once, and read them lazily.

        :param stream: where from, seekable.
        :return: messages, each in a form that `MessageRef.of` takes. What iterating raises is about the next row.
        :raises ValueError: says what is wrong with the file as a whole.
        """


def message_columns(header: Sequence[str]) -> tuple[int, int]:
    """
    Find the phone number's and the message id's column. Case, and spaces around a name, make no difference.

    :param header: the names of the columns.
    :raises ValueError: if one is missing or there twice; shows the names that were found, if they look like names.
    """
    found = [_position(header, names) for names in _MESSAGE_COLUMNS]
    phone_number, message_id = found
    if phone_number is None or message_id is None:
        missing = [names[0] for names, at in zip(_MESSAGE_COLUMNS, found, strict=True) if at is None]
        accepted = ", and ".join(" or ".join(names) for names in _MESSAGE_COLUMNS)
        raise ValueError(
            f"there is no column {' and no column '.join(missing)}: {_shown(header)}. Accepted are {accepted}"
        )
    return phone_number, message_id


def _position(header: Sequence[str], names: Sequence[str]) -> int | None:
    stripped = [name.strip() for name in header]
    folded = [name.casefold() for name in stripped]
    # A name that is written exactly so goes before one that is only similar.
    for name, candidates in [(n, stripped) for n in names] + [(n.casefold(), folded) for n in names]:
        if name in candidates:
            if candidates.count(name) > 1:
                raise ValueError(f"the column {name} is there twice")
            return candidates.index(name)
    return None


_SHOWN = 20
_NAME = re.compile(r"[^\W\d][\w -]{0,39}")


def _shown(header: Sequence[str]) -> str:
    """Return the names of the columns, unless they do not look like names: they may be the first message."""
    names = [name for name in map(str.strip, header) if name]
    if not names:
        return "the file is empty, or its first line is"
    if not all(_NAME.fullmatch(name) and sum(map(str.isdigit, name)) <= 3 for name in names):
        return "the first line does not look like a header, and is not shown here"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are {', '.join(map(repr, names[:_SHOWN]))}{more}"
