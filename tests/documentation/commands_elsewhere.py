"""The commands on the pages that cannot run in a test of the pages; what they name is looked up instead."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable

from documentation.blocks import ROOT
from packaging.requirements import InvalidRequirement, Requirement


def find(command: str) -> str | None:
    """Return the kind that a command is of, as ELSEWHERE has it; None for a command that runs."""
    return next((each for each in ELSEWHERE if re.match(rf"{each}(?!\S)", command)), None)


def check(command: str) -> bool:
    """Return whether a command is one of those that do not run; fail where it names what is not there."""
    found = find(command)
    if found is None:
        return False
    ELSEWHERE[found](shlex.split(command, comments=True))
    return True


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
            if "/" in path or path == project["name"]:
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


ELSEWHERE: dict[str, Callable[[list[str]], None]] = {
    # A merge runs most of the targets (`.ci/run`); the others are run by people.
    "make": _is_target,
    # tests/packaging builds the wheel, and every cell of the matrix installs it.
    "pip install": _is_installed_so,
}
