"""Every code block is found and is of a kind that a test runs, and every file that a page names is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from documentation import commands_elsewhere
from documentation.blocks import MARKS, ROOT, Block, Kind, all_blocks, find_blocks, pages
from documentation.console import commands_of

# What a block of output, of a drawing or of a file must not hold.
CODE = re.compile(
    r"^\s*(\$ |>>> |@dag\b|@task\b|def \w+\(|from \w[\w.]* import |import \w+$|SELECT .* FROM )", re.MULTILINE
)
FILE = re.compile(r"`((?:tests|example_dags|docs|scripts|benchmarks|constraints)/[\w./-]*\w)`")


def complaints(page: str, text: str) -> Iterator[str]:
    """Yield what is wrong with a page."""
    blocks = [*find_blocks(page, text)]
    dags = {block.file_name for block in blocks if block.kind is Kind.DAG}
    for block in blocks:
        if block.kind is None:
            yield f"{block.id}: nothing runs a block of {block.language or 'no language'}"
            continue
        if unknown := set(block.marks) - MARKS.get(block.kind, set()):
            yield f"{block.id}: no comment says {unknown} of such a block"
        if not all(block.marks.values()):
            yield f"{block.id}: the comment does not say why, or what"
        if block.marks.get("printed by", "") not in {"", *dags}:
            yield f"{block.id}: the page has no DAG {block.marks['printed by']}"
        if block.kind is Kind.TEXT and (code := CODE.search(block.text)):
            yield f"{block.id}: {code[0]!r} belongs into a block that is run"
        if block.kind is Kind.SCRIPT and (tasks := tasks_that_do_not_run(block)):
            yield f"{block.id} only makes {tasks}: in a DAG file they run"
    for name in FILE.findall(text):
        if not (ROOT / name).exists():
            yield f"{page} names {name}, which is not there"


def tasks_that_do_not_run(block: Block) -> set[str]:
    """Return the operators that a script makes, unless it executes what it makes."""
    if block.text.lstrip().startswith(">>>"):
        return set()
    calls = {ast.unparse(each.func) for each in ast.walk(ast.parse(block.text)) if isinstance(each, ast.Call)}
    if any(name.endswith((".execute", ".test")) for name in calls):
        return set()
    return {name for name in calls if name.endswith(("Operator", "Sensor"))}


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in pages()])
def test_a_page_shows_what_is_tested_and_names_what_is_there(page: str) -> None:
    assert [*complaints(page, (ROOT / page).read_text())] == []


def test_each_kind_of_command_that_does_not_run_is_on_a_page() -> None:
    blocks = [block for block in all_blocks() if block.kind is Kind.CONSOLE]
    kinds = {commands_elsewhere.find(command.text) for block in blocks for command in commands_of(block)}

    assert kinds == {None, *commands_elsewhere.ELSEWHERE}
