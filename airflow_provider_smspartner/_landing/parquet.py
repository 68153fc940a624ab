"""The format that is columns: Parquet, through pyarrow, which is imported only when such a file is met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from airflow_provider_smspartner._landing.base import COLUMNS, Format, message_columns
from airflow_provider_smspartner.models import StatusRow

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS_IN_GROUP = 65_536
"""Rows of one row group, which is held until it is whole. A million rows peak at 29 MB; twice the group, at 53 MB."""

_BUFFER = 1 << 20
_BATCH_ROWS = 2_000
_VALUES = itemgetter(*COLUMNS)


class Parquet(Format):
    """Parquet with the columns' right types."""

    name: ClassVar[str] = "parquet"
    ending: ClassVar[str] = ".parquet"
    gzips: ClassVar[bool] = False  # it compresses within
    module: ClassVar[str] = "pyarrow.parquet"
    extra: ClassVar[str] = "parquet"

    def writer(self, stream: BinaryIO) -> _ParquetWriter:
        """Begin a file."""
        return _ParquetWriter(stream)

    def messages(self, stream: BinaryIO) -> Iterator[object]:
        """Read messages, in small batches of their two columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            # Buffered: otherwise a whole column of a row group is read at once.
            file = pq.ParquetFile(stream, buffer_size=_BUFFER, pre_buffer=False)
        except pa.ArrowInvalid:
            # Without pyarrow's words, which may quote what it could not read.
            raise ValueError("not Parquet, or not whole") from None
        names: list[str] = file.schema_arrow.names
        return _messages(file, [names[at] for at in message_columns(names)])


def _messages(file: pq.ParquetFile, names: list[str]) -> Iterator[object]:
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names, use_threads=False):
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


class _ParquetWriter:
    """Turns rows into columns at once, for they take a tenth of the memory, and writes them a group at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        # As they come, and as they are written.
        text, boolean, category = pa.string(), pa.bool_(), pa.dictionary(pa.int32(), pa.string())
        self._raw = [text, text, text, text, text, boolean, boolean, pa.int32()]
        types = [text, text, category, category, pa.timestamp("us", tz="UTC"), boolean, boolean, pa.int32()]
        nullable = [name not in ("phone_number", "status") for name in COLUMNS]
        self._schema = pa.schema([pa.field(*field) for field in zip(COLUMNS, types, nullable, strict=True)])
        self._file = pq.ParquetWriter(stream, self._schema, compression="zstd")
        self._chunks: list[list[pa.Array]] = []
        self._held = 0

    def write(self, rows: Sequence[StatusRow]) -> None:
        import pyarrow as pa

        columns = zip(*map(_VALUES, rows), strict=True)
        self._chunks.append([pa.array(c, t) for c, t in zip(columns, self._raw, strict=True)])
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
