"""Storages for the tests: fsspec's in memory, as it is, and in the place of S3."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach  # type: ignore[no-redef]  # Airflow 2's

STORE_MODULE = sys.modules[attach.__module__]
"""Where this Airflow keeps the storages that it knows."""


class Bucket(MemoryFileSystem):  # type: ignore[misc]  # fsspec is without types
    """Has objects and no folders, and does nothing but what its permissions allow."""

    protocol = ("s3",)
    cachable = False
    forbidden: frozenset[str] = frozenset()

    def __init__(self, *, forbidden: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.forbidden = forbidden

    def _allow(self, action: str) -> None:
        if action in self.forbidden:
            raise PermissionError(f"Access Denied ({action})")

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        raise AssertionError("s3fs would make a bucket")

    def mv(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("mv needs to list, and expands patterns")

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        self._allow(mode)
        return super().open(path, mode, **kwargs)

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        self._allow("copy")
        super().cp_file(path1, path2, **kwargs)

    def rm_file(self, path: str) -> None:
        self._allow("delete")
        super().rm_file(path)

    @property
    def names(self) -> list[str]:
        return sorted(self.store)


def attached(
    monkeypatch: pytest.MonkeyPatch, scheme: str, fs: MemoryFileSystem, conn_id: str | None = None
) -> None:
    """Make ObjectStoragePath find a storage, until the test ends."""
    monkeypatch.setattr(STORE_MODULE, "_STORE_CACHE", {})
    attach(protocol=scheme, conn_id=conn_id, fs=fs)
