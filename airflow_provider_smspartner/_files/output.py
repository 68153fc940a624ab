"""Writes rows to a file, as a stream; the file appears under its name only once it is complete."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self, TypedDict

from airflow_provider_smspartner._files.columns import STATUS_ROWS, Table
from airflow_provider_smspartner._files.encoded_file import EncodedFile
from airflow_provider_smspartner._files.format import Row

CHUNK_ROWS = 2_000
"""Rows held at a time, whatever they come in."""


class Landed(TypedDict):
    """What XCom holds of rows in a file: plain JSON types only."""

    path: str
    rows: int
    format: str


@dataclass(frozen=True, slots=True)
class Output(EncodedFile):
    """
    A file that results are written to.

    :param table: its columns.
    """

    table: Table = STATUS_ROWS

    @classmethod
    def of(cls, uri: str, conn_id: str | None = None, table: Table = STATUS_ROWS) -> Self:
        """
        Choose the format by the ending; nothing is looked up yet.

        :param uri: as for any `EncodedFile`.
        :param conn_id: as for any `EncodedFile`.
        :param table: the columns of the rows.
        :raises SMSPartnerInputError: as for any `EncodedFile`.
        """
        file = EncodedFile.of(uri, conn_id)
        return cls(place=file.place, encoding=file.encoding, table=table)

    def check(self) -> None:
        """
        Make sure that the file can be written, before it is worth anything: write and remove another beside it.

        :raises ImportError: if the format needs an extra that is not installed.
        :raises OSError: says why no file can be written there: connection, bucket, permission, folder.
        """
        self.encoding.format.require()
        self.place.check()

    def open(self) -> Sink:
        """Return the file, begun: use it in ``with``, and commit it."""
        return Sink(self)

    def write(self, rows: Iterable[Row]) -> Landed:
        """
        Write all rows, as they come, and publish the file; if anything fails, nothing has changed.

        :param rows: read once.
        """
        with self.open() as sink:
            sink.write(rows)
            return sink.commit()


class Sink:
    """
    A file that is being written. `commit` publishes it; without that it is removed.

    :param output: what file.
    """

    def __init__(self, output: Output) -> None:
        output.encoding.format.require()
        self._output = output
        self._pending: list[Row] = []
        self._open = True
        self._abandoned = False
        self.rows = 0
        self.published = False
        """Whether the file is there, under its name."""
        self._file = output.place.new()
        try:
            self._file.remove_left_behind()
            self._stream = output.encoding.compressing(self._file.stream)
            self._writer = output.encoding.format.writer(self._stream, output.table)
        except BaseException:
            self._file.discard()
            raise

    def write(self, rows: Iterable[Row]) -> None:
        """
        Add rows, as many or as few as there are.

        :param rows: read once, a chunk at a time.
        """
        self._check_open()
        waiting = iter(rows)
        while more := list(islice(waiting, CHUNK_ROWS - len(self._pending))):
            self._pending += more
            self.rows += len(more)
            if len(self._pending) == CHUNK_ROWS:
                self._flush()
            self._check_open()

    def commit(self) -> Landed:
        """Publish the file under its name, and give what XCom shall hold."""
        self._check_open()
        try:
            self._flush()
            self._writer.finish()
            self._stream.close()
            self._file.publish()
        except BaseException:
            self.discard()
            raise
        self.published, self._open = True, False
        return {"path": self.path, "rows": self.rows, "format": self._output.encoding.format.name}

    @property
    def path(self) -> str:
        """The file's address, as XCom names it."""
        return self._output.place.portable_uri

    def discard(self) -> None:
        """Drop what was written, unless it is committed; what stood under the name stays as it was."""
        if self._open:
            self._open = False
            with suppress(Exception):
                # Otherwise pyarrow would do so when it is collected, into a stream that is closed.
                self._writer.finish()
            with suppress(Exception):
                self._stream.close()
            self._file.discard()

    def abandon(self) -> None:
        """
        Make sure, from any thread or a signal's handler, that the file is never published.

        Nothing else is done here. The code that uses the sink meets an error at its next step, and discards it.
        """
        self._abandoned = True
        self._file.abandon()

    def _check_open(self) -> None:
        if self._abandoned or not self._open:
            raise ValueError("the file is already committed or discarded")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write(self._pending)
            self._pending = []
