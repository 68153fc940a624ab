"""Airflow's store of what a task keeps for its next try, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class StateStore:
    """Takes JSON types only, as Airflow's own, and fails where a test wants it to."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.retentions: list[Any] = []
        self.fails_at: Callable[[str], bool] = lambda _: False

    def get(self, key: str, default: Any = None) -> Any:
        self._check(f"get {key}")
        return json.loads(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._check(f"set {key}")
        assert value is not None
        self.retentions.append(retention)
        self.kept[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self._check(f"delete {key}")
        self.kept.pop(key, None)

    def _check(self, what: str) -> None:
        if self.fails_at(what):
            raise RuntimeError("Airflow's API does not answer")
