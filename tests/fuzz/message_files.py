"""What is done with the bytes of a file of messages or recipients, and what must come of it."""

from __future__ import annotations

import gzip
import io
import re
from functools import cache
from typing import Any, BinaryIO

from fuzz.oracles import UNREADABLE, check_error, expect, json_value

from airflow_provider_smspartner._files.formats import Encoding
from airflow_provider_smspartner._files.recipients import NumberAndTextFile, NumberFile
from airflow_provider_smspartner._files.storage import Place
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MESSAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,63}")
_MOST_MESSAGES = 200_000

_RECIPIENTS: dict[bytes, type[NumberFile | NumberAndTextFile]] = {b"3": NumberFile, b"4": NumberAndTextFile}
"""The first byte of an input that is read as a file of recipients."""


class _Held(Place):
    """A place whose file is in memory: a million inputs need no disk."""

    def __init__(self, uri: str, content: bytes) -> None:
        super().__init__(uri)
        object.__setattr__(self, "_content", content)

    def open(self) -> BinaryIO:
        return io.BufferedReader(io.BytesIO(self._content))  # type: ignore[attr-defined]


def check_csv(data: bytes) -> None:
    """Read a CSV file: plain, or compressed, or taken for one that is compressed; or a plain one of recipients."""
    if (kind := _RECIPIENTS.get(data[:1])) is not None:
        _read_recipients(kind, data[1:])
    else:
        _read(*_packed(data, ".csv"))


def check_ndjson(data: bytes) -> None:
    """Read an NDJSON file: plain, or compressed, or taken for one that is compressed."""
    messages = _read(*_packed(data, ".ndjson"))
    if messages is not None and data[:1] != b"2":
        lines = [line for line in data[1:].removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
        expect(len(messages) == len(lines), "lines were lost or made up")
        expect(all(json_value(line) is not UNREADABLE for line in lines), "what is no JSON was read")


def check_parquet(data: bytes) -> None:
    """Read a Parquet file."""
    messages = _read(".parquet", data)
    if messages is not None:
        expect(len(messages) == _announced_rows(data), "rows were lost or made up")


def _packed(data: bytes, ending: str) -> tuple[str, bytes]:
    how, content = data[:1], data[1:]
    if how == b"2":
        return ending + ".gz", content
    if how == b"1":
        return ending + ".gz", gzip.compress(content, 1, mtime=0)
    return ending, content


def _read(ending: str, content: bytes) -> list[MessageRef] | None:
    """Return the messages, or None for an error that was checked."""
    uri = f"file:///m{ending}"
    messages: list[MessageRef] = []
    try:
        for ref in MessageFile(place=_Held(uri, content), encoding=_encoding(ending)):
            messages.append(ref)
            expect(len(messages) <= _MOST_MESSAGES, "a file without an end")
    except SMSPartnerInputError as error:
        check_error(error, place=uri, may_suppress=True)
        messages_if_whole = None
    else:
        messages_if_whole = messages
    for ref in messages:
        expect(_E164.fullmatch(ref.phone_number), "a phone number that is not E.164")
        expect(_MESSAGE_ID.fullmatch(ref.message_id), "a message id that is none")
        expect(ref.phone_number[3:] not in repr(ref).replace(ref.message_id, ""), "a repr with the number")
    for ref in messages[:3]:
        expect(MessageRef(*ref) == ref, "a message that is not the same once it is read again")
    return messages_if_whole


def _read_recipients(kind: type[NumberFile | NumberAndTextFile], content: bytes) -> None:
    uri = "file:///r.csv"
    try:
        recipients = list(kind(place=_Held(uri, content), encoding=_encoding(".csv")))
    except SMSPartnerInputError as error:
        check_error(error, place=uri, may_suppress=True)
        return
    lines = content.count(b"\n") + content.count(b"\r")
    expect(len(recipients) <= lines, "rows were made up")
    for recipient in recipients:
        values = recipient if isinstance(recipient, tuple) else (recipient,)
        expect(len(values) == len(kind.columns), "a row has too many or too few values")
        expect(all(isinstance(value, str) for value in values), "a value that is no text")


_encoding = cache(Encoding.of)


def _announced_rows(data: bytes) -> int:
    import pyarrow.parquet as pq

    metadata: Any = pq.read_metadata(io.BytesIO(data))
    return int(metadata.num_rows)
