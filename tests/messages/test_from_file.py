"""Message lists from files: streamed, read as often as wanted, faults told by their row and without the number."""

from __future__ import annotations

import gzip
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from files.rows import ENDINGS, rows
from files.stores import Bucket, attached
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._files.row_file import names_a_file
from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner._messages.reading import read_messages
from airflow_provider_smspartner.models import MessageRef

NUMBER = "+33612345678"
WANTED = [MessageRef(NUMBER, 111), MessageRef("+33712345678", "ab-2")]


def needs(ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")


def file_of(path: Path, content: str | bytes) -> MessageFile:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return MessageFile.of(str(path))


def parquet_of(path: Path, columns: dict[str, Any]) -> MessageFile:
    pa = pytest.importorskip("pyarrow")
    pa.parquet = pytest.importorskip("pyarrow.parquet")
    pa.parquet.write_table(pa.table(columns), path)
    return MessageFile.of(str(path))


@pytest.mark.parametrize("ending", ENDINGS)
def test_results_are_messages_too(tmp_path: Path, ending: str) -> None:
    needs(ending)
    uri = f"file://{tmp_path}/rows{ending}"
    Output.of(uri).write(rows(4_321))
    source = MessageFile.of(uri)
    wanted = [MessageRef.of(row) for row in rows(4_321)]
    assert list(source) == wanted
    assert list(islice(source, 3)) == wanted[:3]  # read in part
    assert list(read_messages(source)) == wanted  # and again


refs = st.lists(
    st.builds(
        MessageRef,
        st.from_regex(r"\+(33[1-9][0-9]{8}|49151[0-9]{8}|5959[0-9]{8})", fullmatch=True),
        st.from_regex(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,20}", fullmatch=True),
    ),
    max_size=20,
)


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=refs)
def test_any_messages_are_read(tmp_path: Path, ending: str, messages: list[MessageRef]) -> None:
    needs(ending)
    blank = dict.fromkeys(("status", "raw_status", "date", "stop_sms", "is_spam", "code"))
    uri = str(tmp_path / f"messages{ending}")
    Output.of(uri).write({**m._asdict(), **blank, "status": "KO"} for m in messages)
    assert list(MessageFile.of(uri)) == messages


@pytest.mark.parametrize(
    "content",
    [
        "phone_number,message_id\n+33612345678,111\n0712345678,ab-2\n",
        '\ufeffname,messageId,phoneNumber\r\n\r\n"a,\nb",111,06 12 34 56 78\r\n,ab-2,+33712345678\r\n\r\n',
    ],
    ids=["plain", "from a spreadsheet"],
)
def test_csv(tmp_path: Path, content: str) -> None:
    assert list(file_of(tmp_path / "m.csv", content)) == WANTED
    assert list(file_of(tmp_path / "m.csv.gz", gzip.compress(content.encode()))) == WANTED


def test_ndjson(tmp_path: Path) -> None:
    content = (
        '{"phoneNumber": "+33612345678", "messageId": 111, "name": [1, {}]}\n'
        "\n"
        '{"phone_number": "0712345678", "message_id": "ab-2"}'
    )
    assert list(file_of(tmp_path / "m.ndjson", content)) == WANTED
    assert list(file_of(tmp_path / "m.ndjson.gz", gzip.compress(content.encode()))) == WANTED


def test_parquet(tmp_path: Path) -> None:
    columns = {"name": ["a", "b"], "message_id": [111, 222], "phoneNumber": [NUMBER, "0712345678"]}
    wanted = [WANTED[0], MessageRef("+33712345678", 222)]
    assert list(parquet_of(tmp_path / "m.parquet", columns)) == wanted


FAULTS: dict[str, tuple[Any, str]] = {
    "m.csv": ("phone_number,message_id\n+33698765432,1\n0998765432,2\n", "row 2: phone_number is neither"),
    "short.csv": ("name,phone_number,message_id\na,+33698765432,1\nb,+33698765432\n", "row 2: fewer columns"),
    "quote.csv": ('phone_number,message_id\n+33698765432,1\n"+33698765432,2\n', "row 2: not CSV"),
    "latin.csv": (b"phone_number,message_id\n+33698765432,1\n+33698765432,\xe9\n", "not UTF-8"),
    "none.csv": ("", "m: there is no column phone_number and no column message_id"),
    "headless.csv": ("+33698765432,1\n", "m: there is no column phone_number and no column message_id"),
    "other.csv": ("phone_number,id\n+33698765432,1\n", "m: there is no column message_id"),
    "m.ndjson": (
        '{"phone_number": "+33698765432", "message_id": 1}\n{"phone_number": "+33698765432',
        "row 2: not JSON",
    ),
    "missing.ndjson": ('{"phone_number": "+33698765432"}', "row 1: message_id is missing"),
    "list.ndjson": ("[]", "row 1: a message is a MessageRef"),
    "text.ndjson": ('"+33698765432"', "row 1: a message is a MessageRef"),
    "m.csv.gz": (b"phone_number,message_id\n+33698765432,1\n", "m: Not a gzipped file"),
    "cut.ndjson.gz": (
        gzip.compress(b'{"phone_number": "+33698765432", "message_id": 1}\n' * 100_000)[:-1000],
        r"row \d{4,}: Compressed file ended",
    ),
    "m.parquet": (b"PAR1 +33698765432", "m: not Parquet"),
    "empty.parquet": (b"", "m: not Parquet"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_by_its_row_and_without_the_number(tmp_path: Path, name: str) -> None:
    needs(Path(name).suffix)
    content, told = FAULTS[name]
    source = file_of(tmp_path / name, content)
    at = r"messages in .*" + name.replace(".", r"\.") + (told[1:] if told.startswith("m: ") else f".*{told}")
    with pytest.raises(ValueError, match=at) as caught:
        list(source)
    assert "98765432" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_parquet_without_its_columns(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"m\.parquet: there is no column message_id"):
        list(parquet_of(tmp_path / "m.parquet", {"phone_number": [NUMBER]}))
    with pytest.raises(ValueError, match=r"row 2: message_id must be an integer or its text, not None"):
        list(parquet_of(tmp_path / "m.parquet", {"phone_number": [NUMBER] * 2, "message_id": [1, None]}))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_missing_file_is_told_with_its_path(tmp_path: Path, ending: str) -> None:
    needs(ending)
    with pytest.raises(FileNotFoundError, match=rf"there is no file .*/none{ending}"):
        list(MessageFile.of(f"file://{tmp_path}/none{ending}"))


def test_an_unknown_ending_lists_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of \.ndjson, .*\.parquet"):
        MessageFile.of("s3://bucket/messages.xlsx")


def test_other_storages(monkeypatch: pytest.MonkeyPatch) -> None:
    attached(monkeypatch, "memory", MemoryFileSystem())
    Output.of("memory://bucket/day=1/rows.ndjson.gz").write(rows(10))
    assert len(list(MessageFile.of("memory://bucket/day=1/rows.ndjson.gz"))) == 10
    with pytest.raises(FileNotFoundError, match="memory://bucket/none"):
        list(MessageFile.of("memory://bucket/none.csv"))

    attached(monkeypatch, "s3", Bucket(), conn_id="aws")
    Output.of("s3://aws@bucket/rows.csv").write(rows(10))
    assert len(list(MessageFile.of("s3://aws@bucket/rows.csv"))) == 10
    assert len(list(MessageFile.of("s3://bucket/rows.csv", "aws"))) == 10


@pytest.mark.parametrize(
    "path", ["s3://bucket/m.csv", "m.parquet", "/data/m.ndjson.gz", "gs://x@bucket/m.txt"]
)
def test_paths(path: str) -> None:
    assert names_a_file(path)


@pytest.mark.parametrize(
    "messages",
    [
        None,
        [],
        [("+33612345678", 1)],
        WANTED,
        "",
        "['m.csv']",
        "[('+33612345678', 's3://x')]",
        b"m.csv",
        {"path": "m.csv"},
    ],
)
def test_no_paths(messages: object) -> None:
    assert not names_a_file(messages)


@pytest.mark.parametrize("ending", ENDINGS)
def test_memory_does_not_grow(tmp_path: Path, ending: str) -> None:
    needs(ending)
    uri = str(tmp_path / f"m{ending}")
    Output.of(uri).write(rows(50_000))
    source = MessageFile.of(uri)
    next(iter(source))
    tracemalloc.start()
    try:
        assert sum(1 for _ in source) == 50_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
