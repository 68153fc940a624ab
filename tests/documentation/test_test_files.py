"""The tests on the pages: those of a page run in one process, as a user's do."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element, parse

import pytest
from commands import run_python
from documentation.blocks import Block, Kind, each_of, of_page
from documentation.place import Place, vendor

SECONDS = 240


@pytest.fixture
def report(
    block: Block,
    tmp_path: Path,
    migrated_database: Path,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    """What pytest reports of all tests of the page, which are run once for all workers."""
    block.skip_unless_possible()

    def run(path: Path) -> None:
        place = Place(tmp_path / "page", block.page)
        place.furnish()
        files = [str(place.write(each)) for each in of_page(block, Kind.TEST) if each.is_possible]
        options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(place.folder), f"--junit-xml={path}")
        with vendor() as double:
            env = place.environment_of_processes(double, migrated_database)
            done = run_python("-m", "pytest", *options, *files, env=env, cwd=place.data, seconds=SECONDS)
        assert path.exists(), (done.stdout + done.stderr)[-5_000:]

    return made_once(f"{block.page.replace(os.sep, '-')}.xml", run)


@each_of(Kind.TEST)
def test_its_tests_pass(block: Block, report: Path) -> None:
    module = Path(block.file_name).stem
    cases = {
        str(case.get("name")): case
        for case in parse(report).iter("testcase")  # noqa: S314  # pytest has written it
        if module in str(case.get("classname") or case.get("name")).split(".")
    }
    tests = {
        each.name
        for each in ast.parse(block.text).body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test_")
    }

    bad = {name: said for name, case in cases.items() if (said := complaint(case))}
    assert not bad, f"{block.id}:\n" + "\n".join(bad.values())
    assert {name.partition("[")[0] for name in cases} == tests


def complaint(case: Element) -> str:
    """Return how a test failed, or why it was not run; empty where it passed."""
    return "\n".join(
        each.text or each.get("message") or each.tag
        for each in case
        if each.tag in ("failure", "error", "skipped")
    )
