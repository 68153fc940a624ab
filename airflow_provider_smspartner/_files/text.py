"""The formats that are text: NDJSON and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import BinaryIO, ClassVar

import msgspec

from airflow_provider_smspartner._files.columns import Column, Kind, Table, Wanted, position_of, positions
from airflow_provider_smspartner._files.format import Format, Position, Row

MAX_ROW_BYTES = 65_536
"""Bytes of one row that is read: the longest SMS has some 4,600, and other columns may have some more."""

_MAX_BLANK = 1_048_576
"""Blank lines in a row: as many as a spreadsheet has rows."""

_MARK = b"\xef\xbb\xbf"
_NOT_UTF8 = "not UTF-8 (in Excel, save the file as “CSV UTF-8”)"
_NOT_CSV = (
    "not CSV: a quoted value does not end, or more text follows its closing quote, or lines end in CR alone"
)


class Ndjson(Format):
    """One JSON object a line, as in XCom."""

    name: ClassVar[str] = "ndjson"
    ending: ClassVar[str] = ".ndjson"
    gzips: ClassVar[bool] = True

    def writer(self, stream: BinaryIO, table: Table) -> _NdjsonWriter:
        """Return a writer for a new file; rows are written as they are."""
        return _NdjsonWriter(stream)

    def rows(
        self, stream: BinaryIO, wanted: Sequence[Wanted], position: Position | None = None
    ) -> Iterator[object]:
        """Yield JSON values, one a line, with the wanted keys in any case; empty lines are skipped."""
        decode = msgspec.json.Decoder().decode
        return map(partial(_json_row, decode, wanted), _json_lines(_Lines(stream, "line", position)))


class _Lines:
    """
    The lines of a stream that is expected to be UTF-8, a byte order mark aside.

    :param stream: where from.
    :param unit: what is too long where there is no room for a line.
    :param position: is kept at the first line of the row that is being read.
    """

    def __init__(self, stream: BinaryIO, unit: str, position: Position | None) -> None:
        self._stream = stream
        self._unit = unit
        self._position = position or Position()
        self._count = 0
        # Bytes that the lines of this row may still have.
        self._room = MAX_ROW_BYTES

    def begin_row(self) -> None:
        """Take the next line for the first one of a row."""
        self._room = MAX_ROW_BYTES
        self._position.number = self._count + 1

    def __iter__(self) -> Iterator[bytes]:
        readline = self._stream.readline
        mark = _MARK
        while line := readline(self._room + 1):
            if len(line) > self._room:
                raise ValueError(f"a {self._unit} of more than {MAX_ROW_BYTES:,} bytes")
            self._room -= len(line)
            self._count += 1
            if b"\0" in line:
                raise ValueError(
                    "a NUL character: text in UTF-8 is expected, not UTF-16 and not a binary file"
                )
            yield line.removeprefix(mark)
            mark = b""

    def decoded(self) -> Iterator[str]:
        """Yield the lines as text."""
        for line in self:
            try:
                text = line.decode()
            except UnicodeDecodeError:
                raise ValueError(_NOT_UTF8) from None
            yield text


def _check_blank(count: int) -> None:
    if count > _MAX_BLANK:
        raise ValueError(f"more than {_MAX_BLANK:,} blank lines")


def _json_lines(lines: _Lines) -> Iterator[bytes]:
    blank = 0
    for line in lines:
        if line.isspace() or not line:
            blank += 1
            _check_blank(blank)
        else:
            blank = 0
            yield line
        lines.begin_row()


def _json_row(decode: Callable[[bytes], object], wanted: Sequence[Wanted], line: bytes) -> object:
    try:
        row = decode(line)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (msgspec.DecodeError, RecursionError):
        # Without the library's words, which no test of ours could know to be free of what stands there.
        raise ValueError("not JSON, or not whole, or nested too deeply") from None
    if isinstance(row, dict):
        for column in wanted:
            if column.names[0] not in row and row.keys().isdisjoint(column.names):
                _name_as_usual(row, column.names)
    return row


def _name_as_usual(row: dict[str, object], names: Sequence[str]) -> None:
    """Give a value whose key is a name in another case that name."""
    if (at := position_of(list(row), names)) is not None:
        row[names[0]] = list(row.values())[at]


class _NdjsonWriter:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Sequence[Row]) -> None:
        self._stream.write(self._encoder.encode_lines(rows))

    def finish(self) -> None:
        """Do nothing: these formats have no end."""


class Csv(Format):
    """
    Comma-separated values in UTF-8, with a header, as RFC 4180 has it; read with semicolons or tabs as well.

    Null is empty, booleans are true and false, dates ISO 8601. Read it with declared types: a phone number with
    its plus sign looks like an integer.
    """

    name: ClassVar[str] = "csv"
    ending: ClassVar[str] = ".csv"
    gzips: ClassVar[bool] = True

    def writer(self, stream: BinaryIO, table: Table) -> _CsvWriter:
        """Return a writer for a new file, with the header written."""
        return _CsvWriter(stream, table)

    def rows(
        self, stream: BinaryIO, wanted: Sequence[Wanted], position: Position | None = None
    ) -> Iterator[object]:
        """
        Read rows by the header's names; a byte order mark, and rows without a value, are passed over.

        Commas, semicolons or tabs separate the values, whichever the header has.
        """
        lines = _Lines(stream, "row", position)
        text = lines.decoded()
        header, separator = _csv_header(lines, text, wanted)
        pick = _Pick(header, wanted)
        # Strict, so that a quote that never ends is an error and not a very long value.
        return map(pick, _csv_rows(csv.reader(text, delimiter=separator, strict=True), lines))


_SEPARATORS = (",", ";", "\t")
_NO_VALUE = "".join(_SEPARATORS) + " \r\n"
_STATED_SEPARATOR = re.compile(r"sep=([,;\t])\s*")


def _csv_header(lines: _Lines, text: Iterator[str], wanted: Sequence[Wanted]) -> tuple[list[str], str]:
    """Return the header's names, and what separates them."""
    blank = 0
    separators: tuple[str, ...] = _SEPARATORS
    for line in text:
        if stated := _STATED_SEPARATOR.fullmatch(line):
            # Excel's own way to say it, before the header.
            separators = (stated[1],)
        elif not line.replace('""', "").strip(_NO_VALUE):
            blank += 1
            _check_blank(blank)
        else:
            break
        lines.begin_row()
    else:
        return [], ","
    record = [line]
    while "".join(record).count('"') % 2:
        # The name of a column may have several lines.
        record.append(next(text, '"'))
    lines.begin_row()
    headers = [(_csv_names(record, separator), separator) for separator in separators]
    longest = max(headers, key=lambda each: len(each[0]))
    return next((each for each in headers if _fits(each[0], wanted)), longest)


def _csv_names(record: list[str], separator: str) -> list[str]:
    try:
        # Not strict: here quotes may have spaces around them.
        return list(chain.from_iterable(csv.reader(record, delimiter=separator)))
    except csv.Error:
        raise ValueError(_NOT_CSV) from None


def _fits(header: list[str], wanted: Sequence[Wanted]) -> bool:
    try:
        positions(header, wanted)
    except ValueError:
        return False
    return True


def _csv_rows(rows: Iterator[list[str]], lines: _Lines) -> Iterator[list[str]]:
    blank = 0
    try:
        for values in rows:
            # Spreadsheets write rows of separators alone.
            if any(map(str.strip, values)):
                blank = 0
                yield values
            else:
                blank += 1
                _check_blank(blank)
            lines.begin_row()
    except csv.Error:
        raise ValueError(_NOT_CSV) from None


class _Pick:
    """
    Picks what is wanted of a row.

    :param header: the names of the columns.
    :param wanted: the columns that are wanted.
    """

    def __init__(self, header: Sequence[str], wanted: Sequence[Wanted]) -> None:
        at = positions(header, wanted)
        self._pick = itemgetter(*at)
        self._last = max(at)
        # What stands behind the last name may be the rest of a text.
        self._named = (
            max(at for at, name in enumerate(header, 1) if name.strip())
            if any(column.prose for column in wanted)
            else None
        )

    def __call__(self, values: list[str]) -> object:
        if len(values) <= self._last:
            raise ValueError("fewer columns than the header")
        if self._named is not None and any(map(str.strip, values[self._named :])):
            raise ValueError("more columns than the header: quote a text that has separators in it")
        return self._pick(values)


class _CsvWriter:
    _BOOLEANS: ClassVar[dict[object, str | None]] = {True: "true", False: "false", None: None}

    def __init__(self, stream: BinaryIO, table: Table) -> None:
        self._stream = stream
        self._table = table
        self._write([[column.name for column in table]])

    def write(self, rows: Sequence[Row]) -> None:
        columns = [self._values(column, rows) for column in self._table]
        self._write(zip(*columns, strict=True))

    def finish(self) -> None:
        """Do nothing: these formats have no end."""

    def _values(self, column: Column, rows: Sequence[Row]) -> list[object]:
        name = column.name
        if column.kind is Kind.BOOLEAN:
            booleans = self._BOOLEANS
            return [booleans[row[name]] for row in rows]
        return [row[name] for row in rows]

    def _write(self, lines: Iterable[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        # Before 3.13 the csv module quotes only the line ends that it writes itself; so it must write both.
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        self._stream.write(text.getvalue().encode())
