"""What the wheel and the sdist hold, and that two builds are the same."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable
from email import message_from_string
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from distributions import ROOT, build, copy_of_the_checkout, hashes
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

from airflow_provider_smspartner import __version__

PACKAGE = Path("airflow_provider_smspartner")
DIST_INFO = f"airflow_provider_smspartner-{__version__}.dist-info"


def targets_of(readme: str) -> list[str]:
    """Return what a text in Markdown links to or shows; HTML is refused, for the build does not read it."""
    assert not re.findall(r"<(?:a|img|picture|source)\b", readme)
    tokens = [child for token in MarkdownIt().parse(readme) for child in token.children or []]
    found = [token.attrs.get("href") or token.attrs.get("src") for token in tokens]
    return [str(target) for target in found if target]


@pytest.fixture
def distribution(installed: Path) -> Distribution:
    return Distribution.at(installed / DIST_INFO)


@pytest.fixture
def metadata(distribution: Distribution) -> Message:
    return message_from_string(distribution.read_text("METADATA") or "")


def test_the_wheel_holds_every_module_and_nothing_beside_the_package(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        files = set(archive.namelist())

    # Above all no folder `airflow`: it would hide, or be hidden by, Airflow itself.
    assert {name.split("/")[0] for name in files} == {str(PACKAGE), DIST_INFO}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / PACKAGE).rglob("*.py")}
    packed = {name for name in files if name.startswith(f"{PACKAGE}/")}
    assert packed == modules | {f"{PACKAGE}/py.typed"}


def test_airflow_and_pytest_find_their_entry_points(distribution: Distribution) -> None:
    found = {(entry.group, entry.name): entry.value for entry in distribution.entry_points}
    assert found == {
        ("apache_airflow_provider", "provider_info"): f"{PACKAGE}.provider_info:get_provider_info",
        ("pytest11", "smspartner"): f"{PACKAGE}.testing.plugin",
    }


def test_the_metadata_names_version_python_and_license(metadata: Message) -> None:
    assert metadata["Name"] == "airflow-provider-smspartner"
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_metadata_has_the_readme_with_no_link_into_the_repository(metadata: Message) -> None:
    # Airflow takes `Documentation` for the provider's own.
    assert metadata.get_all("Project-URL") == ["SMS Partner API, https://www.docpartner.dev/"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    readme, source = str(metadata.get_payload()), (ROOT / "README.md").read_text()
    targets = targets_of(readme)
    assert "https://www.smspartner.fr/" in targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    # A link into it has become its text, and code is as it was.
    assert "and how a release is made;\nSECURITY.md how to report" in readme
    fences = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
    assert fences.findall(readme) == fences.findall(source) != []


def test_dependencies_admit_every_supported_airflow(metadata: Message) -> None:
    required = {each.name: each for each in map(Requirement, metadata.get_all("Requires-Dist") or [])}
    assert all(required["apache-airflow"].specifier.contains(v) for v in ("2.11.0", "3.0.0", "3.3.2"))
    # Older ones have no `airflow.providers.common.compat.sdk`.
    assert not required["apache-airflow-providers-common-compat"].specifier.contains("1.22.0")
    assert {name for name, each in required.items() if each.marker is None} == {
        "aiohttp",
        "apache-airflow",
        "apache-airflow-providers-common-compat",
        "asgiref",
        "msgspec",
        "phonenumbers",
        "requests",
        "tenacity",
        "urllib3",
    }
    assert str(required["pytest"].marker) == 'extra == "testing"'
    assert str(required["pyarrow"].marker) == 'extra == "parquet"'
    assert str(required["apache-airflow-providers-common-sql"].marker) == 'extra == "sql"'
    assert required["apache-airflow-providers-common-sql"].extras == {"sqlalchemy"}


def test_the_sdist_holds_the_sources_and_the_tests(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}
    assert tops == {
        *(str(PACKAGE), "tests", "example_dags", "docs", "scripts"),
        *("pyproject.toml", "PKG-INFO", "LICENSE", ".gitignore"),
        *("README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"),
    }


@pytest.mark.nightly
def test_two_builds_give_the_same_files(dist: Path, tmp_path: Path, tell: Callable[[str], None]) -> None:
    # Who has the sources can check what was uploaded.
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


@pytest.mark.nightly
def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(dist: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()

    from_sdist = hashes(build(unpacked, tmp_path / "built", targets="wheel"))

    assert len(from_sdist) == 1
    assert from_sdist.items() <= hashes(dist).items()
