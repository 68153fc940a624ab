"""The messages that a wait, or a fetch, still has to ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from airflow_provider_smspartner.models import MessageRef


class PendingMessages(Protocol):
    """
    Messages that are still to be asked for, each once and in order.

    While the answers are read, `settle` notes the messages that need no more asking. Once all answers are read, `keep`
    drops them; if the reading failed, `undo` forgets what was noted, and all of them are asked for again.
    """

    def __len__(self) -> int:
        """Return their number, those that are only noted included."""

    def __iter__(self) -> Iterator[MessageRef]:
        """Yield the messages; noting some of them meanwhile does no harm."""

    def settle(self, ref: MessageRef) -> None:
        """Note that a message needs no more asking."""

    def keep(self) -> None:
        """Drop the messages that were noted."""

    def undo(self) -> None:
        """Forget what was noted."""

    def close(self) -> None:
        """Release the messages; their number stays known."""


class PendingInMemory(list[MessageRef]):
    """
    Pending messages in a list.

    It has no attributes but one: a triggerer holds thousands of them (`benchmarks/RESULTS.md`, "memory a wait").

    :param refs: each message once.
    """

    __slots__ = ("_noted",)

    def __init__(self, refs: Iterable[MessageRef] = ()) -> None:
        super().__init__(refs)
        self._noted: list[MessageRef] = []

    def settle(self, ref: MessageRef) -> None:
        """Note that a message needs no more asking."""
        self._noted.append(ref)

    def keep(self) -> None:
        """Drop the messages that were noted."""
        if self._noted:
            noted = set(self._noted)
            self[:] = [ref for ref in self if ref not in noted]
            self._noted.clear()

    def undo(self) -> None:
        """Forget what was noted."""
        self._noted.clear()

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
