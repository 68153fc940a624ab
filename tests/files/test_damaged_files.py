"""Files of messages that are damaged, hostile or no such files: told with path, place and fault, in bounded memory."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from files.rows import ENDINGS, rows
from files.stores import attached
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
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
    "nested": (".ndjson", LINE + b"[" * 60_000, ", row 2: not JSON"),
    "nested deeply": (".ndjson", LINE + b"[" * 1_000_000, ", row 2: a line of more than 65,536 bytes"),
    "long line": (".ndjson", LINE + b'{"a": "' + b"x" * 200_000 + b'"}', ", row 2: a line of more than"),
    "too large number": (".ndjson", b'{"phone_number": 1e999, "message_id": 1}', ", row 1: "),
    "latin-1": (".ndjson", LINE + b'{"name": "\xe9"}', ", row 2: not UTF-8"),
    "NUL": (".ndjson", LINE + b"\0\0\0", ", row 2: a NUL character"),
    "UTF-16": (".csv", HEADER.decode().encode("utf-16"), ": "),
    "UTF-16 without a mark": (".csv", HEADER.decode().encode("utf-16-le"), ": a NUL character"),
    "latin-1 header": (".csv", b"pr\xe9nom,phone_number,message_id\n", ": not UTF-8"),
    "latin-1 value": (".csv", HEADER + RECORD + b"\xe9,2\n", ", row 2: not UTF-8"),
    "long value": (".csv", HEADER + RECORD + b"1" * 70_000 + b",1\n", ", row 2: a row of more than 65,536"),
    "long quote": (".csv", HEADER + RECORD + b'"' + b"1\n" * 70_000, ", row 2: a row of more than 65,536"),
    "many columns": (".csv", HEADER + b"," * 70_000, ", row 1: a row of more than 65,536"),
    "long header": (".csv", b"," * 70_000, ": a row of more than 65,536"),
    "blank": (".csv", HEADER + b"\n" * 1_100_000, ", row 1: more than 1,048,576 blank lines"),
    "blank lines": (".ndjson", b"\n" * 1_100_000, ", row 1: more than 1,048,576 blank lines"),
    "open quote": (".csv", HEADER + RECORD + b'"a', ", row 2: not CSV"),
}


@pytest.mark.parametrize("name", TEXT_FAULTS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_a_fault_in_text_is_told_with_its_row(tmp_path: Path, name: str, packed: bool) -> None:
    ending, content, told = TEXT_FAULTS[name]
    path = tmp_path / f"m{ending}{'.gz' if packed else ''}"
    assert fault_in(path, gzip.compress(content, 1) if packed else content).startswith(told)


@pytest.mark.parametrize("ending", [".csv.gz", ".ndjson.gz"])
def test_a_fault_in_gzip_is_told_with_its_row(tmp_path: Path, ending: str) -> None:
    head, line = (HEADER, RECORD) if ending == ".csv.gz" else (b"", LINE)
    whole = gzip.compress(head + b"".join(line.replace(b"1\n", b"%d\n" % n) for n in range(50_000)))
    path = tmp_path / f"m{ending}"
    assert fault_in(path, head + line).endswith("a damaged one")
    assert "cut short" in fault_in(path, whole[:-1_000])
    assert "cut short" in fault_in(path, whole[:5])
    assert ", row " in fault_in(path, whole[: len(whole) // 2] + b"\xff" * 64 + whole[len(whole) // 2 :])
    assert "damaged" in fault_in(path, whole[:-8] + b"\0" * 8)
    assert "damaged" in fault_in(path, whole + b"rubbish")


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".ndjson.gz"])
def test_an_empty_file_is_no_list_of_messages(tmp_path: Path, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    assert fault_in(tmp_path / f"m{ending}", b"").startswith(": ")


def test_a_fault_is_told_where_the_messages_are_held_on_disk_too(tmp_path: Path) -> None:
    (tmp_path / "m.ndjson").write_bytes(LINE + b"[" * 60_000)
    with pytest.raises(SMSPartnerInputError, match=r"m\.ndjson, row 2: not JSON"):
        closing(PendingOnDisk.of(str(tmp_path / "m.ndjson")))


def test_an_empty_ndjson_file_has_no_messages(tmp_path: Path) -> None:
    (tmp_path / "m.ndjson").write_bytes(b"")
    assert list(MessageFile.of(str(tmp_path / "m.ndjson"))) == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ending=st.sampled_from(ENDINGS),
    content=st.binary(max_size=200)
    | st.lists(st.sampled_from([LINE, HEADER, RECORD, b"[", b'"', b"\r", b"\n", b"\0", b"sep=;\n"])).map(
        b"".join
    ),
    packed=st.booleans(),
)
@example(ending=".csv", content=b'sep=;\n"', packed=False)
@example(ending=".csv", content=b"sep=", packed=False)
def test_any_bytes_are_messages_or_a_fault_that_is_told(
    tmp_path: Path, ending: str, content: bytes, packed: bool
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"m{ending}"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert messages_or_fault(path)


def messages_or_fault(path: Path) -> bool:
    try:
        return all(isinstance(each, MessageRef) for each in MessageFile.of(str(path)))
    except SMSPartnerInputError as error:
        return str(path) in str(error) and "98765432" not in str(error)


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


def test_a_parquet_file_that_is_damaged_anywhere_is_told(tmp_path: Path, whole_parquet: bytes) -> None:
    path, told = tmp_path / "m.parquet", 0
    step = max(len(whole_parquet) // 150, 1)
    for at in range(0, len(whole_parquet), step):
        damaged = bytearray(whole_parquet)
        damaged[at : at + 16] = bytes(255 - byte for byte in damaged[at : at + 16])
        path.write_bytes(damaged)
        try:
            list(MessageFile.of(str(path)))
        except SMSPartnerInputError as error:
            told += str(path) in str(error)
    assert told > 20


@pytest.mark.parametrize("kept", [0, 1, 4, 8, 12, 100, 1_000, -1, -4, -8, -50])
def test_a_parquet_file_that_is_cut_short_is_told(tmp_path: Path, whole_parquet: bytes, kept: int) -> None:
    assert fault_in(tmp_path / "m.parquet", whole_parquet[:kept]).startswith(": not Parquet")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_a_parquet_file_is_told(
    tmp_path: Path, whole_parquet: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(whole_parquet)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.parquet"
    path.write_bytes(damaged)
    assert messages_or_fault(path)


def test_a_parquet_footer_that_claims_to_be_huge_is_told(tmp_path: Path, whole_parquet: bytes) -> None:
    huge = whole_parquet[:-8] + struct.pack("<I", 0xFFFFFFF0) + b"PAR1"
    assert fault_in(tmp_path / "m.parquet", huge).startswith(": not Parquet")


FOUND_BY_FUZZING = Path(__file__).parents[1] / "fuzz" / "corpus" / "file_parquet"


def test_a_parquet_file_without_the_rows_that_it_announces_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    content = (FOUND_BY_FUZZING / "no_groups").read_bytes()
    assert fault_in(tmp_path / "m.parquet", content) == ", row 1: not Parquet, or damaged, or cut short"


def test_a_damaged_chunk_of_a_parquet_file_does_not_end_the_process(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    # In a process of its own, which pyarrow aborts if it is asked the wrong way.
    read = "import sys; from airflow_provider_smspartner._messages.from_file import MessageFile as File; "
    read += "print(list(File.of(sys.argv[1])))"
    path = tmp_path / "m.parquet"
    path.write_bytes((FOUND_BY_FUZZING / "damaged_chunk").read_bytes())
    ended = subprocess.run([sys.executable, "-c", read, path], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith(f"messages in {path}, row 1: not Parquet, or damaged, or cut short")


WRONG_TYPES: dict[str, Callable[[Any], Any]] = {
    "dates": lambda pa: pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    "timestamps": lambda pa: pa.array([2**62], pa.int64()).cast(pa.timestamp("us")),
    "durations": lambda pa: pa.array([2**62], pa.int64()).cast(pa.duration("s")),
    "times": lambda pa: pa.array([datetime(2026, 1, 1, tzinfo=UTC)]),
    "days": lambda pa: pa.array([date(2026, 1, 1)]),
    "floats": lambda pa: pa.array([1.5]),
    "decimals": lambda pa: pa.array([Decimal("698765432.1")]),
    "binary": lambda pa: pa.array([b"\xff98765432"]),
    "lists": lambda pa: pa.array([["98765432"]]),
    "structs": lambda pa: pa.array([{"x98765432": "98765432"}]),
    "booleans": lambda pa: pa.array([True]),
}


@pytest.mark.parametrize("kind", WRONG_TYPES)
def test_a_parquet_column_of_another_type_is_told(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    odd = WRONG_TYPES[kind](pa)
    content = parquet_of(tmp_path / "m.parquet", {"phone_number": [NUMBER], "message_id": odd})
    assert fault_in(tmp_path / "m.parquet", content).startswith(": the column message_id holds ")
    content = parquet_of(tmp_path / "m.parquet", {"phone_number": odd, "message_id": [1]})
    assert fault_in(tmp_path / "m.parquet", content).startswith(": the column phone_number holds ")


def test_parquet_columns_of_text_and_integers_of_any_kind_are_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "m.parquet"
    wanted = [MessageRef(NUMBER, 7)]
    texts = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
    for phones in texts:
        for ids in (*texts, pa.int8(), pa.uint64()):
            some = pa.array(["7" if ids in texts else 7]).cast(ids)
            # A column of any other kind does no harm.
            other = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
            parquet_of(
                path, {"d": other, "phone_number": pa.array([NUMBER]).cast(phones), "message_id": some}
            )
            assert list(MessageFile.of(str(path))) == wanted


def test_parquet_without_rows_or_row_groups_has_no_messages(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "m.parquet"
    schema = pa.schema({"phone_number": pa.string(), "message_id": pa.int64()})
    pq.ParquetWriter(path, schema).close()
    assert pq.read_metadata(path).num_row_groups == 0
    assert list(MessageFile.of(str(path))) == []
    pq.write_table(schema.empty_table(), path)
    assert list(MessageFile.of(str(path))) == []


def test_text_in_parquet_that_is_not_utf8_is_told(tmp_path: Path) -> None:
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

_READ = """
import resource, sys
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
good, bad = sys.argv[1:]
list(MessageFile.of(good))  # what is imported and cached on first use
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 250_000_000,) * 2)
try:
    list(MessageFile.of(bad))
except SMSPartnerInputError as error:
    print("told:", str(error).removeprefix(f"messages in {bad}"))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's limit of a process's memory")
@pytest.mark.parametrize("kind", [".ndjson.gz", ".csv.gz", ".parquet"])
def test_a_small_file_of_one_huge_value_takes_little_memory(tmp_path: Path, kind: str) -> None:
    good, bad = tmp_path / f"good{kind}", tmp_path / f"bad{kind}"
    if kind == ".parquet":
        parquet_of(good, {"phone_number": [NUMBER], "message_id": [1]})
        huge = {"phone_number": ["1" * 300_000_000], "message_id": [1]}
        parquet_of(bad, huge, compression="zstd", use_dictionary=False, write_statistics=False)
    else:
        good.write_bytes(gzip.compress(HEADER + RECORD if kind == ".csv.gz" else LINE))
        with gzip.open(bad, "wb", 1) as stream:
            stream.write(HEADER if kind == ".csv.gz" else b'{"a": "')
            for _ in range(30):
                stream.write(b"1" * 10_000_000)
    assert bad.stat().st_size < 10_000_000
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(good), str(bad)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ,
    )
    told = done.stdout.splitlines()[-1]
    assert told.startswith("told: ")
    assert "more than" in told
