"""What the pages show of the log is what the provider logs and raises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from documentation.blocks import Block, all_blocks
from harness import KEEPS_TASK_STATE
from log_pages.pages import is_shown, rendered
from log_pages.scenes import NEED_A_LEDGER, SCENES
from log_pages.stage import PACKAGE, Place, set_up

SHOWN = [block for block in all_blocks() if "log" in block.marks]
_LEVELS = ("info", "warning", "error", "exception", "log")
# A storage that cannot remove its file: tests/files/test_output.py shows the line.
_SHOWN_ELSEWHERE = {"_files/storage.py"}


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=f"{block.id}, {block.marks['log']}") for block in SHOWN]
)
def test_a_page_shows_what_is_logged(block: Block, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = block.marks["log"]
    if name in NEED_A_LEDGER and not KEEPS_TASK_STATE:
        pytest.skip("this Airflow keeps nothing of an earlier try")
    with set_up(monkeypatch, tmp_path) as stage:
        SCENES[name](stage)

    assert is_shown(block.text, stage.lines), f"{block.id} is to show:\n{rendered(stage.lines)}"


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("INFO One\n    line.\nINFO Two.\nINFO Three.\n", True),
        ("INFO One line.\n…\nINFO Three.\n", True),
        ("…\nINFO Three.\n", True),
        ("INFO One line.\n…\n", True),
        ("INFO One line.\nINFO Three.\n", False),
        ("INFO Three.\n", False),
        ("…\nINFO Two.\n", False),
        ("INFO Four.\n…\n", False),
        ("", False),
    ],
)
def test_a_page_may_leave_lines_out_if_it_says_so(text: str, is_right: bool) -> None:
    assert is_shown(text, ["INFO One line.", "INFO Two.", "INFO Three."]) is is_right


def test_each_scene_is_shown() -> None:
    assert {block.marks["log"] for block in SHOWN} == set(SCENES)


@pytest.mark.skipif(not KEEPS_TASK_STATE, reason="this Airflow keeps nothing of an earlier try")
def test_each_line_that_is_logged_is_in_a_scene(tmp_path: Path) -> None:
    seen: set[Place] = set()
    for number, play in enumerate(SCENES.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as monkeypatch, set_up(monkeypatch, folder) as stage:
            play(stage)
        seen |= stage.places

    calls = list(_calls_that_log())
    never = [call for call in calls if not any(call[0] == name and line in call[1] for name, line in seen)]

    assert len(calls) > 20
    assert [name for name, _ in never if name not in _SHOWN_ELSEWHERE] == [], never


def _calls_that_log() -> Iterator[tuple[str, range]]:
    """Yield the calls of a logger at INFO and above: the file, and the lines of the call."""
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE)
        # The double and the command for a first key are programs of their own.
        if name.parts[0] in ("testing", "check"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _LEVELS
            ):
                owner = node.func.value
                if (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")) == "log":
                    yield str(name), range(node.lineno, (node.end_lineno or node.lineno) + 1)
