"""The formats that are text: NDJSON and CSV."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, ClassVar

import msgspec

from airflow_provider_smspartner._landing.base import COLUMNS, Format, message_columns
from airflow_provider_smspartner.models import StatusRow


class Ndjson(Format):
    """One JSON object a line, as in XCom."""

    name: ClassVar[str] = "ndjson"
    ending: ClassVar[str] = ".ndjson"
    gzips: ClassVar[bool] = True

    def writer(self, stream: BinaryIO) -> _NdjsonWriter:
        """Begin a file."""
        return _NdjsonWriter(stream)

    def messages(self, stream: BinaryIO) -> Iterator[object]:
        """Read messages, one a line; empty lines are passed over."""
        return _json_messages(stream)


def _json_messages(stream: BinaryIO) -> Iterator[object]:
    decode = msgspec.json.Decoder().decode
    for line in stream:
        if not line.isspace():
            try:
                message = decode(line)
            except msgspec.DecodeError as error:
                raise ValueError(f"not JSON: {error}") from None
            yield message


class _NdjsonWriter:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Sequence[StatusRow]) -> None:
        self._stream.write(self._encoder.encode_lines(rows))

    def finish(self) -> None:
        """Nothing is owed."""


class Csv(Format):
    """
    Comma-separated values in UTF-8, with a header, as RFC 4180 has it.

    Null is empty, booleans are true and false, dates ISO 8601. Read it with declared types: a phone number with
    its plus sign looks like an integer.
    """

    name: ClassVar[str] = "csv"
    ending: ClassVar[str] = ".csv"
    gzips: ClassVar[bool] = True

    def writer(self, stream: BinaryIO) -> _CsvWriter:
        """Begin a file with its header."""
        return _CsvWriter(stream)

    def messages(self, stream: BinaryIO) -> Iterator[object]:
        """Read messages by the header's names; a byte order mark and empty lines are passed over."""
        # Strict, so that a quote that never ends is an error and not a very long value.
        lines = _csv_lines(csv.reader(codecs.iterdecode(stream, "utf-8-sig"), strict=True))
        phone_number, message_id = message_columns(next(lines, []))
        return _csv_messages(lines, phone_number, message_id)


def _csv_lines(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from filter(None, lines)
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None


def _csv_messages(
    lines: Iterator[list[str]], phone_number: int, message_id: int
) -> Iterator[tuple[str, str]]:
    for values in lines:
        if len(values) <= max(phone_number, message_id):
            raise ValueError("fewer columns than the header")
        yield values[phone_number], values[message_id]


class _CsvWriter:
    _BOOLEANS: ClassVar[dict[bool | None, str | None]] = {True: "true", False: "false", None: None}

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._write([COLUMNS])

    def write(self, rows: Sequence[StatusRow]) -> None:
        booleans = self._BOOLEANS
        self._write(
            [
                (
                    row["phone_number"],
                    row["message_id"],
                    row["status"],
                    row["raw_status"],
                    row["date"],
                    booleans[row["stop_sms"]],
                    booleans[row["is_spam"]],
                    row["code"],
                )
                for row in rows
            ]
        )

    def finish(self) -> None:
        """Nothing is owed."""

    def _write(self, lines: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        # Before 3.13 the csv module quotes only the line ends that it writes itself; so it must write both.
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        self._stream.write(text.getvalue().encode())
