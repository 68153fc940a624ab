"""How a reader ends: the values that the table expects and the tests see."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Outcome:
    """
    How a reader ends.

    :param error: the name of the error's class, None for rows.
    :param tries: after how many tries of a request it gave up, where it says so.
    :param is_out_of_time: whether it gave up because the time for all tries was used up.
    :param statuses: how many rows there are of each status.
    :param has_waited: whether the first poll of a sensor did not end the wait.
    """

    error: str | None = None
    tries: int | None = None
    is_out_of_time: bool = False
    statuses: tuple[tuple[str, int], ...] = ()
    has_waited: bool = False

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, Any]], *, has_waited: bool = False) -> Self:
        """Say how a reader has ended that gave rows."""
        return cls(
            statuses=tuple(sorted(Counter(row["status"] for row in rows).items())), has_waited=has_waited
        )

    @classmethod
    def of_error(cls, error: Exception, *, has_waited: bool = False) -> Self:
        """Say how a reader has ended that raised an error."""
        gave_up = re.search(r"Gave up after (\d+) tr", str(error))
        # Of a further try that had just begun, it may be the connection that did not come in time.
        is_out_of_time = re.search(r"within the \S+ s of a call", str(error)) is not None
        return cls(
            error=type(error).__name__,
            tries=int(gave_up[1]) if gave_up and not is_out_of_time else None,
            is_out_of_time=is_out_of_time,
            has_waited=has_waited,
        )

    def __str__(self) -> str:
        """Write it as the page shows it."""
        if self.error is None:
            ending = "rows: " + ", ".join(f"{count} {status}" for status, count in self.statuses)
        else:
            ending = f"`{self.error}`"
        if self.tries is not None:
            ending += ", 1 try" if self.tries == 1 else f", {self.tries} tries"
        if self.is_out_of_time:
            ending += ", out of time"
        return f"waits, then {ending}" if self.has_waited else ending


def rows(**statuses: int) -> Outcome:
    """Rows at once: how many of each status, whose name has _ for a space."""
    return Outcome(
        statuses=tuple(sorted((name.replace("_", " "), count) for name, count in statuses.items()))
    )


def waits_then_rows(**statuses: int) -> Outcome:
    """Rows, once the fault has passed."""
    return Outcome(statuses=rows(**statuses).statuses, has_waited=True)


def raises(error: type[Exception], *, tries: int | None = None, is_out_of_time: bool = False) -> Outcome:
    """Raise an error, after so many tries of a request where it says so."""
    return Outcome(error=error.__name__, tries=tries, is_out_of_time=is_out_of_time)
