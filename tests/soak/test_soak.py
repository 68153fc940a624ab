"""
A soak: many waits over two days of simulated time, with faults of every kind. An oracle says how each must end.

`make test` runs a small one, `make nightly` the full size.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from soak.oracle import Span, counts_by, verdicts
from soak.script import HOUR, Script, draw
from soak.waits import Lines, Soak, log, soak, verdicts_of
from virtual_time import VirtualLoop

from airflow_provider_smspartner._shared_polls import dispatcher
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner._shared_polls.subscriber import Subscriber
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

SEED = 20260301
MAX_BLOCKS_LEFT = 2_000
"""Blocks of memory that caches of the package and of Airflow may have taken since a run before: some 200 KB."""


@pytest.fixture
def _without_waiting() -> None:
    """Let all pauses be as long as they are: this fixture takes the place of the one that all other tests have."""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """Connections, and what the triggers log."""
    for number in range(20):
        monkeypatch.setenv(f"AIRFLOW_CONN_SOAK_{number}", '{"conn_type": "smspartner", "password": "key"}')
    # Airflow 2 logs each look-up of a connection, and pytest keeps what is logged.
    caplog.set_level(logging.WARNING, logger="airflow.hooks.base")
    looked_at = Lines()
    log.addFilter(looked_at)
    log.setLevel(logging.INFO)
    yield looked_at
    log.removeFilter(looked_at)


def run(script: Script) -> Soak:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(soak(script))


def living() -> Counter[str]:
    """Count the objects of waits; tests before this one may have left some, of ones that were broken off."""
    gc.collect()
    kinds = (Subscriber, SharedPolls, Wait, SMSPartnerCampaignTrigger)
    # Not isinstance: objects of others may import something when they are asked for their class.
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each) in kinds)


def check(script: Script, *, at_least_certain: float) -> tuple[Soak, str]:
    """Run a script, compare each ending with the oracle's, and return what has happened, also in words."""
    assert dispatcher._GATHER_SECONDS == 0.05  # the pauses of production
    began = time.monotonic()
    result = run(script)
    seconds = time.monotonic() - began

    assert result.left == {"tasks": set(), "clients": 0, "shared polls": [], "connections": []}

    right = {wait.number: verdicts(wait, script) for wait in script.waits}
    wrong = [text for wait in script.waits if (text := _fault(wait, result, right[wait.number]))]
    certain = sum(len(each) == 1 for each in right.values())
    counted = sum("counts" in ending.payload for ending in result.endings.values())
    report = (
        f"{len(script.waits)} waits ended: {_listed(verdicts_of(result))}. For {certain} the oracle "
        f"leaves one verdict; {counted} reported their counts.\n"
        f"{result.restarts} restarts, {result.vendor.calls} calls, {result.vendor.faults.total()} with a fault: "
        f"{_listed(result.vendor.faults)}.\n"
        f"{result.seconds / HOUR:.1f} hours of simulated time in {seconds:.1f} s."
    )
    assert not wrong, f"{len(wrong)} waits ended wrongly:\n" + "\n".join(wrong[:20]) + "\n" + report
    assert certain >= at_least_certain * len(script.waits), report
    return result, report


def _fault(wait: Any, result: Soak, right: dict[str, Span]) -> str | None:
    ending = result.endings[wait.number]
    verdict, counts = ending.payload["verdict"], ending.payload.get("counts")
    span = right.get(verdict)
    if span is None:
        return f"{wait.number}: {verdict} at {ending.when:.0f}, right is one of {right}. {wait}"
    if not span.begins <= ending.when + 0.001 <= span.ends:
        return f"{wait.number}: {verdict} at {ending.when:.0f}, right is {span}. {wait}"
    right_counts = counts_by(wait, ending.when)
    if counts is not None and {name: count for name, count in counts.items() if count} not in right_counts:
        return f"{wait.number}: {verdict} with {counts}, right is one of {right_counts}. {wait}"
    return None


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


@pytest.mark.parametrize(
    ("waits", "connections"), [(100, 4), pytest.param(2_000, 8, marks=pytest.mark.nightly)]
)
def test_waits_end_as_they_must_and_leave_nothing(
    lines: Lines, capsys: pytest.CaptureFixture[str], waits: int, connections: int
) -> None:
    run(draw(20, connections=3, seed=SEED + 1))  # what is made once
    before = living()
    blocks = sys.getallocatedblocks()
    script = draw(waits, connections=connections, seed=SEED)

    result, report = check(script, at_least_certain=0.8)

    with capsys.disabled():
        print(f"\n{report}\n{lines.count} log lines.")  # noqa: T201 - what the soak is run for
    assert set(verdicts_of(result)) == {"done", "timed_out", "not_found", "refused"}
    assert lines.count > 1_000
    assert lines.leaks == []
    del result, script
    assert living() == before
    assert sys.getallocatedblocks() - blocks < MAX_BLOCKS_LEFT
