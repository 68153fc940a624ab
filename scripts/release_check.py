"""`make release-check`: whether what `make build` has built may be released, and if not, everything that is amiss."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from markdown_it import MarkdownIt
from packaging.version import Version
from trove_classifiers import classifiers, deprecated_classifiers

from addresses import Addresses, stale

ROOT = Path(__file__).parent.parent
PACKAGE = "airflow_provider_smspartner"
HEADING = re.compile(r"^## (?P<version>\S+), (?P<date>.*)$", re.MULTILINE)
PYTHON = "Programming Language :: Python :: "
_MAIL = r"[^@\s]+@[^@\s]+"


class NotOkError(Exception):
    """What a check has found amiss."""


@dataclass(frozen=True)
class Release:
    """A checkout, and what was built of it."""

    root: Path
    """The checkout."""
    dist: Path
    """The folder with its wheel and its sdist."""
    today: date
    pushed: str = ""
    """The tag that was pushed to release it, if one was."""

    @cached_property
    def project(self) -> dict[str, Any]:
        """All of pyproject.toml."""
        return tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))

    @cached_property
    def version(self) -> str:
        """The version that the package says it has."""
        source = (self.root / PACKAGE / "__init__.py").read_text(encoding="utf-8")
        found = re.search(r'^__version__ = "(.*)"$', source, re.MULTILINE)
        if not found:
            raise NotOkError(f"{PACKAGE}/__init__.py names no version")
        return found[1]

    @property
    def files(self) -> list[Path]:
        """The wheel and the sdist, which may be missing."""
        return [
            self.dist / f"{PACKAGE}-{self.version}{ending}" for ending in ("-py3-none-any.whl", ".tar.gz")
        ]

    @cached_property
    def metadata(self) -> Message:
        """The metadata of the wheel."""
        with ZipFile(self.files[0]) as archive:
            return message_from_bytes(archive.read(f"{PACKAGE}-{self.version}.dist-info/METADATA"))

    def git(self, *arguments: str) -> str:
        """Return what git says of the checkout."""
        return self.run("git", *arguments).rstrip()

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Return what a command prints; what it prints when it fails is what is amiss."""
        done = subprocess.run(command, cwd=cwd or self.root, check=False, capture_output=True, text=True)
        if done.returncode:
            raise NotOkError((done.stdout + done.stderr).strip() or f"{command[0]} failed")
        return done.stdout

    @cached_property
    def notes(self) -> str:
        """What the changelog says of this version."""
        text = (self.root / "CHANGELOG.md").read_text(encoding="utf-8")
        found = HEADING.search(text)
        if not found or found["version"] != self.version:
            raise NotOkError(f"the first heading of CHANGELOG.md is not ## {self.version}, YYYY-MM-DD")
        following = HEADING.search(text, found.end())
        return text[found.start() : following.start() if following else None].strip()


def check_version(release: Release) -> str:
    """Return the version, which is a release's, and is that of the built metadata."""
    version = Version(release.version)
    if version.is_prerelease or version.local or str(version) != release.version:
        raise NotOkError(f"{release.version} is no version for a release")
    if release.metadata["Version"] != release.version:
        raise NotOkError(f"the wheel says {release.metadata['Version']}, the package {release.version}")
    return release.version


def check_dist(release: Release) -> str:
    """Return that nothing but the wheel and the sdist would be uploaded."""
    there = sorted(path.name for path in release.dist.iterdir() if not path.name.startswith("."))
    wanted = sorted(path.name for path in release.files)
    if there != wanted:
        raise NotOkError(f"there are {', '.join(there) or 'no files'}, and wanted are {', '.join(wanted)}")
    return "a wheel and an sdist"


def check_changelog(release: Release) -> str:
    """Return the date of this version, which is not to come."""
    found = HEADING.match(release.notes)
    said = found["date"] if found else ""
    try:
        day = date.fromisoformat(said)
    except ValueError:
        raise NotOkError(f"CHANGELOG.md dates {release.version} {said!r}, not YYYY-MM-DD") from None
    if day > release.today:
        raise NotOkError(
            f"CHANGELOG.md dates {release.version} {day}, which is to come: today is {release.today}"
        )
    return f"{release.version} of {day}"


def check_working_tree(release: Release) -> str:
    """Return the commit that everything is of."""
    if changes := release.git("status", "--porcelain"):
        raise NotOkError(f"not all is committed:\n{changes}")
    return f"clean, at {release.git('rev-parse', '--short', 'HEAD')}"


def check_tag(release: Release) -> str:
    """Return the tag of this version, which names this commit, if this clone has it; no other was pushed."""
    tag = f"v{release.version}"
    if release.pushed not in ("", tag):
        raise NotOkError(f"{release.pushed} was pushed, and the tag of {release.version} is {tag}")
    if not release.git("tag", "--list", tag):
        return f"this clone has no {tag} yet"
    if release.git("rev-parse", f"{tag}^{{commit}}") != release.git("rev-parse", "HEAD"):
        raise NotOkError(f"{tag} is another commit: {release.git('log', '-1', '--format=%h %s', tag)}")
    return f"{tag} is this commit"


def check_classifiers(release: Release) -> str:
    """Return how many classifiers there are, all of which a package index knows."""
    said = release.metadata.get_all("Classifier") or []
    unknown = [each for each in said if each not in classifiers]
    old = [each for each in said if each in deprecated_classifiers]
    if unknown or old or not said:
        raise NotOkError(f"unknown: {unknown}, deprecated: {old}, of {len(said)}")
    return f"{len(said)} are known"


def check_pythons(release: Release) -> str:
    """Return the Pythons, which are those that the matrix tests."""
    versions = tomllib.loads((release.root / "constraints" / "versions.toml").read_text(encoding="utf-8"))
    tested = sorted(
        {each for airflow in versions["airflow"].values() for each in airflow["pythons"]}, key=Version
    )
    said = release.metadata.get_all("Classifier") or []
    pythons = [each.removeprefix(PYTHON) for each in said if re.fullmatch(rf"{PYTHON}\d+\.\d+", each)]
    if pythons != tested:
        raise NotOkError(f"the classifiers say {pythons}, constraints/versions.toml {tested}")
    if release.metadata["Requires-Python"] != f">={tested[0]}":
        raise NotOkError(
            f"requires-python is {release.metadata['Requires-Python']}, the oldest tested {tested[0]}"
        )
    return ", ".join(pythons)


def check_twine(release: Release) -> str:
    """Return that twine has no objection and no warning."""
    release.run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *release.files)
    return "no objection, no warning"


def check_wheel(release: Release) -> str:
    """Return how many files the wheel holds: all of the package, its metadata, and nothing beside them."""
    wheel, info = release.files[0], f"{PACKAGE}-{release.version}.dist-info"
    release.run(
        *(sys.executable, "-m", "check_wheel_contents", "--no-config"),
        *("--toplevel", PACKAGE, "--package", release.root / PACKAGE, wheel),
    )
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    tracked = set(release.git("ls-files", PACKAGE).splitlines())
    wanted = {
        f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    if held != tracked | wanted:
        raise NotOkError(
            f"missing: {sorted((tracked | wanted) - held)}, not wanted: {sorted(held - tracked - wanted)}"
        )
    if f"{PACKAGE}/py.typed" not in held:
        raise NotOkError("py.typed is missing: no type checker would read the annotations")
    with ZipFile(wheel) as archive:
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    for group in ("apache_airflow_provider", "pytest11"):
        if f"[{group}]" not in entry_points:
            raise NotOkError(f"there is no entry point for {group}")
    return f"{len(held)} files, {wheel.stat().st_size:,} bytes; the sdist {release.files[1].stat().st_size:,}"


def check_links(release: Release) -> str:
    """Return how many links the README has on a package index: none is relative."""
    tokens = MarkdownIt().parse(str(release.metadata.get_payload()))
    inline = [child for token in tokens for child in token.children or []]
    html = [each.content for each in [*tokens, *inline] if each.type.startswith("html_")]
    if tags := [tag for text in html for tag in re.findall(r"<(?:a|img|picture|source)\b[^>]*>", text)]:
        raise NotOkError(f"the build reads links and pictures in Markdown alone: {tags}")
    targets = [str(target) for each in inline if (target := each.attrs.get("href") or each.attrs.get("src"))]
    if relative := [target for target in targets if not target.startswith(("https://", "#"))]:
        raise NotOkError(f"they lead nowhere on a package index: {relative}")
    return f"{len(targets)} links and pictures, none is relative"


def check_addresses(release: Release) -> str:
    """Return that the table of addresses is filled in, and that the files agree with it."""
    if files := list(stale(release.root)):
        raise NotOkError(f"`make addresses` has not written {', '.join(files)}")
    addresses = Addresses.read(release.root)
    if addresses.empty:
        raise NotOkError(
            f"[tool.smspartner.addresses] in pyproject.toml is empty: {', '.join(addresses.empty)}"
        )
    wrong = [
        each for each in (addresses.repository, addresses.documentation) if not each.startswith("https://")
    ]
    if wrong or addresses.repository.endswith("/") or not addresses.documentation.endswith("/"):
        raise NotOkError(
            f"https, no slash at the repository's end, one at the documentation's: {addresses.repository}, "
            f"{addresses.documentation}"
        )
    if not (addresses.security.startswith("https://") or re.fullmatch(_MAIL, addresses.security)):
        raise NotOkError(
            f"security is neither a form, with https, nor an e-mail address: {addresses.security}"
        )
    if not re.fullmatch(_MAIL, addresses.conduct):
        raise NotOkError(f"conduct is no e-mail address: {addresses.conduct}")
    # GitHub passes over a line of CODEOWNERS that names anything else, and asks nobody.
    if not re.fullmatch(r"(@\S+ ?)+", addresses.owners):
        raise NotOkError(f"owners are @account or @organisation/team: {addresses.owners}")
    return "all are filled in, and every file shows them"


def check_builds(release: Release) -> str:
    """Return the hashes, which another build of this commit in another folder gives as well."""
    with tempfile.TemporaryDirectory() as folder:
        archive, sources, out = (Path(folder) / name for name in ("sources.tar", "sources", "dist"))
        release.git("archive", "--output", str(archive), "HEAD")
        with tarfile.open(archive) as packed:
            packed.extractall(sources, filter="data")
        release.run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=sources)
        differ = [path.name for path in release.files if path.read_bytes() != (out / path.name).read_bytes()]
    if differ:
        raise NotOkError(f"a build of what is committed gives other bytes: {', '.join(differ)}")
    sums = [f"\n{sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in release.files]
    return f"the same bytes{''.join(sums)}"


CHECKS: dict[str, Callable[[Release], str]] = {
    "dist/": check_dist,
    "version": check_version,
    "changelog": check_changelog,
    "working tree": check_working_tree,
    "tag": check_tag,
    "classifiers": check_classifiers,
    "Pythons": check_pythons,
    "twine check": check_twine,
    "wheel": check_wheel,
    "README links": check_links,
    "addresses": check_addresses,
    "two builds": check_builds,
}


def judge(release: Release) -> bool:
    """Print how each check ends, and return whether all are ok."""
    all_ok = True
    for name, check in CHECKS.items():
        try:
            verdict, said = "ok", check(release)
        except (NotOkError, OSError) as error:
            verdict, said, all_ok = "NOT OK", str(error), False
        print(f"{verdict:8}{name:14}{said}".replace("\n", "\n" + " " * 22), flush=True)
    return all_ok


def main() -> None:
    """Check, and exit with 1 if anything is not ok; with `--notes` print what the changelog says instead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", action="store_true", help="print what the changelog says of this version")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout than this")
    arguments = parser.parse_args()
    root: Path = arguments.root.resolve()
    release = Release(root, root / "dist", datetime.now(UTC).date(), os.environ.get("TAG", ""))
    if arguments.notes:
        print(release.notes)
    elif not judge(release):
        sys.exit(f"\n{release.version} may not be released.")
    else:
        print(f"\n{release.version} may be released.")


if __name__ == "__main__":
    main()
