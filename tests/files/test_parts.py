"""Files in the making: nobody else's to read, and removed by the next run if theirs has died."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import environment_of_the_tests, killed_after
from files.rows import rows
from files.stores import Bucket, attached

from airflow_provider_smspartner._files.output import CHUNK_ROWS, Output

LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's list of processes")
OLD = time.time() - 90_000


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_file_in_the_making_is_its_owners_alone(tmp_path: Path, mask: int) -> None:
    target = tmp_path / "rows.csv"
    with umask(mask):
        with Output.of(str(target)).open() as sink:
            sink.write(rows(CHUNK_ROWS))
            (part,) = target.parent.iterdir()
            assert mode(part) == 0o600
            sink.commit()
        assert list(target.parent.iterdir()) == [target]
        # As any other new file.
        (plain := target.parent / "plain").write_text("")
        assert mode(target) == mode(plain) == 0o666 & ~mask


@pytest.mark.parametrize("kept", [0o600, 0o664])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, kept: int) -> None:
    (target := tmp_path / "rows.csv").write_text("")
    target.chmod(kept)
    Output.of(str(target)).write(rows(3))
    assert mode(target) == kept


@pytest.mark.parametrize("ending", [".csv.gz", ".parquet"])
def test_an_abandoned_file_is_gone_at_once_and_never_published(tmp_path: Path, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    target = tmp_path / f"rows{ending}"
    Output.of(str(target)).write(rows(3))
    before = target.read_bytes()
    with Output.of(str(target)).open() as sink:
        sink.write(rows(CHUNK_ROWS + 1))
        sink.abandon()
        assert list(target.parent.iterdir()) == [target]
        for step in (lambda: sink.write(rows(1)), sink.commit):
            with pytest.raises(ValueError, match="already"):
                step()
        sink.abandon()
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == before


DIES = """
import os, sys
from files.rows import rows
from airflow_provider_smspartner._files.output import Output
sink = Output.of(sys.argv[1]).open()
sink.write(rows(2_000))
print("underway", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_run(target: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have another process write the same file, until it is killed here."""
    with subprocess.Popen(
        [sys.executable, "-c", DIES, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment_of_the_tests(),
    ) as process:
        try:
            assert process.stdout is not None
            with killed_after(process, 300):
                assert any(b"underway" in line for line in process.stdout)
            yield process
        finally:
            process.kill()


@LINUX
def test_the_next_run_removes_what_a_killed_one_has_left(tmp_path: Path) -> None:
    target, other = tmp_path / "rows.ndjson", tmp_path / "rows.ndjson.gz"
    Output.of(str(target)).write(rows(10))
    before = target.read_bytes()
    with another_run(target) as process:
        (part,) = {*tmp_path.iterdir()} - {target}
        assert (part.name[0], part.suffix, mode(part)) == (".", ".part", 0o600)
        assert target.read_bytes() == before
        # While it lives, it is let alone, however old it is.
        os.utime(part, (OLD, OLD))
        Output.of(str(target)).write(rows(3))
        assert set(tmp_path.iterdir()) == {part, target}
        process.send_signal(signal.SIGKILL)
        process.wait()
    # Nor does a run of another target remove it.
    Output.of(str(other)).write(rows(3))
    assert set(tmp_path.iterdir()) == {part, target, other}
    Output.of(str(target)).write(rows(3))
    assert set(tmp_path.iterdir()) == {target, other}


def name_of(space: str | None, pid: int, start: str) -> str:
    return f".rows.csv.{space}-{pid}-{start}-0123456789ab.part"


@pytest.mark.parametrize(
    ("where", "name", "old", "stays"),
    [
        ("folder", name_of("00000000", 1, "1"), False, True),  # another host's: it may live
        ("folder", name_of("00000000", 1, "1"), True, False),
        ("bucket", ".rows.csv.0123456789ab.part", False, True),  # where no owner can be told
        ("bucket", ".rows.csv.0123456789ab.part", True, False),
        ("bucket", ".rows.csv.gz.0123456789ab.part", True, True),  # another target's
        ("folder", ".rows.csv.part", True, True),  # none of ours
        ("folder", "rows.csv.0123456789ab.part", True, True),
    ],
)
def test_what_cannot_be_known_to_be_dead_is_removed_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, where: str, name: str, old: bool, stays: bool
) -> None:
    if where == "folder":
        part = tmp_path / name
        part.write_text("")
        os.utime(part, (OLD, OLD) if old else None)
        Output.of(str(tmp_path / "rows.csv")).write(rows(1))
        assert part.exists() == stays
        return
    attached(monkeypatch, "s3", fs := Bucket())
    fs.pipe_file(f"/bucket/day=1/{name}", b"x")
    if old:
        fs.store[f"/bucket/day=1/{name}"].modified = datetime.now(UTC) - timedelta(hours=25)
    Output.of("s3://bucket/day=1/rows.csv").write(rows(1))
    assert fs.exists(f"/bucket/day=1/{name}") == stays
