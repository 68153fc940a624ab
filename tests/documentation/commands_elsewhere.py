"""The commands on the pages that cannot run in a test of the pages, and what shows each instead."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from dataclasses import dataclass

from documentation.blocks import ROOT
from packaging.requirements import InvalidRequirement, Requirement


@dataclass(frozen=True)
class Elsewhere:
    """
    A kind of command that is not run.

    :param command: what its text begins with.
    :param shown_by: what runs it, or what it says, instead.
    :param check: fails where the command names something that is not there.
    """

    command: str
    shown_by: str
    check: Callable[[list[str]], None]


def find(command: str) -> Elsewhere | None:
    """Return the kind that a command is of; None for a command that runs."""
    return next((each for each in ELSEWHERE if re.match(rf"{each.command}(?!\S)", command)), None)


def _is_target(words: list[str]) -> None:
    """Check that the Makefile has the targets and reads the variables."""
    makefile = (ROOT / "Makefile").read_text()
    for word in words[1:]:
        name, _, value = word.partition("=")
        wanted = rf"^{name} \?=" if value else rf"^{name}:.*## "
        assert re.search(wanted, makefile, re.MULTILINE), f"the Makefile has no {name}"


def _is_installed_so(words: list[str]) -> None:
    """Check that what is installed is this distribution with extras that it has, or is Airflow's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = words[words.index("install") + 1 :]
    assert wanted, "nothing is installed"
    while wanted:
        word = wanted.pop(0)
        if word in ("--constraint", "-c"):
            wanted.pop(0)
        elif not word.startswith("--"):
            path, extras = re.fullmatch(r"(.*?)(?:\[([\w,-]+)\])?", word).groups()  # type: ignore[union-attr]
            is_ours = "/" in path or path == project["name"]
            if is_ours:
                assert set((extras or "").split(",")) - {""} <= set(project["optional-dependencies"]), word
            else:
                _is_of_airflow(word)


def _is_of_airflow(word: str) -> None:
    # The version may be what a command prints.
    try:
        name = Requirement(re.sub(r"\$\(.*?\)", "1", word)).name
    except InvalidRequirement as error:
        raise AssertionError(f"pip does not take {word}") from error
    assert name.startswith("apache-airflow"), f"{name} is neither this distribution nor Airflow's"


ELSEWHERE = [
    Elsewhere(
        "make",
        "the Makefile has the target. A merge runs lint, docs, test and test-all with what that takes in (`.ci/run`); "
        "the others are run by people",
        _is_target,
    ),
    Elsewhere(
        "pip install",
        "the names and extras are there. tests/packaging builds the wheel, and every cell of the matrix installs it",
        _is_installed_so,
    ),
]


def check(command: str) -> bool:
    """Return whether a command is one of those that do not run, and check what it names."""
    found = find(command)
    if found is None:
        return False
    found.check(shlex.split(command, comments=True))
    return True
