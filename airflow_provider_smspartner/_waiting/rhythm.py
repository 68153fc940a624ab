"""How long a wait pauses between two polls."""

from __future__ import annotations

import hashlib

import msgspec


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """
    The pauses between polls.

    A pause follows from the time since the first poll alone, so that no mode has to count polls.

    The figures are those of Airflow's own sensors: with `exponential_backoff` the n-th pause is drawn from
    2^(n-2) to 2^(n-1) intervals, by the seed and not by chance.

    :param poke_interval: seconds.
    :param exponential_backoff: wait progressively longer.
    :param max_wait: most seconds of a progressive pause, or None.
    :param seed: makes the pauses of one task differ from another's.
    """

    poke_interval: float
    exponential_backoff: bool
    max_wait: float | None
    seed: str

    def delay(self, elapsed: float, *, remaining: float) -> float:
        """
        Return the seconds until the next poll.

        :param elapsed: seconds since the first poll.
        :param remaining: seconds until the deadline; a progressive pause does not pass it.
        """
        if not self.exponential_backoff:
            return self.poke_interval
        # Not less: the pauses of an interval of 0 would never grow, and counting them would never end.
        interval = max(self.poke_interval, 0.5)
        number, passed = 1, 0.0
        while True:
            # The exponent is bounded because a float is; by then any deadline has long passed.
            least = max(int(interval * 2.0 ** min(number - 2, 60)), 1)
            pause = float(least + self._draw(number) % least)
            if self.max_wait:
                pause = min(pause, self.max_wait)
            passed += pause
            # Once even the least pause is over the cap, all further ones are the cap: no need to count them.
            if passed > elapsed or (self.max_wait and least >= self.max_wait):
                return max(0.0, min(pause, remaining))
            number += 1

    def _draw(self, number: int) -> int:
        digest = hashlib.sha1(f"{self.seed}#{number}".encode(), usedforsecurity=False)
        return int(digest.hexdigest(), 16)
