"""The Python on the pages that is no DAG file: scripts run in the order of their page, and tests pass."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, parse

from commands import run_python
from documentation.blocks import Block, Kind, pages_with
from documentation.place import Place, vendor

from airflow_provider_smspartner.testing import SMSPartnerDouble

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pages_with(Kind.SCRIPT)
def test_the_scripts_of_a_page_run(
    page: str, blocks: list[Block], place: Place, double: SMSPartnerDouble
) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        if block.is_possible:
            execute(block, place, namespace)


def execute(block: Block, place: Place, namespace: dict[str, Any]) -> None:
    """Run a block; a traceback and the report of a doctest name the page and its line."""
    text = place.here(block.text)
    if not text.lstrip().startswith(">>>"):
        exec(compile("\n" * block.line + text, block.page, "exec"), namespace)  # noqa: S102  # what a page shows
        return
    examples = doctest.DocTestParser().get_doctest(text, namespace, block.id, block.page, block.line)
    examples.globs = namespace
    said: list[str] = []
    results = doctest.DocTestRunner(optionflags=OPTIONS).run(examples, out=said.append, clear_globs=False)
    assert results.attempted
    assert not results.failed, "".join(said)


@pages_with(Kind.TEST)
def test_the_tests_of_a_page_pass(
    page: str, blocks: list[Block], tmp_path: Path, migrated_database: Path
) -> None:
    place = Place(tmp_path / "page", page)
    place.furnish()
    files = [str(place.write(block)) for block in blocks if block.is_possible]
    report = tmp_path / "report.xml"
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(place.folder), f"--junit-xml={report}")
    with vendor() as double:
        env = place.environment_of_processes(double, migrated_database)
        done = run_python("-m", "pytest", *options, *files, env=env, cwd=place.data, seconds=600)
    assert report.exists(), (done.stdout + done.stderr)[-5_000:]

    cases = [*parse(report).iter("testcase")]  # noqa: S314  # pytest has written it
    assert [said for case in cases if (said := complaint(case))] == []
    modules = {str(case.get("classname")).rpartition(".")[2] for case in cases}
    assert modules == {Path(file).stem for file in files}


def complaint(case: Element) -> str:
    """Return how a test failed, or why it was not run; empty where it passed."""
    return "\n".join(
        each.text or each.get("message") or each.tag
        for each in case
        if each.tag in ("failure", "error", "skipped")
    )
