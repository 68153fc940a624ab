"""What the wheel and the sdist hold."""

from __future__ import annotations

import tarfile
from email import message_from_string
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from airflow_provider_smspartner import __version__

PACKAGE = Path("airflow_provider_smspartner")
DIST_INFO = f"airflow_provider_smspartner-{__version__}.dist-info"
ROOT = Path(__file__).parents[2]


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


def test_the_metadata_calls_no_site_but_the_vendors_by_name(metadata: Message) -> None:
    # Airflow takes `Documentation` for the provider's own.
    assert metadata.get_all("Project-URL") == ["SMS Partner API, https://www.docpartner.dev/"]


def test_the_metadata_carries_the_readme(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).strip() == (ROOT / "README.md").read_text().strip()


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
    }
    assert str(required["pytest"].marker) == 'extra == "testing"'
    assert str(required["pyarrow"].marker) == 'extra == "parquet"'
    assert str(required["apache-airflow-providers-common-sql"].marker) == 'extra == "sql"'
    assert required["apache-airflow-providers-common-sql"].extras == {"sqlalchemy"}


def test_the_sdist_holds_the_sources_and_the_tests(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}
    assert {str(PACKAGE), "tests", "example_dags", "pyproject.toml", "LICENSE", "README.md"} <= tops
    assert not {name for name in tops if name.startswith(".") and name != ".gitignore"}
