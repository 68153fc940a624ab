"""Which format a path's ending chooses: the one table of them all."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from typing import BinaryIO, cast

from airflow_provider_smspartner._files.format import Format
from airflow_provider_smspartner._files.parquet import Parquet
from airflow_provider_smspartner._files.text import Csv, Ndjson
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

FORMATS: tuple[Format, ...] = (
    Ndjson(),
    Csv(),
    Parquet(),
)

GZIP_LEVEL = 4
"""Measured on NDJSON rows: two thirds of the time that level 6 takes, for a tenth more bytes; a fifth of 9's."""


class _GzipWriter(gzip.GzipFile):
    """Writes nothing when it is garbage-collected: if the storage failed while it was made, it was never closed."""

    def __del__(self) -> None:
        """Leave the stream as it is."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """
    How a file is written: its format, and whether it is compressed as a whole.

    :param format: the format of what is inside.
    :param gzipped: whether gzip is around it.
    """

    format: Format
    gzipped: bool

    @classmethod
    def of(cls, path: str) -> Encoding:
        """
        Choose by the path's ending, in its very case.

        :raises SMSPartnerInputError: names the endings that there are.
        """
        for ending, encoding in ENDINGS.items():
            if path.endswith(ending):
                return encoding
        raise SMSPartnerInputError(f"{path!r} must end in one of {', '.join(ENDINGS)}")

    def compressing(self, stream: BinaryIO) -> BinaryIO:
        """Return the stream that the format writes to; closing it leaves an outer stream open."""
        if not self.gzipped:
            return stream
        # Without a time and a name, so that equal rows make equal files.
        packed = _GzipWriter("", "wb", GZIP_LEVEL, cast("io.BytesIO", stream), mtime=0)
        return cast("BinaryIO", packed)

    def expanding(self, stream: BinaryIO) -> BinaryIO:
        """
        Return the stream that the format reads from.

        :param stream: where from.
        :raises ValueError: if it should be compressed and is empty, which Python takes for gzip.
        """
        if not self.gzipped:
            return stream
        if not stream.read(1):
            raise ValueError("empty, and not a gzipped file")
        stream.seek(0)
        return cast("BinaryIO", gzip.GzipFile(fileobj=cast("io.BytesIO", stream), mode="rb"))


ENDINGS: dict[str, Encoding] = {
    ending: Encoding(format=format_, gzipped=gzipped)
    for format_ in FORMATS
    for ending, gzipped in [(format_.ending, False), (format_.ending + ".gz", True)]
    if format_.gzips or not gzipped
}
