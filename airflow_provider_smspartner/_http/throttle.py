"""The ceiling of requests per minute: one for all threads and coroutines of a process that use a connection id."""

from __future__ import annotations

import os
import threading
from collections import deque

from airflow_provider_smspartner import _clock


class Throttle:
    """
    A ceiling that is spread evenly: never more than one second's worth at once.

    A caller takes its turn and sleeps until then by itself, so one throttle serves threads and event loops alike,
    in the order of asking.

    :param requests_per_minute: at least 1.
    """

    def __init__(self, requests_per_minute: int) -> None:
        burst = max(1, requests_per_minute // 60)
        self.requests_per_minute = requests_per_minute
        # Only whole bursts fit a minute: rounded down, since a part of one could pass the ceiling.
        self._window = 60 / (requests_per_minute // burst)
        self._turns: deque[float] = deque(maxlen=burst)
        self._lock = threading.Lock()

    def take_turn(self) -> float:
        """Reserve the next free turn, and return the seconds until then."""
        with self._lock:
            now = turn = _clock.monotonic()
            if len(self._turns) == self._turns.maxlen:
                turn = max(now, self._turns[0] + self._window)
            self._turns.append(turn)
        return turn - now


_throttles: dict[str, Throttle] = {}
_throttles_lock = threading.Lock()


def throttle_for(conn_id: str, requests_per_minute: int) -> Throttle | None:
    """
    Return the throttle that all clients of a connection share in this process.

    :param requests_per_minute: 0 for none; another figure than before begins anew.
    """
    if not requests_per_minute:
        return None
    with _throttles_lock:
        throttle = _throttles.get(conn_id)
        if throttle is None or throttle.requests_per_minute != requests_per_minute:
            throttle = _throttles[conn_id] = Throttle(requests_per_minute)
    return throttle


def _begin_anew() -> None:
    # A lock that another thread held when the process was forked is held for ever in the child.
    global _throttles_lock  # noqa: PLW0603
    _throttles_lock = threading.Lock()
    _throttles.clear()


os.register_at_fork(after_in_child=_begin_anew)
