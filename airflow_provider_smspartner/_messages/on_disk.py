"""
The messages of a file while they are asked for: on disk, so that memory does not grow with their number.

A million messages take no memory that can be measured (`benchmarks/RESULTS.md`, "1,000,000 messages from .csv"); a list
of them takes some 220 bytes each. SQLite is in Python's library, holds each message once, and drops those that have
settled.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import takewhile
from threading import Lock
from typing import Self

from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner._messages.pending import PendingInMemory, PendingMessages
from airflow_provider_smspartner.models import MessageRef, to_ref

_AT_ONCE = 500
"""Messages read or settled in one step: as many as a call has, and quick enough for an event loop."""

_FEW = 500
"""Messages that are held in memory after all: the cache of a database takes as much as a few thousand."""

_CACHE_KB = 2_000

# A table of the temporary database, which SQLite makes only after it was told where: in a file that it unlinks as
# soon as it is open, and of which it holds a bounded part in memory. A connection to "" would be open before it
# could be told, and some builds of SQLite hold that one in memory.
# Ids grow along a file and phone numbers do not: with the id first, neighbours are on one page of the index.
_SETUP = (
    "PRAGMA temp_store = FILE",
    f"PRAGMA temp.cache_size = -{_CACHE_KB}",
    """
    CREATE TEMP TABLE messages (
        position INTEGER PRIMARY KEY,
        phone_number TEXT NOT NULL,
        message_id TEXT NOT NULL,
        UNIQUE (message_id, phone_number)
    )
    """,
)
_ADD = "INSERT OR IGNORE INTO messages (phone_number, message_id) VALUES (?, ?)"
_PAGE = "SELECT position, phone_number, message_id FROM messages WHERE position > ? ORDER BY position LIMIT ?"
_DROP = "DELETE FROM messages WHERE phone_number = ? AND message_id = ?"


class PendingOnDisk:
    """
    The messages of a file that are still to be asked for: each once, and in the file's order.

    They stand in a temporary file without a name, which is gone once this object is closed or the process ends.
    One thread may load the messages and another use them then; while they are being loaded, others may only close it.
    """

    def __init__(self) -> None:
        # Transactions begin and end where this class says so.
        self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for statement in _SETUP:
            self._database.execute(statement)
        self._count = 0
        self._noted: list[MessageRef] = []
        self._dropped = 0
        self._loading = Lock()
        self._closed = False

    @classmethod
    def of(cls, path: str) -> Self:
        """
        Read a file whole.

        :param path: what `MessageFile.of` takes.
        :raises ValueError: names the path, the row and the fault of a bad message.
        :raises OSError: if there is no such file, or no room for a temporary one.
        """
        pending = cls()
        try:
            pending.load(MessageFile.of(path))
        except BaseException:
            pending.close()
            raise
        return pending

    def load(self, messages: Iterable[MessageRef]) -> None:
        """
        Add messages; one that is there already stays where it is. After an error this object can only be closed.

        :raises OSError: if they cannot be held on disk.
        """
        try:
            with self._loading:
                self._database.execute("BEGIN")
                wanted = takewhile(lambda _: not self._closed, messages)
                self._count += self._database.executemany(_ADD, wanted).rowcount
                self._database.commit()
        except sqlite3.Error as error:
            raise OSError(f"messages cannot be held in a temporary file: {error}") from None
        finally:
            if self._closed:
                self.close()

    def lightest(self) -> PendingMessages:
        """Return the messages in what takes least memory: few of them in a list, and this object is closed."""
        if self._count > _FEW:
            return self
        few = PendingInMemory(self)
        self.close()
        return few

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[MessageRef]:
        # A page at a time, so that no statement is under way while messages are dropped.
        last = 0
        while page := self._database.execute(_PAGE, (last, _AT_ONCE)).fetchall():
            for _, phone_number, message_id in page:
                yield to_ref((phone_number, message_id))
            last = page[-1][0]

    def settle(self, ref: MessageRef) -> None:
        """Note that a message needs no more asking."""
        self._noted.append(ref)
        if len(self._noted) == _AT_ONCE:
            self._drop_noted()

    def keep(self) -> None:
        """Drop what was noted."""
        self._drop_noted()
        self._database.commit()
        self._count -= self._dropped
        self._dropped = 0

    def undo(self) -> None:
        """Forget what was noted."""
        self._noted.clear()
        self._database.rollback()
        self._dropped = 0

    def close(self) -> None:
        """Release the messages: at once or, while another thread still loads them, once it has loaded the next."""
        self._closed = True
        # The lock is not waited for: it may be an event loop that closes.
        if self._loading.acquire(blocking=False):
            try:
                self._database.close()
            finally:
                self._loading.release()

    def _drop_noted(self) -> None:
        if self._noted:
            if not self._database.in_transaction:
                self._database.execute("BEGIN")
            self._dropped += self._database.executemany(_DROP, self._noted).rowcount
            self._noted.clear()
