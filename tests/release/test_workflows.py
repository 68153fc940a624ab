"""What actionlint and zizmor, which `make lint` runs, do not ask of the workflows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([\w./-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


JOBS = {
    (path.stem, name): job
    for path in WORKFLOWS
    for name, job in yaml.safe_load(path.read_text())["jobs"].items()
}


def test_every_target_is_one_of_the_makefile() -> None:
    steps = [(job, step) for job, described in JOBS.items() for step in described.get("steps", [])]
    named = {
        (*job, target)
        for job, step in steps
        for target in re.findall(r"\bmake (?:--\S+ )*([\w./-]+)", step.get("run", ""))
    }

    assert {workflow for workflow, *_ in named} >= {"tests", "lint", "docs", "release", "audit"}
    assert [each for each in named if each[-1] not in TARGETS] == []


def test_nothing_is_permitted_but_to_jobs() -> None:
    assert {path.name for path in WORKFLOWS if yaml.safe_load(path.read_text())["permissions"] != {}} == set()
    assert [each for each, job in JOBS.items() if not job["permissions"]] == []


def test_every_job_ends() -> None:
    # A job that is another workflow has the time-outs of that; GitHub's own is six hours.
    minutes = {each: job.get("timeout-minutes", 0) for each, job in JOBS.items() if "uses" not in job}
    most = {"nightly": 240}
    assert [each for each, limit in minutes.items() if not 0 < limit <= most.get(each[0], 60)] == []


def test_only_what_is_deployed_or_released_may_write() -> None:
    writing = {
        (*each, scope)
        for each, job in JOBS.items()
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
