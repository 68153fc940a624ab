"""Files of messages that are damaged, hostile or no such files: told with path, place and fault, in bounded memory."""

from __future__ import annotations

import gzip
import json
import re
import struct
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from combinations import in_turn
from files.rows import rows
from files.stores import attached
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef

NUMBER = "+33698765432"
LINE = json.dumps({"phone_number": NUMBER, "message_id": 1}).encode() + b"\n"
HEADER = b"phone_number,message_id\n"
RECORD = NUMBER.encode() + b",1\n"


def fault_in(path: Path, content: bytes) -> str:
    """Read a file that is no good, and give the error's text, which names the file and not the number."""
    path.write_bytes(content)
    with pytest.raises(SMSPartnerInputError) as raised:
        list(MessageFile.of(str(path)))
    told = str(raised.value)
    assert told.startswith(f"messages in {path}")
    assert "98765432" not in told
    assert len(told) < 1_000
    assert raised.value.__suppress_context__
    return told.removeprefix(f"messages in {path}")


TEXT_FAULTS: dict[str, tuple[str, bytes, str]] = {
    "nested": (".ndjson", LINE + b"[" * 60_000, ", line 2: not JSON"),
    "long line": (".ndjson", LINE + b'{"a": "' + b"x" * 200_000 + b'"}', ", line 2: a line of more than"),
    "latin-1": (".ndjson", LINE + b'{"name": "\xe9"}', ", line 2: not UTF-8"),
    "NUL": (".ndjson", LINE + b"\0\0\0", ", line 2: a NUL character"),
    "UTF-16": (".csv", HEADER.decode().encode("utf-16"), ": "),
    "latin-1 value": (".csv", HEADER + RECORD + b"\xe9,2\n", ", line 3: not UTF-8"),
    "long value": (".csv", HEADER + RECORD + b"1" * 70_000 + b",1\n", ", line 3: a row of more than 65,536"),
    "long quote": (".csv", HEADER + RECORD + b'"' + b"1\n" * 70_000, ", line 3: a row of more than 65,536"),
    "long header": (".csv", b"," * 70_000, ": a row of more than 65,536"),
    "blank": (".csv", HEADER + b"\n" * 1_100_000, ", line 1048578: more than 1,048,576 blank lines"),
    "open quote": (".csv", HEADER + RECORD + b'"a', ", line 3: not CSV"),
    "short": (".csv", HEADER + RECORD + b"+33698765432\n", ", line 3: fewer columns than the header"),
}


@in_turn(fault=TEXT_FAULTS, packed={"plain": False, "gz": True})
def test_a_fault_in_text_is_reported_with_its_row(
    tmp_path: Path, fault: tuple[str, bytes, str], packed: bool
) -> None:
    ending, content, told = fault
    path = tmp_path / f"m{ending}{'.gz' if packed else ''}"
    assert fault_in(path, gzip.compress(content, 1) if packed else content).startswith(told)


def test_a_fault_in_gzip_is_reported_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "m.csv.gz"
    whole = gzip.compress(HEADER + b"".join(b"+33698765432,%d\n" % n for n in range(50_000)))
    assert fault_in(path, HEADER + RECORD) == ": Not a gzipped file, or a damaged one"
    assert fault_in(path, whole[:5]) == ": Compressed file ended early: it is cut short"
    assert re.match(r", line \d{4,}: .*cut short", fault_in(path, whole[:-1_000]))
    assert ", line " in fault_in(path, whole[: len(whole) // 2] + b"\xff" * 64 + whole[len(whole) // 2 :])
    assert "damaged" in fault_in(path, whole[:-8] + b"\0" * 8)
    assert "damaged" in fault_in(path, whole + b"rubbish")


def test_an_empty_file_is_no_list_of_messages_but_in_ndjson(tmp_path: Path) -> None:
    assert "the file is empty" in fault_in(tmp_path / "m.csv", b"")
    assert fault_in(tmp_path / "m.ndjson.gz", b"") == ": empty, and not a gzipped file"
    (tmp_path / "m.ndjson").write_bytes(b"")
    assert list(MessageFile.of(str(tmp_path / "m.ndjson"))) == []


# Parquet


def parquet_of(path: Path, columns: dict[str, Any], **options: Any) -> bytes:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), path, **options)
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole_parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    pytest.importorskip("pyarrow")
    path = tmp_path_factory.mktemp("whole") / "m.parquet"
    Output.of(str(path)).write(rows(300))
    return path.read_bytes()


@pytest.mark.parametrize("kept", [0, 1_000, -1])
def test_a_parquet_file_that_is_cut_short_is_reported(
    tmp_path: Path, whole_parquet: bytes, kept: int
) -> None:
    assert fault_in(tmp_path / "m.parquet", whole_parquet[:kept]).startswith(": not Parquet")


def test_a_parquet_footer_that_claims_to_be_huge_is_reported(tmp_path: Path, whole_parquet: bytes) -> None:
    huge = whole_parquet[:-8] + struct.pack("<I", 0xFFFFFFF0) + b"PAR1"
    assert fault_in(tmp_path / "m.parquet", huge).startswith(": not Parquet")


WRONG_TYPES: dict[str, Callable[[Any], Any]] = {
    "timestamps": lambda pa: pa.array([2**62], pa.int64()).cast(pa.timestamp("us")),
    "floats": lambda pa: pa.array([1.5]),
    "decimals": lambda pa: pa.array([Decimal("698765432.1")]),
    "binary": lambda pa: pa.array([b"\xff98765432"]),
    "structs": lambda pa: pa.array([{"x98765432": "98765432"}]),
    "booleans": lambda pa: pa.array([True]),
}


@in_turn(make=WRONG_TYPES, column=["phone_number", "message_id"])
def test_a_parquet_column_of_another_type_is_reported(
    tmp_path: Path, make: Callable[[Any], Any], column: str
) -> None:
    columns = {"phone_number": [NUMBER], "message_id": [1], column: make(pytest.importorskip("pyarrow"))}
    content = parquet_of(tmp_path / "m.parquet", columns)
    assert fault_in(tmp_path / "m.parquet", content).startswith(f": the column {column} holds ")


@in_turn(phones=["string", "large_string", "categories"], ids=["string", "categories", "int8", "uint64"])
def test_parquet_columns_of_text_and_integers_of_any_kind_are_read(
    tmp_path: Path, phones: str, ids: str
) -> None:
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "m.parquet"

    def column(kind: str, value: Any) -> Any:
        categories = pa.dictionary(pa.int32(), pa.string())
        return pa.array([value]).cast(categories if kind == "categories" else getattr(pa, kind)())

    # A column of any other kind does no harm.
    other = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
    number, message_id = column(phones, NUMBER), column(ids, 7 if "int" in ids else "7")
    parquet_of(path, {"d": other, "phone_number": number, "message_id": message_id})
    assert list(MessageFile.of(str(path))) == [MessageRef(NUMBER, 7)]


def test_parquet_without_rows_or_row_groups_has_no_messages(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "m.parquet"
    schema = pa.schema({"phone_number": pa.string(), "message_id": pa.int64()})
    pq.ParquetWriter(path, schema).close()
    assert pq.read_metadata(path).num_row_groups == 0
    assert list(MessageFile.of(str(path))) == []
    pq.write_table(schema.empty_table(), path)
    assert list(MessageFile.of(str(path))) == []


def test_text_in_parquet_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    odd = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    content = parquet_of(tmp_path / "m.parquet", {"phone_number": odd, "message_id": [1]})
    assert "not UTF-8" in fault_in(tmp_path / "m.parquet", content)


def test_a_storage_that_fails_while_it_is_read_is_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch, whole_parquet: bytes
) -> None:
    attached(monkeypatch, "memory", fs := MemoryFileSystem())
    contents = {".parquet": whole_parquet, ".ndjson": LINE, ".csv.gz": gzip.compress(HEADER + RECORD)}
    for ending, content in contents.items():
        fs.pipe_file(f"/bucket/m{ending}", content)
        with monkeypatch.context() as patch:

            def broken(*_: object) -> bytes:
                raise ConnectionResetError("the storage went away")

            patch.setattr(MemoryFile, "read", broken)
            patch.setattr(MemoryFile, "readinto", broken)
            with pytest.raises(ConnectionResetError, match="the storage went away"):
                list(MessageFile.of(f"memory://bucket/m{ending}"))


# Memory


def test_a_small_file_of_one_huge_value_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.csv.gz"
    content = gzip.compress(HEADER + b"1" * 50_000_000, 1)
    assert len(content) < 1_000_000
    fault_in(path, gzip.compress(HEADER + b"1"))  # what is imported and cached on first use
    tracemalloc.start()
    try:
        assert fault_in(path, content).startswith(", line 2: a row of more than 65,536")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
