"""
Waiting: calls, event loop and memory of many deferred waits, against waits that poll alone and bare coroutines.

``python -m benchmarks.waiting REPORT shared|alone|bare …`` runs one event loop with waits, and reports what it cost.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.measure import CONN_ID, Result, in_process, resident_bytes, stub

LATENCY = 0.03
MAX_CONNECTIONS = 4

FEW, POLLS, SHORT_INTERVAL = 1_000, 10, 2.0
MANY, INTERVAL = 10_000, 60.0

TRIGGER = "airflow_provider_smspartner.triggers.smspartner"
THRESHOLDS = (10_000, 1_000, 1_000)

BLOCK_MS = 50
KILOBYTES_A_WAIT = 20


def measure() -> Iterator[Result]:
    """Measure all of it."""
    yield _calls()
    with stub(LATENCY, max_connections=MAX_CONNECTIONS) as vendor:
        ours = in_process("waiting", "shared", MANY, INTERVAL)
        connections = vendor.figures()["connections"]
    with stub(LATENCY) as vendor:
        bare = in_process("waiting", "bare", MANY, INTERVAL, vendor.url)
        tuned = in_process("waiting", "begin_tuned", MANY, INTERVAL)
    what, baseline = f"{MANY:,} waits, {INTERVAL:.0f} s interval", "bare aiohttp coroutines, one session"
    cpu = ours["cpu"] / bare["cpu"]
    yield Result(
        what=f"{what}: CPU of the event loop",
        baseline=baseline,
        measured=f"{cpu:.2f} x ({ours['cpu']:.1f} s against {bare['cpu']:.1f} s in {INTERVAL:.0f} s)",
        goal="less",
        reached=cpu < 1,
    )
    yield Result(
        what=f"{what}: longest block of the event loop",
        baseline=baseline,
        measured=f"{ours['block']:.0f} ms, {ours['pause']:.0f} ms the collector's longest "
        f"({bare['block']:.0f} ms and {bare['pause']:.0f} ms)",
        goal=f"at most {BLOCK_MS} ms",
        reached=ours["block"] <= BLOCK_MS,
    )
    yield Result(
        what=f"{what}: longest block while they begin",
        baseline=baseline,
        measured=f"{ours['first_block']:.0f} ms, {ours['first_pause']:.0f} ms the collector's longest "
        f"({bare['first_block']:.0f} ms and {bare['first_pause']:.0f} ms); the collector's without any wait: "
        f"{ours['empty_pause']:.0f} ms",
        goal=f"at most {BLOCK_MS} ms",
        reached=ours["first_block"] <= BLOCK_MS,
    )
    yield Result(
        what=f"the same after gc.freeze() and gc.set_threshold{THRESHOLDS}",
        measured=f"{tuned['first_block']:.0f} ms, {tuned['first_pause']:.0f} ms the collector's longest",
    )
    kilobytes = ours["memory"] / MANY / 1000
    yield Result(
        what=f"{what}: memory a wait",
        baseline=baseline,
        measured=f"{kilobytes:.1f} KB ({bare['memory'] / MANY / 1000:.1f} KB)",
        goal=f"under {KILOBYTES_A_WAIT} KB",
        reached=kilobytes < KILOBYTES_A_WAIT,
    )
    yield Result(
        what=f"{what}: sockets",
        measured=f"{connections}",
        goal=f"at most max_connections, {MAX_CONNECTIONS}",
        reached=connections <= MAX_CONNECTIONS,
    )


def _calls() -> Result:
    calls = []
    for waits in (1, FEW):
        with stub(LATENCY, max_connections=MAX_CONNECTIONS) as vendor:
            in_process("waiting", "until_deadline", waits, SHORT_INTERVAL, POLLS)
            calls.append(vendor.figures()["calls"])
    alone, together = calls
    fewer = alone * FEW / together
    return Result(
        what=f"calls for {FEW:,} waits of one message over {POLLS} polls",
        baseline=f"{FEW:,} times the {alone} calls of a deferred wait that polls alone",
        measured=f"{fewer:.0f} x fewer ({together} calls)",
        goal="500 x fewer",
        reached=fewer >= 500,
    )


def main(report: str, mode: str, waits: str, *arguments: str) -> None:
    """Run an event loop with waits, and report what it cost."""
    runs: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
        "until_deadline": _until_deadline,
        "shared": _shared,
        "begin_tuned": _begin_tuned,
        "bare": _bare,
    }
    found = asyncio.run(runs[mode](int(waits), *arguments))
    Path(report).write_text(json.dumps(found))


async def _until_deadline(waits: int, interval: str, polls: str) -> None:
    """Start waits that poll so often, and time out."""
    seconds = float(interval)
    triggers = [_trigger(n, seconds, first=seconds, polls=int(polls)) for n in range(waits)]
    events = await asyncio.gather(*(anext(trigger.run()) for trigger in triggers))
    if {event.payload["verdict"] for event in events} != {"timed_out"}:
        raise ValueError("not all waits have timed out")


async def _shared(waits: int, interval: str, *, looks_on: bool = True) -> dict[str, float]:
    """
    Start waits that poll as the triggerer does.

    :param looks_on: when all have begun.
    """
    seconds = float(interval)

    def begin(n: int) -> asyncio.Future[Any]:
        trigger = _trigger(n, seconds, first=seconds / 2 * n / waits, polls=100)
        task: asyncio.Future[Any] = asyncio.ensure_future(anext(trigger.run()))
        return task

    return await _cost(begin, waits, seconds, looks_on=looks_on)


async def _begin_tuned(waits: int, interval: str) -> dict[str, float]:
    """Start waits in a process whose garbage collector leaves out what stays, and rarely searches everything."""
    import_module(TRIGGER)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    return await _shared(waits, interval, looks_on=False)


async def _bare(waits: int, interval: str, url: str) -> dict[str, float]:
    """Start coroutines that poll and do nothing else."""
    seconds = float(interval)

    async def wait(n: int) -> None:
        body = {
            "apiKey": "benchmark",
            "SMSStatut_List": [{"phoneNumber": f"+336{n:08}", "messageId": _waiting_id(n)}],
        }
        await asyncio.sleep(seconds / 2 * n / waits)
        while True:
            async with session.post(f"{url}/v1/multi-status", json=body) as answer:
                (row,) = (await answer.json())["StatutResponse_List"]
            if row["status"] != "Waiting":
                return
            await asyncio.sleep(seconds)

    connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        return await _cost(lambda n: asyncio.ensure_future(wait(n)), waits, seconds)


def _trigger(n: int, interval: float, *, first: float, polls: int) -> Any:
    from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

    now = datetime.now(UTC)
    deadline = now + timedelta(seconds=first + interval * (polls - 1.5))
    return SMSPartnerCampaignTrigger(
        smspartner_conn_id=CONN_ID,
        tag=None,
        messages=[[f"+336{n:08}", str(_waiting_id(n))]],
        settled={},
        goal={
            "settled_ratio": 1.0,
            "expected_total": None,
            "started_at": now,
            "deadline": deadline,
            "not_found_until": deadline,
        },
        rhythm={"poke_interval": interval, "exponential_backoff": False, "max_wait": None, "seed": str(n)},
        next_poll_at=now + timedelta(seconds=first),
    )


def _waiting_id(n: int) -> int:
    return 10 * n + 7


async def _cost(
    begin: Callable[[int], asyncio.Future[Any]], waits: int, interval: float, *, looks_on: bool = True
) -> dict[str, float]:
    """
    Begin waits, whose first polls are spread over half an interval, and look at the interval after that.

    :param looks_on: when all have begun.
    :return: in seconds, milliseconds and bytes.
    """
    # Both stand in a process that has loaded what a triggerer has: what it holds is the collector's to search.
    import_module(TRIGGER)
    monitor = Monitor()
    watching = asyncio.ensure_future(monitor.watch())
    gc.collect()
    gc.collect()
    found = {"empty_pause": monitor.pause}
    memory = resident_bytes()
    # A first one loads what only waiting needs.
    tasks = [begin(0)]
    await asyncio.sleep(1)
    began = time.monotonic()
    monitor.reset()
    for n in range(1, waits):
        tasks.append(begin(n))
        if n % 10 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(1)
    found |= {"first_block": monitor.block, "first_pause": monitor.pause}
    if looks_on:
        await asyncio.sleep(began + interval / 2 + 5 - time.monotonic())
        monitor.reset()
        cpu = time.process_time()
        await asyncio.sleep(interval)
        found |= {
            "cpu": time.process_time() - cpu,
            "block": monitor.block,
            "pause": monitor.pause,
            "memory": resident_bytes() - memory,
        }
    for task in [watching, *tasks]:
        task.cancel()
    outcomes = await asyncio.gather(watching, *tasks, return_exceptions=True)
    if not all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes):
        raise ValueError("a wait has ended before its time")
    return found


class Monitor:
    """Sees how long the event loop is kept from what is due, and how long Python's collector runs; milliseconds."""

    def __init__(self) -> None:
        gc.callbacks.append(self._on_collection)
        self._began = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self.block = self.pause = 0.0

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            asleep = time.perf_counter()
            await asyncio.sleep(0.005)
            self.block = max(self.block, (time.perf_counter() - asleep - 0.005) * 1000)

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.pause = max(self.pause, (time.perf_counter() - self._began) * 1000)


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO")
    main(*sys.argv[1:])
