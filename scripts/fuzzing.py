"""`make fuzz`: drives the fuzz targets of tests/fuzz with inputs that atheris (libFuzzer) makes, guided by coverage."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

if TYPE_CHECKING:
    from fuzz.targets import Target

BUILD = ROOT / "build" / "fuzz"
MAX_INPUT_BYTES = 8_192
MAX_INPUT_SECONDS = 60
"""libFuzzer ends the process after that: for what never comes back. Targets look at the time themselves."""

MAX_MEMORY_MB = 4_096
"""Twice what a damaged Parquet file may claim for a page."""
MAX_KINDS = 50
"""Different findings that are kept."""

NO_ATHERIS = """\
atheris is not installed, and nothing was fuzzed. `make fuzz` installs it where PyPI has a wheel for the system and the
Python: Linux on x86-64 mostly. The same targets run without it, with fewer inputs: make test-some TESTS=tests/fuzz"""


class Result(NamedTuple):
    """How a target has fared."""

    inputs: int
    seconds: float
    at_first: int
    at_last: int
    findings: list[str]
    has_ended: bool


def main() -> int:
    """Fuzz all targets, or the one that is named; return the exit code."""
    arguments = _arguments()
    if find_spec("atheris") is None:
        print(NO_ATHERIS, file=sys.stderr)
        return 1
    if arguments.target:
        _fuzz(arguments.target, runs=arguments.runs, seconds=arguments.seconds)
        return 0
    from fuzz.targets import TARGETS

    give_up = time.monotonic() + arguments.seconds
    print(
        f"{'target':<16}{'inputs':>10}{'per second':>12}{'coverage':>10}{'new':>6}{'findings':>10}",
        flush=True,
    )
    results = []
    for target in TARGETS:
        result = _run(target, arguments.runs * target.share // 100, max(int(give_up - time.monotonic()), 1))
        results.append(result)
        print(
            f"{target.name:<16}{result.inputs:>10,}{result.inputs / result.seconds:>12,.0f}{result.at_last:>10,}"
            f"{result.at_last - result.at_first:>+6}{len(result.findings):>10}",
            flush=True,
        )
    inputs, seconds = sum(result.inputs for result in results), sum(result.seconds for result in results)
    print(
        f"{'all':<16}{inputs:>10,}{inputs / seconds:>12,.0f}{'':>16}{sum(len(r.findings) for r in results):>10}"
    )
    for target, result in zip(TARGETS, results, strict=True):
        for finding in result.findings:
            print(f"\n{target.name}: {finding}")
        if not result.has_ended:
            print(
                f"\n{target.name} did not get to its end: see {(BUILD / target.name / 'log').relative_to(ROOT)}"
            )
    return 0 if all(result.has_ended and not result.findings for result in results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs, for all targets together")
    parser.add_argument(
        "--seconds", type=int, default=3_600, help="the time that all targets together may take"
    )
    parser.add_argument("--target", help="fuzz this one in this process, as the script does for each")
    return parser.parse_args()


def _run(target: Target, runs: int, seconds: int) -> Result:
    """Fuzz a target in a process of its own: libFuzzer ends the one that it runs in."""
    folder = BUILD / target.name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "corpus").mkdir(parents=True)
    (folder / "findings").mkdir()
    command = [
        sys.executable,
        __file__,
        "--target",
        target.name,
        "--runs",
        str(runs),
        "--seconds",
        str(seconds),
    ]
    environment = os.environ | {"AIRFLOW_HOME": str(ROOT / ".airflow" / "fuzz")}
    with (folder / "log").open("wb") as log:
        ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, check=False)
    told = (folder / "log").read_text(errors="replace")
    inputs = _figure(r"stat::number_of_executed_units: *(\d+)", told)
    kept = [path for path in sorted((folder / "findings").iterdir()) if path.suffix != ".txt"]
    return Result(
        inputs=inputs,
        seconds=max(_figure(r"Done \d+ runs in (\d+) second", told), 1),
        at_first=_figure(r"INITED +cov: (\d+)", told),
        at_last=_figure(r"DONE +cov: (\d+)", told),
        findings=[f"{path.relative_to(ROOT)}\n{_kind_of(path)}" for path in kept],
        has_ended=ended.returncode == 0 and inputs >= runs,
    )


def _figure(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def _kind_of(path: Path) -> str:
    told = path.with_suffix(".txt")
    # What libFuzzer has written itself has a name that says why: crash-…, timeout-…, oom-….
    return told.read_text() if told.exists() else path.name


def _fuzz(name: str, *, runs: int, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["airflow_provider_smspartner", "csv", "gzip"]):
        from fuzz.mutations import mutate
        from fuzz.targets import CORPUS, TARGETS

    (target,) = (each for each in TARGETS if each.name == name)
    corpus, folder = target.corpus, BUILD / name

    def made_of(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)  # noqa: S311 - no secret
        if random.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return mutate(data, random, corpus)[:max_size]

    options = {
        "runs": runs,
        "max_total_time": seconds,
        "max_len": MAX_INPUT_BYTES,
        "timeout": MAX_INPUT_SECONDS,
        "report_slow_units": MAX_INPUT_SECONDS,
        "rss_limit_mb": MAX_MEMORY_MB,
        "artifact_prefix": f"{folder / 'findings'}/",
        "print_final_stats": 1,
    }
    atheris.Setup(
        [
            sys.argv[0],
            *(f"-{option}={value}" for option, value in options.items()),
            str(folder / "corpus"),
            str(CORPUS / name),
        ],
        _keeping_findings(target.run, folder / "findings"),
        custom_mutator=made_of,
    )
    atheris.Fuzz()


def _keeping_findings(run: Callable[[bytes], None], folder: Path) -> Callable[[bytes], None]:
    """Return a target that goes on after a finding, and keeps the first input of each kind."""
    seen: set[str] = set()

    def go_on(data: bytes) -> None:
        try:
            run(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            frames = traceback.extract_tb(error.__traceback__)
            places = "\n".join(
                f"  {Path(each.filename).name}:{each.lineno} {each.name}" for each in frames[-6:]
            )
            kind = f"{type(error).__name__}: {error}\n{places}"
            key = f"{type(error).__name__} {places}"
            if key not in seen and len(seen) < MAX_KINDS:
                seen.add(key)
                kept = folder / hashlib.sha256(data).hexdigest()[:16]
                kept.write_bytes(data)
                kept.with_suffix(".txt").write_text(kind + "\n", errors="replace")

    return go_on


if __name__ == "__main__":
    sys.exit(main())
