"""Commands in processes of their own: as users run them, or with the modules of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import airflow_provider_smspartner

PACKAGE_ROOT = Path(airflow_provider_smspartner.__file__).parents[1]
"""The folder that the package is imported from."""


def environment_of_a_user(
    home: Path, *, python_path: Path = PACKAGE_ROOT, env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """
    Return the environment of a process that knows nothing of the tests' Airflow.

    :param home: its AIRFLOW_HOME.
    :param python_path: where it finds the package, or other modules.
    :param env: further variables.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {**others, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(python_path), **(env or {})}


def environment_of_the_tests() -> dict[str, str]:
    """Return the environment of a process that imports the package and the modules of the tests."""
    tests = Path(__file__).parent
    path = os.pathsep.join([str(tests.parent), str(tests), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path}


@contextmanager
def killed_after(process: subprocess.Popen[Any], seconds: float) -> Iterator[None]:
    """
    Kill a process that is still there after some time: reading what it prints has no limit otherwise.

    :param process: what is read from within the block.
    :param seconds: how long the block may take.
    """
    too_late = threading.Timer(seconds, process.kill)
    too_late.start()
    try:
        yield
    finally:
        too_late.cancel()


def run_python(
    *arguments: str, env: Mapping[str, str], cwd: Path | None = None, stdin: str = "", seconds: float = 600
) -> subprocess.CompletedProcess[str]:
    """
    Run Python, and return how it ended and what it printed.

    :param arguments: the command line after `python`.
    :param env: its whole environment.
    :param cwd: its working directory; by default that of the tests.
    :param stdin: what it reads from its standard input.
    :param seconds: how long it may take.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        env=env,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command printed, and fail with that if it did not succeed."""
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]
    return done.stdout
