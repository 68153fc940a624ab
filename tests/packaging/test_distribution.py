"""What the wheel and the sdist hold."""

from __future__ import annotations

import re
import tarfile
from email import message_from_bytes, message_from_string
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from distributions import ROOT, build, copy_of_the_checkout
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

from addresses import Addresses
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
def wheel_files(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture
def distribution(installed: Path) -> Distribution:
    return Distribution.at(installed / DIST_INFO)


@pytest.fixture
def metadata(distribution: Distribution) -> Message:
    return message_from_string(distribution.read_text("METADATA") or "")


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel_files: set[str]) -> None:
    # Above all no folder `airflow`: it would hide, or be hidden by, Airflow itself.
    assert {name.split("/")[0] for name in wheel_files} == {str(PACKAGE), DIST_INFO}


def test_the_wheel_holds_every_module_and_the_marker_of_types(wheel_files: set[str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / PACKAGE).rglob("*.py")}
    packed = {name for name in wheel_files if name.startswith(f"{PACKAGE}/")}
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


def test_the_metadata_calls_no_site_but_the_vendors_and_those_of_the_table_by_name(metadata: Message) -> None:
    # Airflow takes `Documentation` for the provider's own.
    urls = {**Addresses.read().urls(), "SMS Partner API": "https://www.docpartner.dev/"}
    assert metadata.get_all("Project-URL") == [f"{name}, {url}" for name, url in urls.items()]


def test_the_metadata_carries_the_readme(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    readme = Addresses.read().readme((ROOT / "README.md").read_text(), __version__)
    assert str(metadata.get_payload()).strip() == readme.strip()


def test_the_readme_has_no_link_that_leads_nowhere_on_a_package_index(metadata: Message) -> None:
    targets = targets_of(str(metadata.get_payload()))

    assert "https://www.smspartner.fr/" in targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_addresses_that_are_entered_are_in_the_metadata(tmp_path: Path) -> None:
    home = "https://example.com"
    checkout = copy_of_the_checkout(
        tmp_path / "checkout", {"repository": f"{home}/owner/provider", "documentation": f"{home}/docs/"}
    )
    (checkout / "README.md").write_text("![A graph](docs/pictures/graph.png)\n\n[How](docs/await.md#modes)\n")
    (wheel,) = build(checkout, tmp_path / "dist", targets="wheel").iterdir()
    with ZipFile(wheel) as archive:
        metadata = message_from_bytes(archive.read(f"{DIST_INFO}/METADATA"))

    assert metadata.get_all("Project-URL") == [
        f"Documentation, {home}/docs/",
        f"Changelog, {home}/docs/changelog.html",
        f"Repository, {home}/owner/provider",
        f"Issues, {home}/owner/provider/issues",
        "SMS Partner API, https://www.docpartner.dev/",
    ]
    assert targets_of(str(metadata.get_payload())) == [
        f"{home}/owner/provider/raw/v{__version__}/docs/pictures/graph.png",
        f"{home}/docs/await.html#modes",
    ]


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
        *("pyproject.toml", "hatch_build.py", "PKG-INFO", "LICENSE", ".gitignore"),
        *("README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"),
    }
