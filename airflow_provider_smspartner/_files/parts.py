"""Files in the making: how they are named, and which of them a run that is dead has left behind."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow_provider_smspartner import _clock

log = logging.getLogger(__name__)

_DAY_SECONDS = 86_400
_MOST_ENTRIES = 100_000
"""Entries of a local folder that are looked at: a fraction of a second."""

_OWNER = re.compile(
    r"(?:(?P<space>[0-9a-f]{8})-(?P<pid>[0-9]{1,10})-(?P<start>[0-9]{1,20})-)?[0-9a-f]{12}\.part"
)


def part_name(name: str) -> str:
    """
    Name a new part of a file so that no pattern for finished files matches, and that it tells whose it is.

    :param name: the file's name, without a folder.
    """
    pid = os.getpid()
    start = _start_of(pid)
    space = _process_space()
    owner = f"{space}-{pid}-{start}-" if space and start else ""
    return f".{name}.{owner}{uuid4().hex[:12]}.part"


def remove_left_behind_locally(folder: str, name: str) -> None:
    """
    Remove the parts of a local file that dead runs have left.

    :param folder: where the file is.
    :param name: the file's name.
    """
    with suppress(OSError), os.scandir(folder or ".") as entries:
        for entry in islice(entries, _MOST_ENTRIES):
            if (owner := _owner(entry.name, name)) and entry.is_file(follow_symlinks=False):
                # Another run may do the same, and the folder may be another user's.
                with suppress(OSError):
                    if _is_left_behind(owner, entry.stat(follow_symlinks=False).st_mtime):
                        Path(entry.path).unlink()
                        _tell(entry.path)


def remove_left_behind_remotely(fs: Any, folder: str, name: str) -> None:
    """
    Remove the parts of an object that dead runs have left. Not every account may list: then nothing is removed.

    :param fs: an object store, from fsspec.
    :param folder: what stands before the object's name.
    :param name: the object's name.
    """
    try:
        for path in _listed(fs, folder, name):
            owner = _owner(path.rpartition("/")[2], name)
            if owner and _is_left_behind(owner, fs.modified(path).timestamp()):
                fs.rm_file(path)
                _tell(path)
    except Exception as error:  # noqa: BLE001
        # Every storage has errors of its own, and none of them may fail a run that can do without.
        log.debug("Parts of %s%s were not looked for (%s).", folder, name, type(error).__name__)


def _listed(fs: Any, folder: str, name: str) -> Iterator[str]:
    # Object stores list by a prefix: never more than this object's own parts.
    return islice(fs.find(folder.rstrip("/"), prefix=f".{name}."), _MOST_ENTRIES)


def _tell(path: str) -> None:
    log.info("Removed %s, which a run that ended without cleaning up had left behind.", path)


def _owner(entry: str, name: str) -> re.Match[str] | None:
    prefix = f".{name}."
    return _OWNER.fullmatch(entry, len(prefix)) if entry.startswith(prefix) else None


def _is_left_behind(owner: re.Match[str], modified: float) -> bool:
    if owner["space"] is not None and owner["space"] == _process_space():
        return not _is_running(int(owner["pid"]), owner["start"])
    # Another host's, or of a process that could not say: a run that lives writes at least once a day.
    return _clock.now().timestamp() - modified > _DAY_SECONDS


def _is_running(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # another user's
    # A process id is used again, and then begins at another time.
    return _start_of(pid) in (start, None)


def _start_of(pid: int) -> str | None:
    try:
        # Behind the command's name, which may hold anything, the time of the start is the 20th field.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, ValueError, IndexError):
        return None


@lru_cache(maxsize=1)
def _process_space() -> str | None:
    """
    Name the space in which process ids mean the same: this boot of this host, and within it this container.

    Containers that share a folder have equal process ids; the name of the host says nothing about that.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:8]
