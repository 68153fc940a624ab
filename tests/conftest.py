"""What all tests share: an Airflow home of their own, the double, and retries that do not wait."""

from __future__ import annotations

import fcntl
import gc
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clocks import FakeClock
from environment import API_KEY, METADATA_DATABASE  # first: it sets the Airflow home
from hypothesis import HealthCheck, settings

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._messages import on_disk
from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner._shared_polls import dispatcher
from airflow_provider_smspartner.protocol import by_message
from airflow_provider_smspartner.testing import SMSPartnerDouble

FIGURE = "figure"
# What `make test` leaves out, by marker, and what runs it.
RUN_BY = {"nightly": "make nightly", "stack": "make stack"}
LEFT_OUT = pytest.StashKey[Counter[str]]()

# No example is timed, on a busy machine either. Where CI is set, Hypothesis's own profile for it stays below this one.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let every worker of pytest-xdist begin with its share of the tests that take longest; or shuffle all."""
    if seed := os.environ.get("SHUFFLE"):
        random.Random(seed).shuffle(items)  # noqa: S311 - the same for all workers
        return
    groups: dict[str, list[pytest.Item]] = {}
    others = []
    for item in items:
        if group := _slow_group(item):
            groups.setdefault(group, []).append(item)
        else:
            others.append(item)
    workers = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    slow: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, group in enumerate(groups):
        slow[number % workers] += groups[group]
    items.clear()
    total = len(others) + sum(map(len, slow))
    for number, share in enumerate(slow):
        # Each worker is given the same number of tests, one worker's after the other's.
        size = (total - len(items)) // (workers - number)
        fill = max(0, size - len(share))
        items += share + others[:fill]
        del others[:fill]
    items += others


def _slow_group(item: pytest.Item) -> str | None:
    """Return what names the slow tests that belong to one worker, for they share what takes long; None for others."""
    if item.get_closest_marker("system"):
        return "system"
    if "metadata_database" not in getattr(item, "fixturenames", ()):
        return None
    together = item.get_closest_marker("xdist_group")
    return together.args[0] if together else item.nodeid


def _put_aside() -> None:
    """Have the garbage collector leave alone what lives now: Airflow and thousands of tests.

    To search them takes up to a second. All threads stand still meanwhile, the double's as well, and a client with a
    short timeout takes that for a server that says nothing.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    """Put the tests aside, and what they import."""
    _put_aside()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Put aside what the tests of a file have had Airflow import; what they have left open is told by their last."""
    if nextitem is None or nextitem.path != item.path:
        _put_aside()


def pytest_unconfigure() -> None:
    """Give back what was put aside, for extension modules that report what is left when Python ends."""
    gc.unfreeze()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what is left out."""
    marks = (next((mark for mark in RUN_BY if item.get_closest_marker(mark)), None) for item in items)
    items[0].config.stash[LEFT_OUT] = Counter(mark for mark in marks if mark)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker of pytest-xdist report what it has left out, which is the same for all."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash.get(LEFT_OUT, {}))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker reports."""
    node.config.stash[LEFT_OUT] = Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that tests have reported, and what was left out."""
    for mark, count in terminalreporter.config.stash.get(LEFT_OUT, Counter()).items():
        terminalreporter.write_line(f"Left out: {count:,} tests marked {mark}, which `{RUN_BY[mark]}` runs.")
    for report in terminalreporter.getreports("passed"):
        for name, figure in report.user_properties:
            if name == FIGURE:
                terminalreporter.write_line(f"{report.nodeid}: {figure}")


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tell a figure at the end of the run."""
    return partial(record_property, FIGURE)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(policy, "MAX_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(dispatcher, "_GATHER_SECONDS", 0.005)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock of the test's own, by which the package pauses and measures; event loops and sockets keep theirs."""
    fake = FakeClock()
    for name in ("now", "monotonic", "sleep", "asleep"):
        monkeypatch.setattr(_clock, name, getattr(fake, name))
    return fake


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[SMSPartnerDouble]:
    """A double that the default connection leads to, with no ceiling of requests."""
    with SMSPartnerDouble(api_key=API_KEY, page_size=50) as started:
        for name, value in started.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        yield started


@pytest.fixture
def backlogs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PendingOnDisk]]:
    """Message files, all held on disk, even short ones: each must be closed in the end, and none remembered."""
    made: list[PendingOnDisk] = []
    begin = PendingOnDisk.__init__

    def remembered(each: PendingOnDisk) -> None:
        begin(each)
        made.append(each)

    monkeypatch.setattr(PendingOnDisk, "__init__", remembered)
    monkeypatch.setattr(on_disk, "_FEW", 0)
    monkeypatch.setattr(by_message, "_unique", None)
    yield made
    assert made
    for each in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            next(iter(each))


@pytest.fixture
def campaign_lines(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[[], list[str]]:
    """Return the lines that were logged about campaigns: through logging, or past it, as Airflow 3 does."""
    caplog.set_level("INFO")
    line = re.compile(r"Campaign .*?\.(?= +\[|$)", re.MULTILINE)
    return lambda: line.findall(caplog.text) or line.findall(capfd.readouterr().out)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a file once for all workers of a run: the others wait for it."""
    # Workers of one run have temporary folders beside each other.
    together = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        together = together.parent

    def once(name: str, make: Callable[[Path], None]) -> Path:
        made = together / name
        with (together / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                making = together / f"{name}.part"
                make(making)
                making.rename(made)
        return made

    return once


@pytest.fixture(scope="session")
def migrated_database(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The file of a metadata database that nobody has used, made once for all workers."""

    def migrate(path: Path) -> None:
        env = os.environ | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{path}"}
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, env=env, check=True, capture_output=True)

    return made_once("airflow.db", migrate)


@pytest.fixture(scope="session")
def metadata_database(migrated_database: Path) -> None:
    """Airflow's metadata database, a real one, copied for each worker."""
    shutil.copy(migrated_database, METADATA_DATABASE)
