"""Landing: whole or not at all, replaced in one step, checked in advance, without growing."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from files.rows import NASTY, row, rows
from files.stores import Bucket, attached
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_smspartner._files.output import CHUNK_ROWS, Output
from airflow_provider_smspartner.models import StatusRow


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file that is to be written; in CSV unless the test says otherwise."""
    ending = getattr(request, "param", ".csv")
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    return tmp_path / f"rows{ending}"


each_format = pytest.mark.parametrize("target", [".ndjson", ".csv.gz", ".parquet"], indirect=True)


def write(path: Path, some: Any) -> Any:
    return Output.of(str(path)).write(some)


class Stop(BaseException):
    """What ends a task from outside, as a time-out does."""


def breaking_off(after: int) -> Iterator[StatusRow]:
    yield from rows(after)
    raise Stop


# What is written


def test_ndjson_lines_are_rows_as_xcom_has_them(tmp_path: Path) -> None:
    landed = write(path := tmp_path / "rows.ndjson", some := list(rows(3)))
    assert [json.loads(line) for line in path.read_text().splitlines()] == some
    assert landed == {"path": str(path), "rows": 3, "format": "ndjson"}


def test_csv_is_as_promised(tmp_path: Path) -> None:
    write(path := tmp_path / "rows.csv", [row(100), row(1, raw_status='a "b", c', date=None)])
    assert path.read_bytes().decode() == (
        "phone_number,message_id,status,raw_status,date,stop_sms,is_spam,code\r\n"
        "+33600000100,100,Not delivered,Not delivered,2026-11-21T00:01:40+00:00,true,,200\r\n"
        '+33600000001,1,Delivered,"a ""b"", c",,false,,200\r\n'
    )


def test_any_text_stands_in_csv_as_it_is(tmp_path: Path) -> None:
    texts = [NASTY, "two\nlines", "two\r\nlines", "\r", "null", "NA", "1", " ", ""]
    write(path := tmp_path / "rows.csv", [row(n, raw_status=text) for n, text in enumerate(texts)])
    with path.open(newline="", encoding="utf-8") as stream:
        assert [each["raw_status"] for each in csv.DictReader(stream)] == texts


def test_parquet_has_the_types_of_its_columns_even_if_it_is_empty(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    category = pa.dictionary(pa.int32(), pa.string())
    kinds = [
        pa.string(),
        pa.string(),
        category,
        category,
        pa.timestamp("us", tz="UTC"),
        *[pa.bool_()] * 2,
        pa.int32(),
    ]
    nulls = dict.fromkeys(("message_id", "raw_status", "date", "stop_sms", "is_spam", "code"))
    some = [
        row(1, raw_status=NASTY),
        row(2, **nulls),
        row(3, is_spam=True, code=-(2**31), date="2030-01-01T00:00:00.000001+00:00"),
    ]
    for made in (some, []):
        write(path := tmp_path / "rows.parquet", made)
        table = pq.read_table(path)
        assert [(field.name, field.type) for field in table.schema] == [*zip(row(1), kinds, strict=True)]
        assert table.to_pylist() == [
            {**each, "date": each["date"] and datetime.fromisoformat(each["date"])} for each in made
        ]


def test_gz_is_the_same_packed(tmp_path: Path) -> None:
    landed = write(packed := tmp_path / "rows.csv.gz", rows(5_000))
    write(plain := tmp_path / "rows.csv", rows(5_000))
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert landed["format"] == "csv"


@each_format
def test_chunks_of_any_size_make_the_same_file(target: Path) -> None:
    write(target, rows(CHUNK_ROWS * 2 + 7))
    at_once = target.read_bytes()
    with Output.of(str(target)).open() as sink:
        sink.write([])
        sink.write(rows(1))
        sink.write(list(rows(CHUNK_ROWS * 2, first=1)))
        for number in range(6):
            sink.write([row(CHUNK_ROWS * 2 + 1 + number)])
        assert sink.rows == CHUNK_ROWS * 2 + 7
        assert sink.commit()["rows"] == CHUNK_ROWS * 2 + 7
    assert target.read_bytes() == at_once


# Whole, or not at all


@each_format
def test_a_file_is_replaced_as_a_whole_or_stays_as_it_was(target: Path) -> None:
    def run_that_fails() -> None:
        with pytest.raises(Stop):
            write(target, breaking_off(CHUNK_ROWS * 3))

    run_that_fails()
    assert list(target.parent.iterdir()) == []

    write(target, rows(10))
    before = target.read_bytes()
    run_that_fails()
    with Output.of(str(target)).open() as sink:
        sink.write(rows(CHUNK_ROWS + 1))
    sink.discard()  # again: nothing happens
    for call in (sink.commit, lambda: sink.write([])):
        with pytest.raises(ValueError, match="already"):
            call()
    Output.of(str(target)).check()
    assert target.read_bytes() == before

    seen = []

    def watched() -> Iterator[StatusRow]:
        for made in rows(CHUNK_ROWS * 2):
            yield made
            seen.append(target.read_bytes() == before)

    write(target, watched())
    assert all(seen)
    assert target.read_bytes() != before
    write(target, rows(10))
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


def test_what_is_committed_stays(target: Path) -> None:
    def run() -> None:
        with Output.of(str(target)).open() as sink:
            sink.write(rows(10))
            sink.commit()
            raise Stop

    with pytest.raises(Stop):
        run()
    assert list(target.parent.iterdir()) == [target]


def test_two_at_once_are_two_files_and_the_last_stands(target: Path) -> None:
    with Output.of(str(target)).open() as first, Output.of(str(target)).open() as second:
        first.write(rows(10))
        second.write(rows(20))
        second.commit()
        between = target.read_bytes()
        first.commit()
    assert target.read_bytes() != between
    assert list(target.parent.iterdir()) == [target]


# Failures of the storage


class Full(MemoryFileSystem):  # type: ignore[misc]  # fsspec is without types
    """A storage that breaks down, at one of several points."""

    protocol = "full"
    cachable = False

    def __init__(self, breaks: str) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.breaks = breaks

    def _fail(self, point: str) -> None:
        if point == self.breaks:
            raise OSError(28, "No space left on device")

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        opened = super().open(path, mode, **kwargs)
        if mode == "wb":
            write, close = opened.write, opened.close

            def failing_write(data: bytes) -> int:
                self._fail("write")
                return int(write(data))

            def failing_close() -> None:
                # Once: the file is closed again as it is collected, where an error fails another test.
                opened.close = close
                self._fail("close")
                close()

            opened.write, opened.close = failing_write, failing_close
        return opened

    def mv(self, *args: Any, **kwargs: Any) -> None:
        self._fail("move")
        super().mv(*args, **kwargs)


@pytest.mark.parametrize(
    ("ending", "breaks"),
    [
        (".csv", "write"),
        (".parquet", "write"),
        (".csv.gz", "close"),
        (".parquet", "close"),
        (".ndjson", "move"),
    ],
)
def test_a_storage_that_breaks_down_leaves_what_was(
    monkeypatch: pytest.MonkeyPatch, ending: str, breaks: str
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    attached(monkeypatch, "memory", fs := Full("nowhere"))
    output = Output.of(f"memory://bucket/rows{ending}")
    output.write(rows(10))
    (name,) = fs.store
    before = fs.cat_file(name)
    fs.breaks = breaks
    with pytest.raises(OSError, match="No space"):
        output.write(rows(CHUNK_ROWS + 10))
    assert list(fs.store) == [name]
    assert fs.cat_file(name) == before
    if breaks != "move":
        with pytest.raises(OSError, match=f"rows{ending} cannot be written: OSError.*No space"):
            output.check()
        assert list(fs.store) == [name]


def test_a_bucket_gets_whole_objects_and_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    attached(monkeypatch, "s3", fs := Bucket(), conn_id="aws")
    output = Output.of("s3://aws@bucket/run=1/rows.csv")
    output.check()
    assert fs.names == []
    with output.open() as sink:
        sink.write(rows(10))
        assert [name.endswith(".part") for name in fs.names] == [True]
        landed = sink.commit()
    assert fs.names == ["/bucket/run=1/rows.csv"]
    # The path names the connection, however that was given.
    assert landed == {"path": "s3://aws@bucket/run=1/rows.csv", "rows": 10, "format": "csv"}
    assert Output.of("s3://bucket/run=1/rows.csv", "aws").write(rows(10)) == landed


@pytest.mark.parametrize("forbidden", ["wb", "delete"])
def test_a_missing_permission_is_reported_in_advance(monkeypatch: pytest.MonkeyPatch, forbidden: str) -> None:
    attached(monkeypatch, "s3", Bucket(forbidden=frozenset({forbidden})))
    with pytest.raises(
        OSError, match=r"s3://bucket/rows.csv cannot be written: PermissionError: Access Denied"
    ):
        Output.of("s3://bucket/rows.csv").check()


# Reported in advance


def test_a_file_for_a_folder_and_a_folder_for_a_file_are_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    (tmp_path / "taken.csv").mkdir()
    for path, error in (
        ("taken/rows.csv", "rows.csv cannot"),
        ("taken.csv", "cannot be written: IsADirectory"),
    ):
        output = Output.of(str(tmp_path / path))
        with pytest.raises(OSError, match=error):
            output.check()
        with pytest.raises(OSError):  # noqa: PT011
            output.write(rows(1))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_reported(target: Path) -> None:
    target.parent.chmod(0o500)
    with pytest.raises(OSError, match="cannot be written: PermissionError"):
        Output.of(str(target)).check()


def test_a_missing_extra_is_reported_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    output = Output.of(str(tmp_path / "new" / "rows.parquet"))
    for call in (output.check, output.open):
        with pytest.raises(
            ImportError, match=r"need pyarrow: pip install 'airflow-provider-smspartner\[parquet\]'"
        ):
            call()
    assert list(tmp_path.iterdir()) == []


# Memory


@pytest.mark.parametrize("target", [".csv.gz", ".parquet"], indirect=True)
def test_memory_does_not_grow(target: Path) -> None:
    arrow = __import__("pyarrow") if target.suffix == ".parquet" else None
    write(target, rows(10))  # what is imported and cached on first use
    base_bytes = arrow.total_allocated_bytes() if arrow else 0
    peak = 0

    def watched() -> Iterator[StatusRow]:
        nonlocal peak
        for number in range(100_000):
            yield cast("StatusRow", {**template, "message_id": str(number)})
            if arrow and number % 10_000 == 0:
                peak = max(peak, arrow.total_allocated_bytes() - base_bytes)

    template = row(1)
    tracemalloc.start()
    try:
        write(target, watched())
        _, python_peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Held in a list they would be 40 MB.
    assert python_peak < 6_000_000
    assert peak < 30_000_000
