"""What actionlint and zizmor, which `make lint` runs, do not ask of the workflows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w./-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(request.param.read_text())
    return read


def test_there_are_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"tests", "lint", "docs", "release", "audit"}


def test_every_target_is_one_of_the_makefile(workflow: dict[str, Any]) -> None:
    steps = [step for job in workflow["jobs"].values() for step in job.get("steps", [])]
    named = {
        target
        for step in steps
        for target in re.findall(r"\bmake (?:--\S+ )*([\w./-]+)", step.get("run", ""))
    }

    assert named <= TARGETS


def test_nothing_is_permitted_but_to_jobs(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {}
    assert all(job["permissions"] for job in workflow["jobs"].values())


def test_every_job_ends(workflow: dict[str, Any]) -> None:
    # A job that is another workflow has the time-outs of that.
    own = {name: job for name, job in workflow["jobs"].items() if "uses" not in job}
    assert [name for name, job in own.items() if not 0 < job.get("timeout-minutes", 0) <= 60] == []


def test_only_what_is_deployed_or_released_may_write() -> None:
    writing = {
        (path.stem, name, scope)
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
        for scope, may in job["permissions"].items()
        if may != "read"
    }
    assert writing == {
        ("docs", "deploy", "pages"),
        ("docs", "deploy", "id-token"),
        ("release", "attest", "id-token"),
        ("release", "attest", "attestations"),
        ("release", "publish", "id-token"),
        ("release", "github-release", "contents"),
    }
