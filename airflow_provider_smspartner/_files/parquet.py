"""The format that is columns: Parquet, through pyarrow, which is imported only when such a file is met."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from airflow_provider_smspartner._files.columns import Column, Kind, Table, Wanted, positions
from airflow_provider_smspartner._files.format import Format, Position, Row
from airflow_provider_smspartner._files.text import MAX_ROW_BYTES

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS_IN_GROUP = 65_536
"""Rows of one row group, which is held until it is whole. A million rows peak at 29 MB; twice the group, at 53 MB."""

_BUFFER = 1 << 20
_BATCH_ROWS = 2_000
_MAX_BATCH_BYTES = 64 << 20
_MEAN_VALUE_BYTES = 256
# The longest SMS: 1,530 characters of GSM 03.38, of up to three bytes each in UTF-8.
_MEAN_PROSE_BYTES = 4_590
_MAX_FOOTER = 16 << 20
_MAGIC = b"PAR1"
_DAMAGED = "not Parquet, or damaged, or cut short"


class Parquet(Format):
    """Parquet with the columns' right types."""

    name: ClassVar[str] = "parquet"
    ending: ClassVar[str] = ".parquet"
    gzips: ClassVar[bool] = False  # it compresses within
    unit: ClassVar[str] = "row"
    module: ClassVar[str] = "pyarrow.parquet"
    extra: ClassVar[str] = "parquet"

    def writer(self, stream: BinaryIO, table: Table) -> _ParquetWriter:
        """Return a writer for a new file."""
        return _ParquetWriter(stream, table)

    def rows(
        self, stream: BinaryIO, wanted: Sequence[Wanted], position: Position | None = None
    ) -> Iterator[object]:
        """Yield rows, read in small batches of the wanted columns."""
        return _Rows(stream, wanted, position or Position()).read()


class _Noted:
    """A stream whose own errors are told apart from those of what reads it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell
        self.closed = False
        self.error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:
            self.error = error
            raise

    def close(self) -> None:
        """Whoever opened the stream closes it."""


class _Rows:
    """
    The rows of one file.

    Memory is bounded by what the file says of itself. A file that was made to lie may still hold a page of up to
    2 GB, the largest that Parquet has: pyarrow has no way to refuse it.
    """

    def __init__(self, stream: BinaryIO, wanted: Sequence[Wanted], position: Position) -> None:
        self._stream = _Noted(stream)
        self._wanted = wanted
        self._position = position

    def read(self) -> Iterator[object]:
        """Check the columns at once, and return an iterator over the rows."""
        with self._telling():
            file = self._open()
            names: list[str] = file.schema_arrow.names
            types = file.schema_arrow.types
        found = positions(names, self._wanted)
        for at, column in zip(found, self._wanted, strict=True):
            _check_type(names[at], types[at], integers=column.integers)
        return self._rows(file, {names[at]: column for at, column in zip(found, self._wanted, strict=True)})

    def _open(self) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        end = self._stream.seek(0, io.SEEK_END)
        self._stream.seek(max(end - 4 - len(_MAGIC), 0))
        size, magic = struct.unpack("<I4s", self._stream.read().rjust(8))
        if magic != _MAGIC or size > min(end, _MAX_FOOTER):
            raise ValueError
        return pq.ParquetFile(
            pa.PythonFile(self._stream, mode="r"),
            # Buffered: otherwise a whole column of a row group is read at once.
            buffer_size=_BUFFER,
            pre_buffer=False,
            thrift_string_size_limit=_MAX_FOOTER,
            thrift_container_size_limit=_MAX_FOOTER // 16,
        )

    def _rows(self, file: pq.ParquetFile, columns: dict[str, Wanted]) -> Iterator[object]:
        names = list(columns)
        rows_left: int = file.metadata.num_rows
        # pyarrow 18 cannot read no groups.
        if not file.num_row_groups and not rows_left:
            return
        with self._telling():
            sizes = _sizes(file, names)
            batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=names, use_threads=False)
        for name, values, size in sizes:
            mean = _MEAN_PROSE_BYTES if columns[name].prose else _MEAN_VALUE_BYTES
            if size > MAX_ROW_BYTES + values * mean:
                raise ValueError(f"the column {name} holds values of more than {mean:,} bytes on the average")
        while True:
            with self._telling():
                batch = next(batches, None)
                if batch is None:
                    break
                if batch.nbytes > _MAX_BATCH_BYTES:
                    raise MemoryError
                read = [batch.column(name).to_pylist() for name in names]
                rows = list(zip(*read, strict=True)) if len(read) > 1 else read[0]
            rows_left -= len(rows)
            for row in rows:
                yield row
                self._position.number += 1
        if rows_left:
            raise ValueError(_DAMAGED)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Return the error of a damaged file, without pyarrow's words: they may quote what it could not read."""
        try:
            yield
        except UnicodeDecodeError:
            raise ValueError("text that is not UTF-8") from None
        # A damaged file can raise nearly anything: any of pyarrow's errors, OSError, OverflowError, MemoryError.
        except Exception:  # noqa: BLE001
            if self._stream.error is not None:
                raise self._stream.error from None
            raise ValueError(_DAMAGED) from None


def _sizes(file: pq.ParquetFile, names: list[str]) -> Iterator[tuple[str, int, int]]:
    """Yield how many values and bytes each of these columns has in each row group."""
    metadata = file.metadata
    groups = range(metadata.num_row_groups)
    # By the schema's names: those that a damaged chunk tells of itself may be others.
    columns = {
        at: path for at in range(metadata.num_columns) if (path := file.schema.column(at).path) in names
    }
    for group in groups:
        # At a damaged chunk `column`, below, ends the whole process: pyarrow lets a C++ exception through. Where it is
        # to read the chunk, even without any rows, it raises. Its public `iter_batches` does not take 0.
        next(file.reader.iter_batches(0, [group], list(columns), use_threads=False), None)
    found = [(path, metadata.row_group(group).column(at)) for at, path in columns.items() for group in groups]
    return iter([(path, chunk.num_values, chunk.total_uncompressed_size) for path, chunk in found])


def _check_type(name: str, kind: pa.DataType, *, integers: bool) -> None:
    import pyarrow as pa

    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain)
    if not (texts or pa.types.is_null(plain) or (integers and pa.types.is_integer(plain))):
        # Without what a nested type is made of: its fields have names.
        told = re.match(r"\w+", str(kind))
        expected = "text or integers" if integers else "text"
        raise ValueError(f"the column {name} holds {told[0] if told else 'another type'}, not {expected}")


def _type_of(column: Column) -> pa.DataType:
    import pyarrow as pa

    return {
        Kind.TEXT: pa.string(),
        Kind.CATEGORY: pa.dictionary(pa.int32(), pa.string()),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
        Kind.BOOLEAN: pa.bool_(),
        Kind.INTEGER: pa.int32(),
    }[column.kind]


class _ParquetWriter:
    """Turns rows into columns at once, for they take a tenth of the memory, and writes them a group at a time."""

    def __init__(self, stream: BinaryIO, table: Table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = pa.schema(
            [pa.field(column.name, _type_of(column), column.nullable) for column in table]
        )
        # Texts as they come; they are turned into what is written once a group is whole.
        raw = [
            pa.string() if column.kind in (Kind.CATEGORY, Kind.INSTANT) else _type_of(column)
            for column in table
        ]
        self._raw = list(zip(self._schema.names, raw, strict=True))
        self._file = pq.ParquetWriter(stream, self._schema, compression="zstd")
        self._chunks: list[list[pa.Array]] = []
        self._held = 0

    def write(self, rows: Sequence[Row]) -> None:
        import pyarrow as pa

        self._chunks.append([pa.array([row[name] for row in rows], kind) for name, kind in self._raw])
        self._held += len(rows)
        if self._held >= ROWS_IN_GROUP:
            self._write_group()

    def finish(self) -> None:
        if self._held:
            self._write_group()
        self._file.close()

    def _write_group(self) -> None:
        import pyarrow as pa

        columns = [
            self._typed(pa.chunked_array(chunks), field.type)
            for chunks, field in zip(zip(*self._chunks, strict=True), self._schema, strict=True)
        ]
        self._chunks, self._held = [], 0
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._file.write_table(table, row_group_size=len(table))

    @staticmethod
    def _typed(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
        import pyarrow as pa

        # One dictionary for all chunks; Parquet falls back to plain values where it changes within a group.
        return column.dictionary_encode() if pa.types.is_dictionary(wanted) else column.cast(wanted)
