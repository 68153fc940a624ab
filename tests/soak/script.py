"""What the vendor knows at which time, and what goes wrong on the way: drawn from a seed, before anything runs."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

HOUR = 3600.0
SIMULATED_SECONDS = 48 * HOUR
"""Waits begin in nine tenths of it; the last of them may end a few hours after it."""

PAGE_SIZE = 50
NEVER = math.inf
WORDS = {"Delivered": "Delivered", "Not delivered": "Not delivered", "KO": "ko", "Unknown": "Teleported"}
"""What the vendor answers for a status."""


@dataclass(frozen=True)
class Group:
    """Messages of a campaign that share a fate. What is known stays so: `tests/waiting/` says what a loss means."""

    first_id: int
    size: int
    known_at: float
    settled_at: float
    status: str

    def status_at(self, when: float) -> str:
        """Return the status at a time, as the package calls it."""
        if when < self.known_at:
            return "Not found"
        return self.status if when >= self.settled_at else "Waiting"

    @property
    def ids(self) -> range:
        """The messages' ids."""
        return range(self.first_id, self.first_id + self.size)

    @property
    def turns(self) -> tuple[float, ...]:
        """When something about the messages changes."""
        return (self.known_at, self.settled_at)


@dataclass(frozen=True)
class Campaign:
    """A campaign as the vendor has it; while it knows none of it, it answers with an error or with no rows."""

    tag: str
    groups: tuple[Group, ...]
    is_unknown_an_error: bool
    refused_message: int | None = None

    @property
    def size(self) -> int:
        """How many messages there are."""
        return sum(group.size for group in self.groups)

    def counts_at(self, when: float) -> Counter[str]:
        """Return the messages by status at a time."""
        counts: Counter[str] = Counter()
        for group in self.groups:
            counts[group.status_at(when)] += group.size
        return counts


@dataclass(frozen=True)
class Outage:
    """From when until when the vendor answers nobody, and what calls meet instead."""

    begins: float
    ends: float
    fault: str


@dataclass
class Connection:
    """A connection to the vendor, which is down now and then, and whose key is refused from some time on."""

    conn_id: str
    outages: list[Outage]
    refused_from: float = NEVER

    def outage_at(self, when: float) -> Outage | None:
        """Return the outage at a time, if there is one."""
        at = bisect_right(self.outages, when, key=lambda outage: outage.begins) - 1
        return self.outages[at] if at >= 0 and when < self.outages[at].ends else None


@dataclass(frozen=True, kw_only=True)
class WaitScript:
    """
    A wait: what it is for, and from when until when its trigger does not run (`restarts`).

    It asks by tag, or by the list of messages. Its interval is that of the first polls; with `backoff` the later ones
    are up to ten times as far apart.
    """

    number: int
    conn_id: str
    campaign: Campaign
    by_tag: bool
    begins: float
    timeout: float
    grace: float
    interval: float
    backoff: bool
    settled_ratio: float
    expected_total: int | None
    restarts: tuple[tuple[float, float], ...]

    @property
    def deadline(self) -> float:
        """When it times out."""
        return self.begins + self.timeout

    @property
    def longest_pause(self) -> float:
        """Most seconds between two polls that nothing delays."""
        return self.interval * (10 if self.backoff else 1)


@dataclass
class Script:
    """Everything that is to happen: connections and campaigns by their ids, and waits in the order of their numbers."""

    connections: dict[str, Connection]
    waits: list[WaitScript]
    faults: Random
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    group_of: dict[int, Group] = field(default_factory=dict)
    refused_messages: set[int] = field(default_factory=set)


def draw(waits: int, *, connections: int, seed: int) -> Script:
    """
    Draw a script.

    :param waits: how many waits.
    :param connections: how many connections they share; the key of the last one is refused from some time on.
    :param seed: the same one gives the same script.
    """
    random = Random(seed)  # noqa: S311 - no secret
    known = {f"soak_{n}": Connection(f"soak_{n}", list(_outages(random))) for n in range(connections)}
    [*_, last] = known.values()
    last.refused_from = random.uniform(0.5, 0.8) * SIMULATED_SECONDS
    script = Script(known, [], Random(seed + 1))  # noqa: S311 - no secret
    # All triggers of the triggerer stop at once, now and then.
    stops = sorted(random.uniform(2 * HOUR, SIMULATED_SECONDS - 2 * HOUR) for _ in range(3))
    next_id = 1
    for number in range(waits):
        begins = random.uniform(0, 0.9 * SIMULATED_SECONDS)
        timeout = math.exp(random.uniform(math.log(0.25 * HOUR), math.log(12 * HOUR)))
        by_tag = random.random() < 0.5
        shared = script.waits[-1] if by_tag and script.waits and random.random() < 0.2 else None
        if shared is not None and shared.by_tag:
            # Two waits for the same tag.
            campaign, conn_id = shared.campaign, shared.conn_id
            begins, timeout = shared.begins + 60, shared.timeout
        else:
            groups = tuple(_groups(random, first_id=next_id, by_tag=by_tag, begins=begins, timeout=timeout))
            is_refused = not by_tag and random.random() < 0.02
            campaign = Campaign(
                f"tag{number}", groups, random.random() < 0.5, next_id if is_refused else None
            )
            conn_id = random.choice(list(known))
            next_id += campaign.size
        interval = max(timeout / 150, random.choice((30.0, 60.0, 120.0)))
        backoff = random.random() < 0.1
        wait = WaitScript(
            number=number,
            conn_id=conn_id,
            campaign=campaign,
            by_tag=by_tag,
            begins=begins,
            timeout=timeout,
            grace=random.choice((0.0, 600.0, 0.3 * timeout)),
            interval=interval / 10 if backoff else interval,
            backoff=backoff,
            settled_ratio=random.choice((1.0, 1.0, 1.0, 0.9, 0.5)),
            expected_total=random.choice((None, None, None, campaign.size)),
            restarts=tuple(_restarts(random, begins, timeout, stops)),
        )
        script.waits.append(wait)
        script.campaigns[campaign.tag] = campaign
        for group in campaign.groups:
            script.group_of.update(dict.fromkeys(group.ids, group))
        if campaign.refused_message is not None:
            script.refused_messages.add(campaign.refused_message)
    return script


def _outages(random: Random) -> Iterator[Outage]:
    begins = 0.0
    while (begins := begins + random.uniform(4 * HOUR, 16 * HOUR)) <= SIMULATED_SECONDS:
        ends = begins + random.choice((60.0, 600.0, HOUR, 3 * HOUR)) * random.uniform(0.8, 1.2)
        yield Outage(begins, ends, random.choice(("refused connection", "HTTP 503", "time-out", "reset")))
        begins = ends


def _groups(random: Random, *, first_id: int, by_tag: bool, begins: float, timeout: float) -> Iterator[Group]:
    if by_tag:
        size = random.choice((1, 3, 20, 49, 50, 51, 120))
    else:
        size = 1_100 if random.random() < 0.01 else random.choice((1, 1, 2, 5, 30))
    parts = min(size, random.choice((1, 2, 3)))
    for part in range(parts):
        part_size = size // parts + (1 if part < size % parts else 0)
        known_at = begins - HOUR if random.random() < 0.7 else begins + random.uniform(0, 0.3) * timeout
        if random.random() < 0.04:
            known_at = NEVER
        settled_at = max(known_at, begins) + math.exp(random.uniform(math.log(10), math.log(1.6 * timeout)))
        if random.random() < 0.1:
            settled_at = NEVER
        status = random.choices(("Delivered", "Not delivered", "KO", "Unknown"), (80, 12, 4, 4))[0]
        yield Group(first_id, part_size, known_at, settled_at, status)
        first_id += part_size


def _restarts(
    random: Random, begins: float, timeout: float, stops: list[float]
) -> Iterator[tuple[float, float]]:
    times = [random.uniform(begins, begins + timeout) for _ in range(random.choice((0, 0, 1, 1, 2, 3)))]
    down = [(when, when + random.choice((1.0, 30.0, 600.0)) * random.uniform(0.5, 1.0)) for when in times]
    down += [(when, when + 30.0) for when in stops if begins < when < begins + timeout + 600]
    started_last = -NEVER
    for stopped, started in sorted(down):
        if stopped > started_last:
            yield stopped, started
            started_last = started
