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
import re
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

# pytest's exit code of a run that was broken off.
INTERRUPTED = 2

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
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = [
    "-p", "no:cacheprovider",
    "-p", "no:xdist",
    "--hypothesis-profile=mutants",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # that profile is made before pytest starts
    "-o", "faulthandler_timeout=60",  # a mutant that hangs a test is killed by that
]
# The last resort: what all tests of a mutant usually take and a minute, three times.
timeout_multiplier = 3.0
timeout_constant = 60.0
use_git_change_detection = false
# Forks of a process that has run tests lack the threads of those tests, and may wait for them for ever.
process_isolation = "forkserver"
"""


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
    """Run mutmut on a room, in a folder of its own, and return its mutants with their statuses."""
    folder = BUILD / room
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in (PACKAGE, "tests", "scripts", "example_dags"):
        # Not a link: hatchling follows links when it looks for the files of a distribution.
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    mutated, tests = ROOMS[room]
    configuration = CONFIGURATION.format(
        package=PACKAGE, mutated=[f"{PACKAGE}/{path}" for path in mutated], tests=tests
    )
    (folder / "pyproject.toml").write_text(Path("pyproject.toml").read_text() + configuration)
    log = folder / "mutmut.log"
    print(f"\n{room}: mutmut writes how far it is to {log}", flush=True)
    with log.open("w") as output:
        # A process for each room: mutmut keeps what it knows in its modules.
        subprocess.run(
            [sys.executable, Path(__file__).absolute(), "--here", str(workers)],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )
    return [
        (Mutant(module, function, change), status)
        for module, function, change, status in json.loads((folder / "results.json").read_text())
    ]


def run_here(workers: int) -> None:
    """Run mutmut in the current folder, and write what it has found to ``results.json``."""
    from hypothesis import HealthCheck, settings
    from mutmut.__main__ import cli
    from mutmut.mutation import file_mutation, mutators
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.mutation.trampoline import set_mutant_under_test
    from mutmut.runners.harness import BadTestExecutionCommandsException, PytestRunner
    from mutmut.state import state
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    run_tests = PytestRunner.run_tests

    def run_found_tests(self: PytestRunner, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        # The quick ones first. pytest does not find a case whose name has a backslash: all of its test are run then.
        quick_first = sorted(tests, key=lambda test: state().duration_by_test[test])
        found = dict.fromkeys(test.partition("[")[0] if "\\" in test else test for test in quick_first)
        try:
            code: int = run_tests(self, mutant_name=mutant_name, tests=found)
        except BadTestExecutionCommandsException:
            return INTERRUPTED  # mutmut itself would take the mutant for killed
        return code

    without_texts = [pair for pair in mutators.mutation_operators if pair[1] is not mutators.operator_string]
    # A few examples, the same for each mutant. mutmut runs the tests again and again in one process and its forks.
    settings.register_profile(
        "mutants",
        settings.get_profile("ci"),
        max_examples=25,
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
    )
    with (
        patch.object(PytestRunner, "run_tests", run_found_tests),
        patch.object(file_mutation, "mutation_operators", without_texts),
    ):
        cli(["run", "--max-children", str(workers)], standalone_mode=False)
        # The control: the very same cases, without a mutant, must pass.
        set_mutant_under_test("")
        cases = set().union(*state().tests_by_mangled_function_name.values())
        if PytestRunner().run_tests(mutant_name=None, tests=sorted(cases)):
            sys.exit("The tests also fail without a mutant, when they are run one by one.")
    results = []
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            function, of_class = orig_function_and_class_names_from_key(name)
            diff = get_diff_for_mutant(name, path=path).splitlines()
            change = "\n".join(
                line[0] + line[1:].strip()
                for line in diff
                if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))
            )
            results.append(
                (
                    str(path.relative_to(PACKAGE)),
                    f"{of_class}.{function}" if of_class else function,
                    change,
                    status_by_exit_code[exit_code],
                )
            )
    Path("results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    if sys.argv[1] == "--here":
        run_here(int(sys.argv[2]))
    else:
        sys.exit(main(sys.argv[2:] or list(ROOMS), int(sys.argv[1])))
