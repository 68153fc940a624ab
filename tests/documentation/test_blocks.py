"""Every code block is found and is of a kind that a test runs, and every file that a page names is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from documentation import commands_elsewhere
from documentation.blocks import MARKS, ROOT, Block, Kind, all_blocks, find_blocks, pages
from documentation.console import commands_of, differs

PAGE = """\
# A page

```python
one
```

- a list

  <!-- needs: airflow>=99 -->
  ```python
  def test_two(): ...
  ```

:::{tip}
```python
from airflow.providers.common.compat.sdk import dag
@dag
def three(): ...
```
:::

::::{tab-set}
:::{tab-item} A tab
<!-- dag: parse only: it has no schedule -->
<!-- dag: four.py -->

```python
four
```
:::
::::

````{note}
```console
$ five
```
````

```{literalinclude} ../example_dags/send_and_await.py
:lines: 13-
```

```{eval-rst}
.. autoclass:: x.Y
    :members:
```
"""
# What a block of output, of a drawing or of a file must not hold.
CODE = re.compile(
    r"^\s*(\$ |>>> |@dag\b|@task\b|def \w+\(|from \w[\w.]* import |import \w+$|SELECT .* FROM )", re.MULTILINE
)
FILE = re.compile(r"`((?:tests|example_dags|docs|scripts|benchmarks|constraints)/[\w./-]*\w)`")


def test_blocks_are_found_wherever_they_stand() -> None:
    blocks = [*find_blocks("page.md", PAGE)]

    assert [(block.id, block.kind, dict(block.marks)) for block in blocks] == [
        ("page.md:3", Kind.SCRIPT, {}),
        ("page.md:10", Kind.TEST, {"needs": "airflow>=99"}),
        ("page.md:15", Kind.DAG, {}),
        ("page.md:27", Kind.DAG, {"parse only": "it has no schedule", "dag": "four.py"}),
        ("page.md:34", Kind.CONSOLE, {}),
    ]
    assert [block.text for block in blocks[:2]] == ["one\n", "def test_two(): ...\n"]
    assert not blocks[1].is_possible


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


@pytest.mark.parametrize(
    "text",
    [
        "~~~sh\ncode\n~~~",
        "A paragraph\n\n    indented code\n",
        "```{code-block} python\ncode\n```",
        ":::{code-block} python\ncode\n:::",
        "```{literalinclude} ../example_dags/no_such_example.py\n```",
        "```{eval-rst}\n.. code-block:: python\n\n   code\n```",
        "<!-- needs: -->\n```python\ncode\n```",
        "<!-- printed by: no_such.py -->\n```text\nprinted\n```",
        "<!-- exits: 1 -->\n```sql\nSELECT 1\n```",
        "```text\n$ ls\n```",
        "```python\nFirstOperator(task_id='first')\n```",
        "It is in `tests/no_such_file.py`.",
    ],
)
def test_what_no_test_would_run_is_found(text: str) -> None:
    assert len([*complaints("page.md", text)]) == 1


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (["one 23", "three in 0.5 s"], None),
        (["one…", "...", "three in … s"], None),
        (["two", "one 1"], "one 1"),
        (["four"], "four"),
    ],
)
def test_what_is_shown_is_compared_with_what_was_printed(shown: list[str], missing: str | None) -> None:
    assert differs(shown, "one  1\ntwo\nthree in 1.25 s\n") == missing


def test_a_block_of_commands_is_read() -> None:
    text = "$ one \\\n>   --more\nsaid\nmore\n$ two\n"
    commands = commands_of(Block("page.md", 7, "console", text))

    assert [(each.line, each.text, each.shown) for each in commands] == [
        (8, "one \\\n  --more", ["said", "more"]),
        (12, "two", []),
    ]
    with pytest.raises(ValueError, match=r"page\.md:8"):
        commands_of(Block("page.md", 7, "console", "no command"))


@pytest.mark.parametrize(
    "command",
    [
        "make test NO_SUCH_VARIABLE=1",
        "pip install requests",
        "pip install 'airflow-provider-smspartner[no_such_extra]'",
    ],
)
def test_a_command_that_does_not_run_names_what_is_there(command: str) -> None:
    with pytest.raises(AssertionError):
        commands_elsewhere.check(command)


def test_each_kind_of_command_that_does_not_run_is_on_a_page() -> None:
    blocks = [block for block in all_blocks() if block.kind is Kind.CONSOLE]
    kinds = {commands_elsewhere.find(command.text) for block in blocks for command in commands_of(block)}

    assert kinds == {None, *commands_elsewhere.ELSEWHERE}
