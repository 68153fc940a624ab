"""`make release-check`: what twine and check-wheel-contents do not ask before a release. With `--notes`, its notes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.version import Version

ROOT = Path.cwd()
PACKAGE = "airflow_provider_smspartner"
HEADING = re.compile(r"^## (?P<version>\S+), (?P<date>.*)$", re.MULTILINE)
URLS = {"Documentation", "Repository", "Issues", "Changelog", "Security"}
NO_HOME = "has no public home yet"


def main() -> None:
    """Print everything that is amiss, and exit with 1 if anything is."""
    if sys.argv[1:] == ["--notes"]:
        print(notes())
        return
    faults = [*of_version(), *of_checkout(), *of_addresses(), *of_files()]
    if faults:
        sys.exit("\n".join(f"NOT OK: {each}" for each in faults))
    print(f"{version()} may be released.")


def version() -> str:
    """Return the version that the package says it has."""
    (found,) = re.findall(r'^__version__ = "(.*)"$', read(f"{PACKAGE}/__init__.py"), re.MULTILINE)
    return str(found)


def notes() -> str:
    """Return the newest part of the changelog."""
    found = re.search(r"^## .*?(?=^## |\Z)", read("CHANGELOG.md"), re.DOTALL | re.MULTILINE)
    return found[0].strip() if found else ""


def of_version() -> Iterator[str]:
    """Yield what is wrong with the version, its tag and its date."""
    this = Version(version())
    if this.is_prerelease or this.local:
        yield f"{this} is no version for a release"
    if (pushed := os.environ.get("TAG", "")) not in ("", f"v{this}"):
        yield f"{pushed} was pushed, and the tag of {this} is v{this}"
    heading = HEADING.match(notes())
    if not heading or heading["version"] != str(this):
        yield f"the first heading of CHANGELOG.md is not ## {this}, YYYY-MM-DD"
        return
    try:
        is_to_come = date.fromisoformat(heading["date"]) > datetime.now(UTC).date()
    except ValueError:
        yield f"CHANGELOG.md dates {this} {heading['date']!r}, not YYYY-MM-DD"
    else:
        if is_to_come:
            yield f"CHANGELOG.md dates {this} {heading['date']}, which is to come"


def of_checkout() -> Iterator[str]:
    """Yield what is not committed, and what is claimed and not tested."""
    if changes := run("git", "status", "--porcelain"):
        yield f"not all is committed:\n{changes}"
    tested = tomllib.loads(read("constraints/versions.toml"))["airflow"].values()
    pythons = {each for airflow in tested for each in airflow["pythons"]}
    said = set(re.findall(r'"Programming Language :: Python :: (\d+\.\d+)"', read("pyproject.toml")))
    if said != pythons:
        yield f"the classifiers say {sorted(said)}, constraints/versions.toml {sorted(pythons)}"


def of_addresses() -> Iterator[str]:
    """Yield what has no address yet."""
    if missing := URLS - tomllib.loads(read("pyproject.toml"))["project"]["urls"].keys():
        yield f"[project.urls] in pyproject.toml lacks {', '.join(sorted(missing))}"
    homeless = run("git", "grep", "--files-with-matches", NO_HOME, "--", "*.md", "*.cff", ".github", code=1)
    if homeless:
        yield f"these say that the project {NO_HOME}:\n{homeless}"


def of_files() -> Iterator[str]:
    """Yield what is built and is not what would be built of the commit."""
    with tempfile.TemporaryDirectory() as folder:
        archive, sources, out = (Path(folder) / name for name in ("sources.tar", "sources", "dist"))
        run("git", "archive", "--output", str(archive), "HEAD")
        with tarfile.open(archive) as packed:
            packed.extractall(sources, filter="data")
        run(sys.executable, "-m", "hatchling", "build", "-d", str(out), cwd=sources)
        there, again = ({each.name: each.read_bytes() for each in d.iterdir()} for d in (ROOT / "dist", out))
    there.pop(".gitignore", None)
    if there.keys() != again.keys():
        yield f"dist/ has {sorted(there)}, and a build gives {sorted(again)}"
    elif differ := [name for name in there if there[name] != again[name]]:
        yield f"a build of what is committed gives other bytes: {', '.join(differ)}"


def read(path: str) -> str:
    """Return the text of a file of the checkout."""
    return (ROOT / path).read_text(encoding="utf-8")


def run(*command: str, cwd: Path = ROOT, code: int = 0) -> str:
    """Return what a command prints; `code` is another one that it may end with."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode not in (0, code):
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.rstrip()


if __name__ == "__main__":
    main()
