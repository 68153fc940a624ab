"""
`make mutants`: does a test notice if the code says something else? Mutation testing, with mutmut.

mutmut changes one place of a function at a time, and runs the tests that come through this function. A mutant that no
test fails on has survived: a test is missing, or the change makes no difference. `tests/mutants/survivors.md` names
each survivor that is left, with the reason.

mutmut mutates functions. It leaves out decorated ones, properties among them, and what modules and classes say outside
of functions: tables, constants, fields. Its mutations of texts are switched off, because they only change the wording.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

PACKAGE = "airflow_provider_smspartner"
SURVIVORS = Path("tests/mutants/survivors.md")
BUILD = Path("build/mutants")
MIN_SCORE = 90

# mutmut's words.
KILLED = ("killed", "timeout")
SURVIVED = ("survived", "no tests")

# What is mutated together, and the tests that are to notice. The tests of one room do not judge another room's
# mutants: those of the shared polls come through most of the protocol, and would take hours.
ROOMS: dict[str, tuple[list[str], list[str]]] = {
    "protocol": (["protocol/*.py"], ["tests/protocol", "tests/fuzz"]),
    "policy": (["_http/policy.py"], ["tests/http/test_policy.py", "tests/http/test_repeating.py"]),
    "waiting": (
        [f"_waiting/{name}.py" for name in ("campaign", "event", "goal", "rhythm", "tally", "wait")],
        ["tests/waiting"],
    ),
    # Without the test that counts objects, to which mutmut's way to switch mutants on adds.
    "shared_polls": (
        ["_shared_polls/*.py"],
        ["tests/shared_polls", "-k", "not nothing_for_the_collector"],
    ),
    "sending": (
        ["_sending/*.py"],
        [f"tests/sending/test_{name}.py" for name in ("delivery", "recipients", "send", "summary")],
    ),
    "ledger": (
        ["_tasks/ledger.py"],
        ["tests/tasks/test_ledger.py", "tests/tasks/test_overlapping_tries.py"],
    ),
}

CONFIGURATION = """
[tool.mutmut]
source_paths = ["{package}"]
only_mutate = {mutated}
also_copy = ["scripts", "example_dags"]
"""

# Of a mutant's tests, beyond what they usually take.
LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Mutant:
    """
    A mutant, named by what it changes: mutmut's own numbers change with every edit.

    :param module: its path inside the package.
    :param function: with its class.
    :param change: the lines that differ, as a diff.
    """

    module: str
    function: str
    change: str

    def __str__(self) -> str:
        """Return the mutant as it stands in the list of survivors."""
        return f"@@ {self.module} {self.function}\n{self.change}\n"


def main(rooms: list[str], workers: int) -> int:
    """Mutate rooms, and return the exit code: 0 if enough mutants are killed and each survivor is explained."""
    explained = read_survivors(SURVIVORS.read_text())
    survivors: Counter[Mutant] = Counter()
    modules: set[str] = set()
    poor: list[str] = []
    unchecked = 0
    for room in rooms:
        began = time.monotonic()
        results = run_room(room, workers)
        print(f"{room}: {time.monotonic() - began:.0f} s")
        by_module: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for mutant, status in results:
            by_module[mutant.module][status] += 1
            if status in SURVIVED:
                survivors[mutant] += 1
        for module, statuses in sorted(by_module.items()):
            print(f"  {module:32} {describe(statuses)}")
        total = sum(by_module.values(), Counter())
        print(f"  {'all':32} {describe(total)}")
        unchecked += total.total() - sum(total[status] for status in (*KILLED, *SURVIVED))
        if score(total) < MIN_SCORE:
            poor.append(room)
        modules |= by_module.keys()

    unexplained = survivors - explained
    dead = Counter({each: n for each, n in (explained - survivors).items() if each.module in modules})
    for heading, mutants in {
        f"Survivors that {SURVIVORS} does not explain": unexplained,
        f"No longer survivors, to be taken out of {SURVIVORS}": dead,
    }.items():
        if mutants:
            print(f"\n{heading}:\n")
            print("\n".join(sorted(map(str, mutants.elements()))))
    if poor:
        print(f"\nLess than {MIN_SCORE} % of the mutants are killed: {', '.join(poor)}")
    if unchecked:
        print(f"\n{unchecked} mutants could not be checked: what became of them stands above")
    return 1 if unexplained or dead or poor or unchecked else 0


def score(statuses: Counter[str]) -> float:
    """Return how many percent of the mutants were killed."""
    return 100 * sum(statuses[status] for status in KILLED) / statuses.total()


def describe(statuses: Counter[str]) -> str:
    """Return the score and what became of the mutants, in one line."""
    counts = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    return f"{score(statuses):5.1f} %  of {statuses.total():4}: {counts}"


def read_survivors(text: str) -> Counter[Mutant]:
    """Return the mutants of the diffs in a list of survivors."""
    return Counter(
        Mutant(module, function, change.strip())
        for block in re.findall(r"^```diff\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for module, function, change in re.findall(r"^@@ (\S+) (\S+)\n((?:[-+].*\n)+)", block, re.MULTILINE)
    )


def run_room(room: str, workers: int) -> list[tuple[Mutant, str]]:
    """Mutate a room, in a folder of its own, and return its mutants with their statuses."""
    folder = BUILD / room
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in (PACKAGE, "tests", "scripts", "example_dags"):
        # Not a link: hatchling follows links when it looks for the files of a distribution.
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    mutated, tests = ROOMS[room]
    configuration = CONFIGURATION.format(package=PACKAGE, mutated=[f"{PACKAGE}/{path}" for path in mutated])
    (folder / "pyproject.toml").write_text(Path("pyproject.toml").read_text() + configuration)
    log = folder / "tests.log"
    print(f"\n{room}: how far it is stands in {log}", flush=True)
    with log.open("w") as output:
        # A process for each room: mutmut keeps what it knows in its modules.
        subprocess.run(
            [sys.executable, Path(__file__).absolute(), "--here", str(workers), *tests],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )
    return [
        (Mutant(module, function, change), status)
        for module, function, change, status in json.loads((folder / "results.json").read_text())
    ]


def run_here(workers: int, tests: list[str]) -> None:
    """Let mutmut write the mutants of the current folder, and write what becomes of each to ``results.json``."""
    from mutmut.__main__ import create_mutants
    from mutmut.mutation import file_mutation, mutators
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.utils.file_utils import (
        copy_also_copy_files,
        copy_src_dir,
        setup_source_paths,
        walk_mutatable_files,
    )
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    without_texts = [pair for pair in mutators.mutation_operators if pair[1] is not mutators.operator_string]
    with patch.object(file_mutation, "mutation_operators", without_texts):
        copy_src_dir()
        copy_also_copy_files()
        setup_source_paths()
        create_mutants(workers)
    names: dict[str, Path] = {}
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        names |= dict.fromkeys(data.exit_code_by_key, path)
    statuses = run_tests(list(names), tests, workers)
    results = []
    for name, path in names.items():
        function, of_class = orig_function_and_class_names_from_key(name)
        change = "\n".join(
            line[0] + line[1:].strip()
            for line in get_diff_for_mutant(name, path=path).splitlines()
            if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))
        )
        module = str(path.relative_to(PACKAGE))
        results.append((module, f"{of_class}.{function}" if of_class else function, change, statuses[name]))
    Path("results.json").write_text(json.dumps(results, indent=1))


def run_tests(mutants: list[str], tests: list[str], workers: int) -> dict[str, str]:
    """Return what becomes of each mutant."""
    import pytest
    from hypothesis import HealthCheck, settings

    # A few examples, the same for each mutant.
    settings.register_profile(
        "mutants", settings.get_profile("ci"), max_examples=25, suppress_health_check=[HealthCheck.too_slow]
    )
    loop = MutantLoop(mutants, workers)
    here = Path.cwd()
    os.chdir("mutants")
    code = pytest.main(
        [
            *(
                "--rootdir=.",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:xdist",
                "--hypothesis-profile=mutants",
            ),
            *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # the profile is made before pytest starts
            *("-W", "ignore:.*use of fork:DeprecationWarning"),
            *("-o", "faulthandler_timeout=60"),  # a mutant that hangs a test is killed by that
            *tests,
        ],
        plugins=[loop],
    )
    os.chdir(here)
    if code:
        sys.exit(f"The tests cannot be run (pytest's exit code {code:d}).")
    return loop.statuses


class MutantLoop:
    """
    A plugin that runs the tests of each mutant in a fork of the process that has collected them.

    mutmut itself has pytest collect them anew for each mutant, which takes longer than they do.

    :param mutants: their names.
    :param workers: how many run at once.
    """

    def __init__(self, mutants: list[str], workers: int) -> None:
        self.statuses: dict[str, str] = {}
        self._mutants = mutants
        self._workers = workers

    def pytest_runtestloop(self, session: Any) -> bool:
        """Run the tests once to see which function they come through, once without a mutant, and for each mutant."""
        from mutmut.utils.format_utils import mangled_name_from_mutant_name

        seen = Path("seen.json")
        self._wait_for(self._fork(session, range(len(session.items)), "stats", writing=seen))
        durations, through = json.loads(seen.read_text())
        covering = {name: sorted(each, key=durations.__getitem__) for name, each in through.items()}
        all_of_them = sorted(set().union(*covering.values()))
        if self._wait_for(self._fork(session, all_of_them, "")):
            sys.exit("The tests also fail without a mutant.")
        under_way: dict[int, str] = {}
        for number, mutant in enumerate(self._mutants):
            chosen = covering.get(mangled_name_from_mutant_name(mutant))
            if chosen is None:
                self.statuses[mutant] = "no tests"
                continue
            if len(under_way) == self._workers:
                self._take_one(under_way)
            limit = LIMIT_SECONDS + 3 * sum(durations[each] for each in chosen)
            under_way[self._fork(session, chosen, mutant, limit=limit)] = mutant
            print(f"{number + 1} of {len(self._mutants)}", flush=True)
        while under_way:
            self._take_one(under_way)
        return True

    def _take_one(self, under_way: dict[int, str]) -> None:
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        self.statuses[under_way.pop(pid)] = {0: "survived", 1: "killed", -signal.SIGALRM: "timeout"}.get(
            code, "killed" if code > 0 else f"ended by signal {-code}"
        )

    @staticmethod
    def _wait_for(pid: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    @staticmethod
    def _fork(
        session: Any, chosen: Iterable[int], mutant: str, *, limit: float = 3600, writing: Path | None = None
    ) -> int:
        """Run tests in a child until one fails; optionally write how long each took, and what it came through."""
        from mutmut.mutation.trampoline import set_mutant_under_test
        from mutmut.state import state

        if pid := os.fork():
            return pid
        code = 3
        try:
            os.setpgid(0, 0)
            signal.alarm(math.ceil(limit))
            set_mutant_under_test(mutant)
            items = [session.items[each] for each in chosen]
            durations, through = [], defaultdict(list)
            for number, (item, following) in enumerate(zip(items, [*items[1:], None], strict=True)):
                began = time.monotonic()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                durations.append(time.monotonic() - began)
                for name in state()._stats:  # noqa: SLF001 - mutmut's way to tell
                    through[name].append(number)
                state()._stats.clear()  # noqa: SLF001
                if session.testsfailed:
                    break
            code = min(1, session.testsfailed)
            if writing is not None:
                writing.write_text(json.dumps((durations, through)))
        finally:
            os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "--here":
        run_here(int(sys.argv[2]), sys.argv[3:])
    else:
        sys.exit(main(sys.argv[2:] or list(ROOMS), int(sys.argv[1])))
