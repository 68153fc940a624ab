"""`make release-check`: a release that is in order passes, and each check fails once its thing is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest
from distributions import ROOT, build, enter

import release_check
from addresses import stale
from airflow_provider_smspartner import __version__
from release_check import CHECKS, Release

pytestmark = pytest.mark.xdist_group("release-check")

TODAY = date(2027, 1, 31)
KNOWN = {
    "repository": "https://example.com/owner/provider",
    "documentation": "https://example.com/docs/",
    "security": "security@example.com",
    "conduct": "conduct@example.com",
    "owners": "@owner",
}


def git(folder: Path, *arguments: str) -> str:
    command = shutil.which("git")
    if command is None:
        pytest.skip("git is not installed.")
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run([command, *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own with the files of this one, ready for a release, and what was built of it."""
    for module in ("check_wheel_contents", "twine", "trove_classifiers"):
        pytest.importorskip(module, reason=f"{module} is of the group release, which `make test` installs")
    if not (ROOT / ".git").exists():
        pytest.skip("This is no git checkout.")
    folder = tmp_path_factory.mktemp("repository")
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for key, value in KNOWN.items():
        enter(folder, key, value)
    write_addresses(folder)
    rewrite(folder / "CHANGELOG.md", r"^## (\S+), .*", r"## \1, 2026-11-27")
    git(folder, "init", "--quiet")
    commit(folder)
    build(folder, folder / "dist")
    return folder


def write_addresses(root: Path) -> None:
    """Do what `make addresses` does, in another checkout."""
    for path, text in stale(root).items():
        (root / path).write_text(text)


def rewrite(path: Path, pattern: str, replacement: str) -> None:
    text, times = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    assert times == 1
    path.write_text(text)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "All of it")


def run(root: Path, tag: str = "") -> tuple[int, list[str]]:
    """Return how the command ends for a checkout, perhaps for a tag that was pushed, and its lines."""
    done = subprocess.run(
        [sys.executable, release_check.__file__, "--root", root],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TAG": tag},
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_a_release_in_order_passes(in_order: Path) -> None:
    code, lines = run(in_order)

    assert [line for line in lines if line.startswith("NOT OK")] == []
    assert len([line for line in lines if line.startswith("ok ")]) == len(CHECKS)
    assert lines[-1] == f"{__version__} may be released."
    assert code == 0


@pytest.mark.nightly
def test_another_tag_than_that_of_the_version_fails(in_order: Path) -> None:
    code, lines = run(in_order, tag="v9.0")

    assert [line.split()[2] for line in lines if line.startswith("NOT OK")] == ["tag"]
    assert lines[-1] == f"{__version__} may not be released."
    assert code == 1


def test_addresses_that_are_entered_are_in_the_metadata(in_order: Path) -> None:
    metadata = Release(in_order, in_order / "dist", TODAY).metadata

    assert metadata.get_all("Project-URL") == [
        "Documentation, https://example.com/docs/",
        "Changelog, https://example.com/docs/changelog.html",
        "Repository, https://example.com/owner/provider",
        "Issues, https://example.com/owner/provider/issues",
        "SMS Partner API, https://www.docpartner.dev/",
    ]
    assert "](https://example.com/docs/" in str(metadata.get_payload())


@pytest.mark.nightly
def test_all_that_is_amiss_is_reported_at_once(in_order: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(in_order, root, symlinks=True)
    rewrite(root / "CHANGELOG.md", r"^## .*", f"## {__version__}, unreleased")
    enter(root, "security", "a friend")
    write_addresses(root)
    (root / "dist" / "other-1.0.tar.gz").touch()
    with ZipFile(Release(root, root / "dist", TODAY).files[0], "a") as wheel:
        wheel.writestr("airflow/__init__.py", "")

    code, lines = run(root)

    amiss = {line.split("  ")[1].strip() for line in lines if line.startswith("NOT OK")}
    assert amiss == {"dist/", "changelog", "working tree", "wheel", "addresses", "two builds"}
    assert code == 1
