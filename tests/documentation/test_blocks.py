"""Every code block is found, and a test runs it or says why it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from documentation import commands_elsewhere
from documentation.blocks import MARKS, Block, Kind, all_blocks, find_blocks, pages
from documentation.console import commands_of, differs
from documentation.shapes import difference

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
"""


def found(text: str) -> list[Block]:
    return [*find_blocks("page.md", text)]


def test_blocks_are_found_wherever_they_stand() -> None:
    blocks = found(PAGE)

    assert [(block.id, block.kind) for block in blocks] == [
        ("page.md:3", Kind.SCRIPT),
        ("page.md:10", Kind.TEST),
        ("page.md:15", Kind.DAG),
        ("page.md:27", Kind.DAG),
        ("page.md:34", Kind.CONSOLE),
    ]
    assert [block.text for block in blocks[:2]] == ["one\n", "def test_two(): ...\n"]
    lines = PAGE.splitlines()
    for block in blocks:
        assert lines[block.line].strip() == block.text.splitlines()[0]


def test_a_comment_says_something_of_the_next_block_alone() -> None:
    marks = [dict(block.marks) for block in found(PAGE)]

    assert marks[0] == marks[2] == {}
    assert marks[1] == {"needs": "airflow>=99"}
    assert marks[3] == {"parse only": "it has no schedule", "dag": "four.py"}
    assert not found(PAGE)[1].is_possible


@pytest.mark.parametrize(
    "text",
    [
        "```\ncode\n```",
        "```bash\ncode\n```",
        "```Python\ncode\n```",
        "A paragraph\n\n    indented code\n",
        "```{code-block} python\ncode\n```",
        ":::{code-block} python\ncode\n:::",
        "```{literalinclude} ../example_dags/no_such_example.py\n```",
        "```{literalinclude} ../scripts/up.py\n```",
        "```{eval-rst}\n.. code-block:: python\n\n   code\n```",
        "~~~sh\ncode\n~~~",
    ],
)
def test_code_that_no_test_runs_is_found(text: str) -> None:
    assert [block.kind for block in found(text)] == [None]


def test_directives_without_code_are_no_blocks() -> None:
    assert found("```{eval-rst}\n.. autoclass:: x.Y\n    :members:\n```\n\n:::{note}\nText\n:::") == []


def test_an_example_dag_may_be_included() -> None:
    assert found("```{literalinclude} ../example_dags/send_and_await.py\n:lines: 13-\n```") == []


def test_text_that_a_dag_prints_names_a_dag_of_its_page() -> None:
    blocks = all_blocks()
    dags = {(block.page, block.file_name) for block in blocks if block.kind is Kind.DAG}

    named = {(block.page, block.marks["printed by"]) for block in blocks if "printed by" in block.marks}
    assert named - dags == set()


def test_all_pages_are_looked_at() -> None:
    names = {path.name for path in pages()}

    assert {"README.md", "sending.md", "warehouse.md"} <= names
    assert len(all_blocks()) > 20


@pytest.mark.parametrize("block", [pytest.param(block, id=block.id) for block in all_blocks()])
def test_every_block_is_of_a_kind_that_is_tested(block: Block) -> None:
    assert block.kind is not None, f"{block.id}: nothing runs a block of {block.language or 'no language'}"
    assert (Path(__file__).parent / f"test_{block.kind}.py").exists()
    assert set(block.marks) <= MARKS.get(block.kind, set()), f"{block.id}: no such comment"
    assert all(block.marks.values()), f"{block.id}: the comment does not say why, or what"


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (["one 1", "two"], None),
        (["two", "one 1"], "one 1"),
        (["one 23", "three in 0.5 s"], None),
        (["one…"], None),
        (["one", "...", "three in … s"], None),
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


def test_a_block_of_commands_begins_with_one() -> None:
    with pytest.raises(ValueError, match=r"page\.md:8"):
        commands_of(Block("page.md", 7, "console", "no command"))


@pytest.mark.parametrize(
    "command",
    [
        "make no-such-target",
        "make test NO_SUCH_VARIABLE=1",
        "pip install requests",
        "pip install 'airflow-provider-smspartner[no_such_extra]'",
        "pip install",
    ],
)
def test_a_command_that_does_not_run_names_what_is_there(command: str) -> None:
    with pytest.raises(AssertionError):
        commands_elsewhere.check(command)


@pytest.mark.parametrize(
    "command",
    [
        'make test-some TESTS="tests/sensors -k reschedule"  # some',
        "pip install 'airflow-provider-smspartner[parquet,sql]' apache-airflow-providers-postgres",
        'pip install "apache-airflow==$(airflow version)" dist/airflow_provider_smspartner-*.whl',
        "pip install dist/airflow_provider_smspartner-*.whl --constraint constraints.txt  # Airflow's own",
    ],
)
def test_a_command_that_does_not_run_is_named(command: str) -> None:
    assert commands_elsewhere.check(command)


def test_each_kind_of_command_that_does_not_run_is_on_a_page() -> None:
    blocks = [block for block in all_blocks() if block.kind is Kind.CONSOLE]

    kinds = [commands_elsewhere.find(command.text) for block in blocks for command in commands_of(block)]
    assert [each.command for each in commands_elsewhere.ELSEWHERE if each not in kinds] == []


def test_other_commands_run() -> None:
    assert not commands_elsewhere.check("makeup")
    assert not commands_elsewhere.check("airflow dags list")


@pytest.mark.parametrize(
    ("shown", "is_real"),
    [
        ({"a": 1, "b": None}, True),
        ({"a": 1.5, "b": "text"}, True),
        ({"a": 1}, False),
        ({"a": 1, "b": None, "c": 1}, False),
        ({"a": None, "b": None}, False),
        ({"a": True, "b": None}, False),
        ({"a": 1, "b": 2}, False),
    ],
)
def test_json_is_compared_with_samples(shown: object, is_real: bool) -> None:
    samples = [{"a": 7, "b": None}, {"a": 8, "b": "more"}]

    assert (difference(shown, samples) is None) is is_real
    assert (difference([shown], [samples]) is None) is is_real
    assert (difference({"in": shown}, [{"in": each} for each in samples]) is None) is is_real
