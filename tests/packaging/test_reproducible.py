"""Two builds give the same bytes: who has the sources can check what was uploaded."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from distributions import build, copy_of_the_checkout, hashes


@pytest.fixture(autouse=True)
def without_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    # Who sets it chooses the date of all files.
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def test_two_builds_give_the_same_files(dist: Path, tmp_path: Path, tell: Callable[[str], None]) -> None:
    other = copy_of_the_checkout(tmp_path / "another folder")
    for number, path in enumerate(sorted(other.rglob("*"), reverse=True)):
        # As somebody else's git may have checked them out.
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))

    old = os.umask(0o077)
    try:
        again = build(
            other, tmp_path / "again", env={"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
        )
    finally:
        os.umask(old)

    assert len(hashes(dist)) == 2
    assert hashes(again) == hashes(dist)
    for name, value in hashes(dist).items():
        tell(f"sha256 {value} {name}")


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(dist: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()

    from_sdist = hashes(build(unpacked, tmp_path / "built", targets="wheel"))

    assert len(from_sdist) == 1
    assert from_sdist.items() <= hashes(dist).items()


def test_another_source_gives_another_wheel(dist: Path, tmp_path: Path) -> None:
    other = copy_of_the_checkout(tmp_path / "other")
    (other / "airflow_provider_smspartner" / "py.typed").write_text("changed\n")

    changed = hashes(build(other, tmp_path / "built"))

    assert changed.keys() == hashes(dist).keys()
    assert not changed.items() & hashes(dist).items()
