"""The Python on the pages that is neither a DAG file nor a test: run in the order of its page."""

from __future__ import annotations

import ast
import doctest
from typing import Any

from documentation.blocks import Block, Kind, each_of, of_page
from documentation.place import Place

from airflow_provider_smspartner.testing import SMSPartnerDouble

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@each_of(Kind.SCRIPT)
def test_it_runs(block: Block, place: Place, double: SMSPartnerDouble) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for each in of_page(block, Kind.SCRIPT):
        if each.line <= block.line and each.is_possible:
            execute(each, place, namespace)


@each_of(Kind.SCRIPT)
def test_it_leaves_no_task_unrun(block: Block) -> None:
    called = {
        ast.unparse(each.func) for each in ast.walk(ast.parse(block.text)) if isinstance(each, ast.Call)
    }
    tasks = {name for name in called if name.endswith(("Operator", "Sensor"))}

    runs = any(name.endswith((".execute", ".test")) for name in called)
    assert runs or not tasks, f"{block.id} only makes {tasks}: in a DAG file they run"


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
