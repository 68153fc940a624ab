"""Message lists from files: streamed, read as often as wanted, faults told by their row and without the number."""

from __future__ import annotations

import gzip
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from files.rows import rows

from airflow_provider_smspartner._files.output import Output
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


@pytest.mark.parametrize("ending", [".ndjson.gz", ".csv", ".parquet"])
def test_results_are_messages_too(tmp_path: Path, ending: str) -> None:
    needs(ending)
    uri = f"file://{tmp_path}/rows{ending}"
    Output.of(uri).write(rows(1_234))
    source = MessageFile.of(uri)
    wanted = [MessageRef.of(row) for row in rows(1_234)]
    assert list(source) == wanted
    assert list(islice(source, 3)) == wanted[:3]  # read in part
    assert list(read_messages(source)) == wanted  # and again


def test_only_the_columns_of_a_message_are_read_under_either_name(tmp_path: Path) -> None:
    content = (
        '{"phoneNumber": "+33612345678", "messageId": 111, "name": [1, {}]}\n'
        "\n"
        '{"phone_number": "0712345678", "message_id": "ab-2"}'
    )
    assert list(file_of(tmp_path / "m.ndjson", content)) == WANTED
    assert list(file_of(tmp_path / "m.ndjson.gz", gzip.compress(content.encode()))) == WANTED
    columns = {"name": ["a", "b"], "message_id": [111, 222], "phoneNumber": [NUMBER, "0712345678"]}
    wanted = [WANTED[0], MessageRef("+33712345678", 222)]
    assert list(parquet_of(tmp_path / "m.parquet", columns)) == wanted


ROW = '{"phone_number": "+33698765432", "message_id": 1}\n'
FAULTS = {
    "number.csv": (
        "phone_number,message_id\n+33698765432,1\n0998765432,2\n",
        "line 3: phone_number is neither",
    ),
    "key.ndjson": (ROW + '{"phone_number": "+33698765432"}', "line 2: message_id is missing"),
    "list.ndjson": ("[]", "line 1: a message is a MessageRef"),
    "text.ndjson": (ROW + '"+33698765432"', "line 2: a message is a MessageRef"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_by_its_row_and_without_the_number(tmp_path: Path, name: str) -> None:
    content, reported = FAULTS[name]
    with pytest.raises(ValueError, match=f"messages in .*{name}, {reported}") as caught:
        list(file_of(tmp_path / name, content))
    assert "98765432" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_parquet_without_its_columns(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"m\.parquet: there is no column message_id"):
        list(parquet_of(tmp_path / "m.parquet", {"phone_number": [NUMBER]}))
    with pytest.raises(ValueError, match=r"row 2: message_id must be an integer or its text, not None"):
        list(parquet_of(tmp_path / "m.parquet", {"phone_number": [NUMBER] * 2, "message_id": [1, None]}))


def test_memory_does_not_grow(tmp_path: Path) -> None:
    uri = str(tmp_path / "m.csv.gz")
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
