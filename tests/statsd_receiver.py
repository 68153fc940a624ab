"""A StatsD server on loopback: what Airflow sends its metrics to."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter


class StatsdReceiver:
    """Adds up the counters of this provider, as they come in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._totals: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @property
    def env(self) -> dict[str, str]:
        """Airflow's settings that lead here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
        }

    def totals(self) -> Counter[str]:
        """Return what has come in so far, by the names without Airflow's prefix."""
        return Counter(self._totals)

    def close(self) -> Counter[str]:
        """End, once everything that was sent is there, and return it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()
        return self.totals()

    def _receive(self) -> None:
        while data := self._socket.recv(65_536):
            for line in data.decode().splitlines():
                if found := re.fullmatch(r"airflow\.(smspartner\.[^:|]+):(\d+)\|c", line):
                    self._totals[found[1]] += int(found[2])
