"""Files whose rows are read: as streams, as often as one likes."""

from __future__ import annotations

import gzip
import re
import zlib
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import ClassVar, Generic, TypeGuard, TypeVar

from airflow_provider_smspartner._files.columns import Wanted
from airflow_provider_smspartner._files.encoded_file import EncodedFile
from airflow_provider_smspartner._files.formats import ENDINGS
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

T = TypeVar("T")

_FAULTS = (ValueError, gzip.BadGzipFile, zlib.error, EOFError)
"""What is wrong with a file. Other errors are the storage's: they may pass, and are raised as they are."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]")


def names_a_file(rows: object) -> TypeGuard[str]:
    """
    Return whether rows are given as the path of a file: a text with a scheme, or with a known ending.

    With a scheme but an unknown ending it is a path as well, so that `EncodedFile.of` can say what is wrong.

    :param rows: what was given for messages or recipients.
    """
    return isinstance(rows, str) and (rows.endswith(tuple(ENDINGS)) or _SCHEME.match(rows) is not None)


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
        :raises SMSPartnerInputError: names the path, the row (from 1, a header aside) and the fault, not a value.
        """
        read_row = self.read_row
        self.encoding.format.require()
        with self.place.open() as stream:
            try:
                rows = self.encoding.format.rows(self.encoding.expanding(stream), self.columns)
            except _FAULTS as error:
                raise SMSPartnerInputError(f"{self.place_of()}: {_described(error)}") from None
            for number in count(1):
                try:
                    row = read_row(next(rows))
                except StopIteration:
                    return
                except _FAULTS as error:
                    raise SMSPartnerInputError(f"{self.place_of(number)}: {_described(error)}") from None
                yield row

    def place_of(self, number: int | None = None) -> str:
        """
        Return what an error calls a row's place, or the whole file.

        :param number: of the row, from 1; None for the file.
        """
        return f"{self.what} in {self.place.uri}" + (f", row {number}" if number else "")


def _described(fault: Exception) -> str:
    """Return what is wrong, without the words of Python's gzip: they quote the file."""
    if isinstance(fault, EOFError):
        return "Compressed file ended early: it is cut short"
    if isinstance(fault, OSError | zlib.error):
        return "Not a gzipped file, or a damaged one"
    return str(fault)
