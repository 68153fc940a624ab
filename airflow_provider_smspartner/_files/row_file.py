"""Files whose rows are read: as streams, as often as one likes."""

from __future__ import annotations

import gzip
import re
import zlib
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import ClassVar, Generic, TypeGuard, TypeVar

from airflow_provider_smspartner._files.columns import Wanted
from airflow_provider_smspartner._files.encoded_file import EncodedFile
from airflow_provider_smspartner._files.faults import Faults
from airflow_provider_smspartner._files.format import Position
from airflow_provider_smspartner._files.formats import ENDINGS
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

T = TypeVar("T")

_FAULTS = (ValueError, gzip.BadGzipFile, zlib.error, EOFError)
"""What is wrong with a file. Other errors are the storage's: they may pass, and are raised as they are."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]")


def names_a_file(rows: object) -> TypeGuard[str]:
    """
    Return whether rows are given as the path of a file: a text with a scheme, or with a known ending.

    With a scheme but an unknown ending, or of a folder, it is a path as well, so that `of` can say what is wrong.

    :param rows: what was given for messages or recipients.
    """
    return isinstance(rows, str) and (rows.endswith((*ENDINGS, "/")) or _SCHEME.match(rows) is not None)


@dataclass(frozen=True, slots=True)
class RowFile(EncodedFile, Generic[T]):
    """A file of rows of one kind; each iteration reads it anew."""

    what: ClassVar[str]
    """What errors call the rows."""

    columns: ClassVar[tuple[Wanted, ...]]
    """The columns that are read."""

    @staticmethod
    @abstractmethod
    def read_row(row: object, /) -> T:
        """
        Return what is yielded for a row.

        :param row: as `Format.rows` yields it.
        :raises ValueError: says what is wrong with it.
        """

    def __iter__(self) -> Iterator[T]:
        """
        Read the rows, a few at a time.

        :raises ImportError: if the format or the storage needs a package that is not installed.
        :raises FileNotFoundError: names the path.
        :raises SMSPartnerInputError: names the path, the line of the file (or the row, where there are no lines) and
            the fault, not a value; tells of all bad rows once the last row is read.
        """
        faults = self.no_faults()
        rows = self.read(faults, Position())
        yield from takewhile(lambda _: not faults, rows)
        deque(rows, maxlen=0)
        faults.check()

    def no_faults(self) -> Faults:
        """Return where the file's faults can be noted."""
        return Faults("rows", self.encoding.format.unit)

    def read(self, faults: Faults, position: Position) -> Iterator[T]:
        """
        Read the rows as iterating does, but to their end.

        :param faults: where those are noted that cannot be read; they are left out.
        :param position: is kept at the row that was read last.
        """
        read_row = self.read_row
        self.encoding.format.require()
        with self.place.open() as stream:
            try:
                rows = self.encoding.format.rows(self.encoding.expanding(stream), self.columns, position)
            except _FAULTS as error:
                raise SMSPartnerInputError(f"{self.place_of()}: {_described(error)}") from None
            while True:
                try:
                    row = read_row(next(rows))
                except StopIteration:
                    return
                except _FAULTS as error:
                    # Where the format cannot go on behind it, there is no next row.
                    faults.add(position.number, f"{self.place_of(position.number)}: {_described(error)}")
                else:
                    yield row

    def place_of(self, number: int | None = None) -> str:
        """
        Return what an error calls a row's place, or the whole file.

        :param number: its position, from 1; None for the file.
        """
        return f"{self.what} in {self.place.uri}" + (
            f", {self.encoding.format.unit} {number}" if number else ""
        )


def _described(fault: Exception) -> str:
    """Return what is wrong, without the words of Python's gzip: they quote the file."""
    if isinstance(fault, EOFError):
        return "Compressed file ended early: it is cut short"
    if isinstance(fault, OSError | zlib.error):
        return "Not a gzipped file, or a damaged one"
    return str(fault)
