"""`make release-check`: a release that is in order passes, and each check fails once its thing is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest
from distributions import ROOT, build, enter

import release_check
from addresses import stale
from airflow_provider_smspartner import __version__
from release_check import CHECKS, NotOkError, Release

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


@pytest.fixture
def release(in_order: Path, tmp_path: Path) -> Release:
    """A copy that a test may break."""
    root = tmp_path / "copy"
    shutil.copytree(in_order, root, symlinks=True)
    return Release(root, root / "dist", TODAY)


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
def test_all_that_is_amiss_is_reported_at_once(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(release.dist)

    assert not release_check.judge(release)
    out = capsys.readouterr().out
    assert all(re.search(rf"^(ok|NOT OK) +{re.escape(name)} ", out, re.MULTILINE) for name in CHECKS)
    assert "NOT OK  dist/" in out
    assert "NOT OK  two builds" in out


@dataclass(frozen=True)
class Broken:
    """What is done to a release, and what the check then says."""

    check: str
    do: Callable[[Release], object]
    says: str

    def __str__(self) -> str:
        return f"{self.check}: {self.says}"


def in_changelog(heading: str) -> Callable[[Release], object]:
    return lambda release: rewrite(release.root / "CHANGELOG.md", r"^## .*", heading)


def in_metadata(pattern: str, replacement: str) -> Callable[[Release], object]:
    def change(release: Release) -> None:
        text = str(release.metadata)
        changed = re.sub(pattern, lambda _: replacement, text, count=1, flags=re.MULTILINE)
        assert changed != text
        vars(release)["metadata"] = message_from_string(changed)

    return change


def with_version(version: str) -> Callable[[Release], object]:
    return lambda release: rewrite(
        release.root / "airflow_provider_smspartner" / "__init__.py",
        r"^__version__ = .*",
        f'__version__ = "{version}"',
    )


def packed(name: str) -> Callable[[Release], object]:
    def add(release: Release) -> None:
        with ZipFile(release.files[0], "a") as archive:
            archive.writestr(name, "")

    return add


def left_out(name: str) -> Callable[[Release], object]:
    def leave_out(release: Release) -> None:
        wheel = release.files[0]
        old = wheel.rename(wheel.with_suffix(".old"))
        with ZipFile(old) as source, ZipFile(wheel, "w") as target:
            for each in source.namelist():
                if each != name:
                    target.writestr(each, source.read(each))

    return leave_out


def tagged_before(release: Release) -> None:
    git(release.root, "tag", "--annotate", f"v{__version__}", "--message", "Too early")
    commit(release.root)


def without_readme(release: Release) -> None:
    (release.root / "README.md").write_text("")
    build(release.root, release.dist)


def one_byte_more(release: Release) -> None:
    sdist = release.files[1]
    sdist.write_bytes(sdist.read_bytes() + b"\0")


def entered(key: str, value: str) -> Callable[[Release], object]:
    def enter_and_write(release: Release) -> None:
        enter(release.root, key, value)
        write_addresses(release.root)

    return enter_and_write


def emptied(release: Release) -> None:
    for key in KNOWN:
        enter(release.root, key, "")
    write_addresses(release.root)


@pytest.mark.parametrize(
    "broken",
    [
        Broken("dist/", lambda release: (release.dist / "other-1.0.tar.gz").touch(), "there are .*other-1.0"),
        Broken("version", with_version("9.0rc1"), "no version for a release"),
        Broken("version", in_metadata(r"^Version: .*", "Version: 9.0"), "the wheel says 9.0"),
        Broken("changelog", in_changelog(f"## {__version__}, unreleased"), "'unreleased', not YYYY-MM-DD"),
        Broken("changelog", in_changelog(f"## {__version__}, 2027-02-01"), "which is to come"),
        Broken("changelog", in_changelog("## 9.0, 2026-11-27"), "first heading"),
        Broken("working tree", lambda release: (release.root / "new.py").touch(), "new.py"),
        Broken("tag", tagged_before, "is another commit"),
        Broken("classifiers", in_metadata("^Classifier: Typing.*", "Classifier: Fast"), "unknown: .'Fast'"),
        Broken("Pythons", in_metadata("^Requires-Python: .*", "Requires-Python: >=3.10"), "requires-python"),
        Broken("twine check", without_readme, "long_description"),
        Broken("wheel", packed("airflow/__init__.py"), "airflow"),
        Broken("wheel", packed("airflow_provider_smspartner/notes.txt"), "notes.txt"),
        Broken("wheel", left_out("airflow_provider_smspartner/models.py"), "models.py"),
        Broken("README links", in_metadata("^# air", "[x](docs/await.md)\n\n# air"), "docs/await.md"),
        Broken("addresses", emptied, "is empty: repository, documentation, security, conduct, owners"),
        Broken("addresses", lambda each: enter(each.root, "owners", "@new"), "has not written .*CODEOWNERS"),
        Broken("addresses", entered("security", "a friend"), "security is neither a form"),
        Broken("two builds", one_byte_more, r"other bytes: .*\.tar\.gz$"),
    ],
    ids=str,
)
def test_what_is_broken_is_reported(release: Release, broken: Broken) -> None:
    check = CHECKS[broken.check]
    check(release)
    fresh = Release(release.root, release.dist, TODAY)

    broken.do(fresh)

    with pytest.raises((NotOkError, OSError), match=broken.says):
        check(fresh)


def test_every_check_is_broken_once() -> None:
    (mark,) = (each for each in test_what_is_broken_is_reported.pytestmark if each.name == "parametrize")  # type: ignore[attr-defined]
    assert {each.check for each in mark.args[1]} == CHECKS.keys()


def test_a_tag_on_this_commit_is_fine(release: Release) -> None:
    assert CHECKS["tag"](release) == f"this clone has no v{__version__} yet"

    git(release.root, "tag", "--annotate", f"v{__version__}", "--message", "Released")

    assert CHECKS["tag"](replace(release, pushed=f"v{__version__}")) == f"v{__version__} is this commit"


def test_the_notes_of_a_release_are_its_part_of_the_changelog(release: Release) -> None:
    changelog = release.root / "CHANGELOG.md"
    changelog.write_text(
        f"# Changelog\n\n## {__version__}, 2026-11-27\n\n- New.\n\n## 0.0.1, 2026-01-01\n\n- Old.\n"
    )

    assert release.notes == f"## {__version__}, 2026-11-27\n\n- New."
