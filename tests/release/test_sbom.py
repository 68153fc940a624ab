"""The software bill of materials that is attached to a release."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from commands import output_of, run_python

import sbom
from airflow_provider_smspartner import __version__

pytestmark = pytest.mark.nightly


def test_it_is_of_this_version_and_names_what_it_needs(tmp_path: Path) -> None:
    pytest.importorskip(
        "cyclonedx_py", reason="cyclonedx-bom is of the group release, which `make test` installs"
    )
    written = tmp_path / "sbom.cdx.json"

    # Its validation takes 20 seconds, and is `make sbom`'s.
    output_of(run_python(sbom.__file__, "--no-validate", sys.executable, str(written), env={}))

    bill = json.loads(written.read_text())
    # Without any of these GitHub's action says "Unsupported SBOM format".
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["specVersion"]
    assert bill["serialNumber"].startswith("urn:uuid:")
    of = bill["metadata"]["component"]
    assert (of["name"], of["version"]) == ("airflow-provider-smspartner", __version__)
    needed = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}[of["bom-ref"]]
    assert {each.partition("==")[0] for each in needed} >= {
        "aiohttp",
        "apache-airflow",
        "phonenumbers",
        "pyarrow",
    }
    assert {each["name"] for each in bill["components"]} >= {"urllib3"}
    # Where it was written is nobody's business.
    assert str(Path.home()) not in written.read_text()
    assert str(Path(sys.executable).parent) not in written.read_text()
