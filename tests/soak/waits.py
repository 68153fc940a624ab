"""The waits of a script, run by their real trigger on an event loop with virtual time."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from harness import stored
from soak.script import Script, WaitScript
from soak.vendor import Vendor, messages_of, running_loop
from virtual_time import at, virtual_now

from airflow_provider_smspartner._shared_polls import connections, registry
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

log = logging.getLogger(__name__)


class SoakTrigger(SMSPartnerCampaignTrigger):
    """The trigger, with the event loop's time for the wall clock's, and a log that is looked at."""

    _clock: ClassVar[Any] = staticmethod(virtual_now)
    log: ClassVar[Any] = log


class Lines(logging.Filter):
    """Counts the lines of a log and keeps those that hold a phone number; the log goes no further."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.leaks: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Look at a line."""
        self.count += 1
        line = record.getMessage()
        if re.search(r"\+?336\d{8}", line):
            self.leaks.append(line)
        return False


@dataclass(frozen=True)
class Ending:
    """How a wait has ended, and when."""

    payload: dict[str, Any]
    when: float


@dataclass
class Soak:
    """What has happened in how much virtual time, and what the event loop still had when all waits had ended."""

    vendor: Vendor
    endings: dict[int, Ending] = field(default_factory=dict)
    restarts: int = 0
    seconds: float = 0.0
    left: dict[str, Any] = field(default_factory=dict)


def trigger_of(wait: WaitScript) -> SoakTrigger:
    """Make a wait's trigger, as the sensor does when it defers."""
    return SoakTrigger(
        smspartner_conn_id=wait.conn_id,
        tag=wait.campaign.tag if wait.by_tag else None,
        messages=None if wait.by_tag else messages_of(wait.campaign.groups),
        settled={},
        goal={
            "settled_ratio": wait.settled_ratio,
            "expected_total": wait.expected_total,
            "started_at": at(wait.begins),
            "deadline": at(wait.deadline),
            "not_found_until": at(wait.begins + wait.grace),
        },
        rhythm={
            "poke_interval": wait.interval,
            "exponential_backoff": wait.backoff,
            "max_wait": wait.longest_pause if wait.backoff else None,
            "seed": f"wait {wait.number}",
        },
        next_poll_at=at(wait.begins),
    )


async def soak(script: Script) -> Soak:
    """Run all waits of a script, and return what has happened."""
    # What the package draws by chance is the same each time, too.
    random.seed(0)
    result = Soak(Vendor(script))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "open_async_client", result.vendor.open_client)
        async with asyncio.TaskGroup() as group:
            for wait in script.waits:
                group.create_task(_live(wait, result))
    loop = running_loop()
    result.seconds = loop.time()
    # Callbacks that are due now still run.
    await asyncio.sleep(1)
    result.left = {
        "tasks": asyncio.all_tasks() - {asyncio.current_task()},
        "clients": result.vendor.open_clients,
        "shared polls": [*registry._polls._of_loop[loop]],
        "connections": [*connections._connections._of_loop[loop]],
    }
    return result


async def _live(wait: WaitScript, result: Soak) -> None:
    loop = running_loop()
    await asyncio.sleep(wait.begins - loop.time())
    trigger = stored(trigger_of(wait))
    for stops_at, starts_at in wait.restarts:
        if await _run(trigger, wait, result, until=stops_at):
            return
        result.restarts += 1
        await asyncio.sleep(starts_at - loop.time())
        # As another triggerer does: with what Airflow has stored when the task deferred.
        trigger = stored(trigger)
    assert await _run(trigger, wait, result, until=None)


async def _run(trigger: SoakTrigger, wait: WaitScript, result: Soak, *, until: float | None) -> bool:
    """Run a trigger until it fires, or is cancelled at a time; return whether it has fired."""
    events: list[Any] = []

    async def fire() -> None:
        events.extend([event async for event in trigger.run()])

    task = asyncio.create_task(fire())
    await asyncio.wait([task], timeout=None if until is None else max(until - running_loop().time(), 0))
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return False
    task.result()
    (event,) = events
    result.endings[wait.number] = Ending(event.payload, running_loop().time())
    return True


def verdicts_of(result: Soak) -> Counter[str]:
    """Count the waits by verdict."""
    return Counter(ending.payload["verdict"] for ending in result.endings.values())
