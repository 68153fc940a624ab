"""`make sbom`: the software bill of materials of an environment that the wheel was installed into."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

NAME = "airflow-provider-smspartner"


def main() -> None:
    """Write the bill, with the provider as what it is of, and all that it needs as its components."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="the interpreter of the environment")
    parser.add_argument("bill", type=Path, help="the file to write, in CycloneDX's JSON")
    parser.add_argument(
        "--no-validate", action="store_true", help="don't check it against CycloneDX's schema"
    )
    arguments = parser.parse_args()
    # That of pyproject.toml has no version: hatchling reads it from the package.
    ask = f"from importlib.metadata import metadata; import json; print(json.dumps(metadata({NAME!r}).json))"
    said = json.loads(
        subprocess.run([arguments.python, "-c", ask], check=True, capture_output=True, text=True).stdout
    )
    fields = {
        "name": NAME,
        "version": said["version"],
        "description": said["summary"],
        "license": said["license_expression"],
        # Those of the extras as well: the environment has all of them.
        "dependencies": [each.partition(";")[0].strip() for each in said["requires_dist"]],
    }
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyproject.toml"
        # A text and a list of texts are written alike in JSON and in TOML.
        project.write_text(
            "[project]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())
        )
        tool = (sys.executable, "-m", "cyclonedx_py", "environment")
        how = ["--mc-type", "library", "--output-reproducible", "--output-file", arguments.bill]
        how += ["--no-validate"] if arguments.no_validate else []
        subprocess.run([*tool, "--pyproject", project, *how, arguments.python], check=True)
    bill = json.loads(arguments.bill.read_text())
    # A bill that can be made again has none, and GitHub attests none without: this one is made of what it says.
    bill["serialNumber"] = f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps(bill, sort_keys=True))}"
    arguments.bill.write_text(json.dumps(bill, indent=2) + "\n")
    print(f"{arguments.bill}: {fields['version']}, with {len(bill['components'])} components")


if __name__ == "__main__":
    main()
