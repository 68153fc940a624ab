"""What a file format is here: a name, an ending, a way to write rows and a way to read them."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, ClassVar, Protocol

from airflow_provider_smspartner._files.columns import Table, Wanted

Row = Mapping[str, object]
"""A row that is written: a value of a plain JSON type for each column."""


class Position:
    """
    Where the row stands that is being read: a line of the file, or a count of rows.

    :param number: from 1.
    """

    __slots__ = ("number",)

    def __init__(self, number: int = 1) -> None:
        self.number = number


class RowWriter(Protocol):
    """Writes rows to one stream, which it leaves open."""

    def write(self, rows: Sequence[Row]) -> None:
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

    unit: ClassVar[str] = "line"
    """What the positions of its rows are."""

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
    def writer(self, stream: BinaryIO, table: Table) -> RowWriter:
        """
        Begin a file of rows.

        :param stream: where to; it need not be seekable.
        :param table: the columns.
        """

    @abstractmethod
    def rows(
        self, stream: BinaryIO, wanted: Sequence[Wanted], position: Position | None = None
    ) -> Iterator[object]:
        """
        Look at the head of a file at once, and read its rows lazily.

        :param stream: where from, seekable.
        :param wanted: the columns to read.
        :param position: is kept at the row that is being read.
        :return: of each row what stands in the wanted columns: a tuple, or the value alone if one column is wanted;
            or, of a format whose rows name their values themselves, the whole row. What iterating raises is about the
            next row; those after it are read where they can be.
        :raises ValueError: says what is wrong with the file as a whole.
        """
