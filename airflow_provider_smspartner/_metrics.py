"""What this provider counts, and the one way to Airflow's metrics. No name holds a tag, a number or an id."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import Counter, deque
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor

log = logging.getLogger(__name__)

_SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")
"""In Airflow's section ``[metrics]``: each switches on a way to send."""


@dataclass(frozen=True, slots=True)
class Metric:
    """
    A counter, or one for each outcome: ``<name>.<outcome>``. Plain StatsD knows no tags, so the name has it.

    :param name: as Airflow's metrics have it, without the prefix that Airflow puts before all names.
    :param meaning: what is counted, for the table in the docs.
    :param outcomes: what may follow the name.
    """

    name: str
    meaning: str
    outcomes: tuple[str, ...] = ()


REQUESTS = Metric(
    "smspartner.requests",
    "Requests, each try by itself. `refused`: the vendor refused it, or does not know the tag. `failed`: there was no "
    "usable answer, as with network errors, time-outs, HTTP 429 and 5xx.",
    ("answered", "refused", "failed"),
)
RETRIES = Metric("smspartner.retries", "Requests that were sent again after a failed try.")
ROWS = Metric(
    "smspartner.rows",
    "Rows that a task has delivered into XCom, a file or a table, by the status of the message.",
    ("delivered", "not_delivered", "waiting", "ko", "not_found", "unknown"),
)
POLLS = Metric(
    "smspartner.polls",
    "Polls of the sensor, in a worker or in the triggerer, by what they meant for the wait. A failed poll got no "
    "usable answer.",
    ("not_yet", "done", "timed_out", "not_found", "failed"),
)
WAITS = Metric(
    "smspartner.waits",
    "Waits of the sensor that have ended, by how. The verdict on `min_delivery_rate` does not count.",
    ("done", "timed_out", "not_found", "refused"),
)
SECONDS_WAITED = Metric(
    "smspartner.seconds_waited",
    "The seconds that those waits have lasted, from the first poll to the end. Divide them by `smspartner.waits`.",
    WAITS.outcomes,
)

METRICS = (REQUESTS, RETRIES, ROWS, POLLS, WAITS, SECONDS_WAITED)


def count(metric: Metric, outcome: str | None = None, *, number: int = 1) -> None:
    """
    Add to a counter. What goes wrong with that never reaches the caller.

    :param metric: one of `METRICS`.
    :param outcome: one of the metric's outcomes, if it has any.
    :param number: how many there are to add.
    """
    name = metric.name if outcome is None else f"{metric.name}.{outcome}"
    try:
        if not _are_on():
            return
        if not _is_on_event_loop():
            _send(name, number)
            return
        # The first use looks up the receiver's host, and reads files: not on the event loop.
        waiting = _on_this_loop.waiting
        waiting.append((name, number))
        if len(waiting) == 1:
            _thread_of(os.getpid()).submit(_send_all, waiting)
    except Exception as error:  # noqa: BLE001 - a count is never worth a failed task
        _note(name, error)


class _OfOneThread(threading.local):
    """What the event loop of a thread has counted, and is still to be sent."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, int]] = deque()


_on_this_loop = _OfOneThread()


def _send_all(waiting: deque[tuple[str, int]]) -> None:
    """Send what is waiting, added up. The loop's thread alone appends, and this one alone takes."""
    totals: Counter[str] = Counter()
    while waiting:
        name, number = waiting.popleft()
        totals[name] += number
    for name, total in totals.items():
        try:
            _send(name, total)
        except Exception as error:  # noqa: BLE001 - the others are still to be sent
            _note(name, error)


def _send(name: str, number: int) -> None:
    # Not with the module: it would be loaded whenever a DAG file is parsed.
    from airflow.providers.common.compat.sdk import Stats

    Stats.incr(name, number)


def _note(name: str, error: Exception) -> None:
    log.debug("%s was not counted (%s).", name, type(error).__name__)


@lru_cache(maxsize=1)
def _are_on() -> bool:
    """Whether Airflow sends metrics: by default it does not, and then a count costs nothing."""
    from airflow.providers.common.compat.sdk import conf

    return any(conf.getboolean("metrics", switch, fallback=False) for switch in _SWITCHES)


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@lru_cache(maxsize=1)
def _thread_of(_process_id: int) -> Executor:
    """Return the one thread that sends for event loops; a fork needs a new one."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, thread_name_prefix="smspartner-metrics")
