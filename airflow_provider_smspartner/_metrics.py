"""What this provider counts, and the one way to Airflow's metrics. No name holds a tag, a number or an id."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor

log = logging.getLogger(__name__)


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
    "Requests, each try by itself: SMS Partner gave an answer that can be used, refused, or gave none that can be "
    "used. The last are network errors, time-outs, HTTP 429 and 5xx.",
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
        if _is_on_event_loop():
            # The first use looks up the receiver's host, and reads files: not on the event loop.
            _thread_of(os.getpid()).submit(_send, name, number)
        else:
            _send(name, number)
    except Exception as error:  # noqa: BLE001 - a count is never worth a failed task
        log.debug("%s was not counted (%s).", name, type(error).__name__)


def _send(name: str, number: int) -> None:
    # Not with the module: it would be loaded whenever a DAG file is parsed.
    from airflow.providers.common.compat.sdk import Stats

    Stats.incr(name, number)


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
