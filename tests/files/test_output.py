"""Landing: whole or not at all, replaced in one step, told in advance, without growing."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from commands import environment_of_the_tests, killed_after
from files.rows import ENDINGS, row, rows
from files.stores import Bucket, attached
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_smspartner._files import parquet
from airflow_provider_smspartner._files.columns import STATUS_ROWS, STOP_LIST, Column, Kind
from airflow_provider_smspartner._files.format import Row
from airflow_provider_smspartner._files.formats import Encoding
from airflow_provider_smspartner._files.output import CHUNK_ROWS, Output, Sink
from airflow_provider_smspartner._files.recipients import NumberFile
from airflow_provider_smspartner.models import DeliveryStatus, MessageStatus, Outcome, StatusRow


@pytest.fixture(params=ENDINGS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == ".parquet":
        pytest.importorskip("pyarrow")
    return tmp_path / f"rows{request.param}"


def write(path: Path, some: Any) -> Any:
    return Output.of(str(path)).write(some)


class Stop(BaseException):
    """What ends a task from outside, as a time-out does."""


def breaking_off(after: int) -> Iterator[StatusRow]:
    yield from rows(after)
    raise Stop


# What is written


def test_columns_are_those_of_a_row() -> None:
    made = MessageStatus("+33612345678", None, Outcome(status=DeliveryStatus.KO)).as_row()
    assert tuple(made) == tuple(column.name for column in STATUS_ROWS)


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


STOPPED: list[Row] = [
    {"phone_number": "+33612345678", "created_at": "2015-07-20T08:19:45+00:00"},
    {"phone_number": "+33698765432", "created_at": None},
]


def test_a_stop_list_has_columns_of_its_own(tmp_path: Path) -> None:
    for ending, wanted in {
        ".csv": "phone_number,created_at\r\n+33612345678,2015-07-20T08:19:45+00:00\r\n+33698765432,\r\n",
        ".ndjson": "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in STOPPED),
    }.items():
        for path in (tmp_path / f"stop{ending}", tmp_path / f"stop{ending}.gz"):
            landed = Output.of(str(path), table=STOP_LIST).write(STOPPED)
            content = path.read_bytes()
            assert (gzip.decompress(content) if path.suffix == ".gz" else content).decode() == wanted
            assert landed == {"path": str(path), "rows": 2, "format": ending[1:]}


def test_a_stop_list_in_parquet_holds_instants(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    Output.of(str(path := tmp_path / "stop.parquet"), table=STOP_LIST).write(STOPPED)
    instant = pa.field("created_at", pa.timestamp("us", tz="UTC"))
    assert pq.read_schema(path) == pa.schema([pa.field("phone_number", pa.string(), nullable=False), instant])
    assert pq.read_table(path).to_pylist() == [
        {"phone_number": "+33612345678", "created_at": datetime(2015, 7, 20, 8, 19, 45, tzinfo=UTC)},
        {"phone_number": "+33698765432", "created_at": None},
    ]


def test_a_table_may_have_one_column(target: Path) -> None:
    table = (Column("phone_number", Kind.TEXT, nullable=False),)
    Output.of(str(target), table=table).write({"phone_number": number} for number in ("a", "b"))
    assert list(NumberFile.of(str(target))) == ["a", "b"]


@pytest.mark.parametrize("ending", [".ndjson", ".csv"])
def test_gz_is_the_same_packed_and_reproducible(tmp_path: Path, ending: str) -> None:
    landed = write(packed := tmp_path / f"rows{ending}.gz", rows(5_000))
    write(plain := tmp_path / f"rows{ending}", rows(5_000))
    write(again := tmp_path / f"again{ending}.gz", rows(5_000))
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes() == again.read_bytes()
    assert landed["format"] == ending[1:]


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


def test_groups_of_rows_are_closed_as_they_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(parquet, "ROWS_IN_GROUP", CHUNK_ROWS * 2)
    write(path := tmp_path / "rows.parquet", rows(CHUNK_ROWS * 5 + 1))
    metadata = pq.read_metadata(path)
    sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert sizes == [CHUNK_ROWS * 2, CHUNK_ROWS * 2, CHUNK_ROWS + 1]


# Whole, or not at all


def test_running_again_replaces(target: Path) -> None:
    write(target, rows(10))
    before = target.read_bytes()
    write(target, rows(5))
    after = target.read_bytes()
    write(target, rows(10))
    assert target.read_bytes() == before != after
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(target: Path) -> None:
    write(target, rows(10))
    before = target.read_bytes()
    with pytest.raises(Stop):
        write(target, breaking_off(CHUNK_ROWS * 3))
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_no_new_file(target: Path) -> None:
    with pytest.raises(Stop):
        write(target, breaking_off(10))
    assert list(target.parent.iterdir()) == []


def test_what_is_not_committed_is_discarded(target: Path) -> None:
    write(target, rows(10))
    before = target.read_bytes()
    with Output.of(str(target)).open() as sink:
        sink.write(rows(CHUNK_ROWS + 1))
    sink.discard()  # again: nothing happens
    for call in (sink.commit, lambda: sink.write([])):
        with pytest.raises(ValueError, match="already"):
            call()
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


def test_no_pattern_for_results_finds_what_is_unfinished(target: Path) -> None:
    with Output.of(str(target)).open() as sink:
        sink.write(rows(CHUNK_ROWS))
        (unfinished,) = target.parent.iterdir()
        assert unfinished.name.startswith(".")
        assert not any(unfinished.name.endswith(ending) for ending in ENDINGS)


def test_a_reader_never_sees_half_a_file(target: Path) -> None:
    write(target, rows(CHUNK_ROWS * 2, first=1))
    new = target.read_bytes()
    write(target, rows(CHUNK_ROWS * 2))
    old = target.read_bytes()
    seen: list[bytes] = []
    done = threading.Event()

    def read() -> None:
        is_last = False
        # The last reading begins once all is written, however late this thread gets its turn.
        while not is_last:
            is_last = done.is_set()
            seen.append(target.read_bytes())
            time.sleep(0.001)

    def watched() -> Iterator[StatusRow]:
        for number, made in enumerate(rows(CHUNK_ROWS * 2, first=1)):
            yield made
            if number % 200 == 0:
                before, deadline = len(seen), time.monotonic() + 60
                # One reading may have begun before; the second has not.
                while len(seen) < before + 2 and reader.is_alive() and time.monotonic() < deadline:
                    time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        write(target, watched())
    finally:
        done.set()
        reader.join()
    assert len(seen) > 10
    assert {len(s) for s in seen} <= {len(old), len(new)}
    assert set(seen) == {old, new}
    assert seen[0] == old
    assert seen[-1] == new


KILLED = """
import sys
from files.rows import rows
from airflow_provider_smspartner._files.output import Output
sinks = [Output.of(path).open() for path in sys.argv[1:]]
for number in range(4):
    for sink in sinks:
        sink.write(rows(2_000))
print("underway", flush=True)
sys.stdin.read()
"""


def test_a_killed_run_leaves_the_old_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    targets = [tmp_path / f"rows{ending}" for ending in ENDINGS]
    for target in targets:
        write(target, rows(10))
    before = [target.read_bytes() for target in targets]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *map(str, targets)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment_of_the_tests(),
    )
    with process, killed_after(process, 60):
        # Some Airflows say more before.
        assert any(b"underway" in line for line in process.stdout or ())
        process.send_signal(signal.SIGKILL)
    assert [target.read_bytes() for target in targets] == before
    left = set(tmp_path.iterdir()) - set(targets)
    assert {name.name.rsplit(".", 2)[0] for name in left} == {f".{target.name}" for target in targets}
    assert {name.suffix for name in left} == {".part"}
    for target in targets:
        write(target, rows(5))
    assert all(target.read_bytes() != old for target, old in zip(targets, before, strict=True))


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


@pytest.mark.parametrize("breaks", ["write", "close", "move"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_storage_that_breaks_down_leaves_what_was(
    monkeypatch: pytest.MonkeyPatch, breaks: str, ending: str
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
    assert landed == {"path": "s3://aws@bucket/run=1/rows.csv", "rows": 10, "format": "csv"}


def test_the_path_in_xcom_names_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    attached(monkeypatch, "s3", fs := Bucket(), conn_id="aws")
    landed = Output.of("s3://bucket/rows.csv", "aws").write(rows(10))
    assert landed["path"] == "s3://aws@bucket/rows.csv"
    assert fs.names == ["/bucket/rows.csv"]
    Output.of(landed["path"]).write(rows(3))
    assert fs.cat_file("/bucket/rows.csv").count(b"\n") == 4


@pytest.mark.parametrize("forbidden", ["wb", "delete"])
def test_a_missing_permission_is_told_in_advance(monkeypatch: pytest.MonkeyPatch, forbidden: str) -> None:
    attached(monkeypatch, "s3", Bucket(forbidden=frozenset({forbidden})))
    with pytest.raises(
        OSError, match=r"s3://bucket/rows.csv cannot be written: PermissionError: Access Denied"
    ):
        Output.of("s3://bucket/rows.csv").check()


def test_what_cannot_be_removed_fails_nothing_that_went_well(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attached(monkeypatch, "s3", fs := Bucket(forbidden=frozenset({"delete"})))
    assert Output.of("s3://bucket/rows.csv").write(rows(10))["rows"] == 10
    assert "/bucket/rows.csv" in fs.names
    assert "could not be removed (PermissionError)" in caplog.text


# Told in advance


def test_check_leaves_nothing_but_folders(target: Path) -> None:
    nested = target.parent / "run=1" / "day=2" / target.name
    Output.of(f"file://{nested}").check()
    assert list(nested.parent.iterdir()) == []
    write(nested, rows(3))
    assert list(nested.parent.iterdir()) == [nested]


def test_check_leaves_the_old_file(target: Path) -> None:
    write(target, rows(10))
    before = target.read_bytes()
    Output.of(str(target)).check()
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


def test_a_file_for_a_folder_is_told(target: Path) -> None:
    (target.parent / "taken").write_text("")
    output = Output.of(str(target.parent / "taken" / target.name))
    with pytest.raises(OSError, match=f"{target.name} cannot be written: "):
        output.check()
    with pytest.raises(OSError):  # noqa: PT011
        output.write(rows(1))


def test_a_folder_for_a_file_is_told(target: Path) -> None:
    target.mkdir()
    with pytest.raises(OSError, match="cannot be written: IsADirectoryError"):
        Output.of(str(target)).check()
    with pytest.raises(IsADirectoryError):
        write(target, rows(1))
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_told(target: Path) -> None:
    target.parent.chmod(0o500)
    with pytest.raises(OSError, match="cannot be written: PermissionError"):
        Output.of(str(target)).check()


@pytest.mark.parametrize(
    "path", ["rows", "rows.txt", "rows.CSV", "rows.csv.zip", "rows.parquet.gz", "rows.json", ""]
)
def test_an_unknown_ending_lists_those_that_there_are(path: str) -> None:
    known = r"one of \.ndjson, \.ndjson\.gz, \.csv, \.csv\.gz, \.parquet$"
    with pytest.raises(ValueError, match=known):
        Output.of(path)
    with pytest.raises(ValueError, match=known):
        Encoding.of(path)


@pytest.mark.parametrize("path", ["s3://bucket/*.csv", "file:///tmp/day?.csv", "gs://bucket/[a].parquet"])
def test_a_pattern_is_no_file(path: str) -> None:
    with pytest.raises(ValueError, match="must name one file"):
        Output.of(path)


def test_a_missing_extra_is_told_before_anything_is_made(
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


def test_nothing_is_looked_up_before_it_is_needed() -> None:
    Output.of("s3://no_such_connection@bucket/rows.csv", "nor_this")


def test_the_heavy_library_is_imported_where_it_is_used() -> None:
    code = (
        "import sys; import airflow_provider_smspartner._files.output, airflow_provider_smspartner._messages.from_file;"
        "print({'pyarrow'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root).endswith("set()\n")


# Memory


def test_memory_does_not_grow(target: Path) -> None:
    arrow = __import__("pyarrow") if target.suffix == ".parquet" else None
    write(target, rows(10))  # what is imported and cached on first use
    base_bytes = arrow.total_allocated_bytes() if arrow else 0
    peak = 0

    def watched() -> Iterator[StatusRow]:
        nonlocal peak
        for number in range(200_000):
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
    # Held in a list they would be 80 MB.
    assert python_peak < 6_000_000
    assert peak < 30_000_000


def test_a_sink_is_usable_without_with(tmp_path: Path) -> None:
    sink = Sink(Output.of(str(tmp_path / "rows.csv")))
    sink.write(rows(2))
    assert sink.commit()["rows"] == 2


def test_local_files_are_moved_by_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("shutil.move copies where it cannot rename")

    monkeypatch.setattr(LocalFileSystem, "mv", never)
    monkeypatch.setattr(LocalFileSystem, "cp_file", never)
    write(path := tmp_path / "rows.csv", rows(2))
    assert path.exists()
