"""What the pages show of the log is what the provider logs and raises."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from documentation.blocks import Block, all_blocks
from harness import KEEPS_TASK_STATE
from log_pages.scenes import NEED_A_LEDGER, SCENES, Scenes, scene_of
from log_pages.stage import PACKAGE, is_shown, rendered, set_up

SHOWN = [block for block in all_blocks() if "log" in block.marks]
_LEVELS = ("info", "warning", "error", "exception", "log")
# A storage that cannot remove its file: tests/files/test_output.py shows the line. A reference that Airflow cannot
# resolve: tests/tasks/test_outlets.py does.
# The trigger's own line is about a fault of ours: `test_whatever_is_raised_inside_ends_with_an_event`.
_SHOWN_ELSEWHERE = {"_files/storage.py", "_tasks/outlets.py", "triggers/smspartner.py"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Scenes]:
    """Play a scene, once for all tests, and return the stage as it was in the end."""

    @cache
    def play(name: str) -> Scenes:
        with (
            pytest.MonkeyPatch.context() as monkeypatch,
            set_up(Scenes, monkeypatch, tmp_path_factory.mktemp("stage")) as stage,
        ):
            getattr(stage, name)()
        return stage

    return play


@pytest.mark.parametrize(
    "block", [pytest.param(each, id=f"{each.id}, {each.marks['log']}") for each in SHOWN]
)
def test_a_page_shows_what_is_logged(block: Block, played: Callable[[str], Scenes]) -> None:
    name = scene_of(block.marks["log"])
    if name in NEED_A_LEDGER and not KEEPS_TASK_STATE:
        pytest.skip("this Airflow keeps nothing of an earlier try")

    lines = played(name).lines

    assert is_shown(block.text, lines), f"{block.id} is to show:\n{rendered(lines)}"


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("INFO One\n    line.\nINFO Two.\nINFO Three.\n", True),
        ("INFO One line.\n…\nINFO Three.\n", True),
        ("INFO One line.\nINFO Three.\n", False),
        ("…\nINFO Two.\n", False),
    ],
)
def test_a_page_may_leave_lines_out_if_it_says_so(text: str, is_right: bool) -> None:
    assert is_shown(text, ["INFO One line.", "INFO Two.", "INFO Three."]) is is_right


@pytest.mark.skipif(not KEEPS_TASK_STATE, reason="this Airflow keeps nothing of an earlier try")
def test_each_scene_and_each_line_that_is_logged_is_shown(played: Callable[[str], Scenes]) -> None:
    assert {scene_of(block.marks["log"]) for block in SHOWN} == SCENES

    seen = set().union(*(played(name).places for name in sorted(SCENES)))
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
