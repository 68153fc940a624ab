"""What a poll has brought: its verdict, and the lines about it in the task's log."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_provider_smspartner._waiting.goal import Verdict
from airflow_provider_smspartner.models import StatusSummary


class PollReport(msgspec.Struct, frozen=True, kw_only=True):
    """
    A judged poll.

    :param verdict: what it means for the wait.
    :param summary: what was read, or None if the poll failed.
    :param campaign: the campaign's name, at the beginning of a sentence.
    :param found: what was met, in words.
    :param next_at: when to poll next, if the verdict is "not yet".
    :param delay: the seconds until then.
    :param is_failed: whether the poll failed.
    :param recovery: says that polls before this one have failed, or None.
    """

    verdict: Verdict
    summary: StatusSummary | None
    campaign: str
    found: str
    next_at: datetime
    delay: float
    is_failed: bool = False
    recovery: str | None = None

    @property
    def headline(self) -> str:
        """The campaign and what was met, in words."""
        return f"{self.campaign}: {self.found}"

    def __str__(self) -> str:
        """Return what was met and what follows, in one line for the log."""
        if self.verdict is not Verdict.NOT_YET:
            return f"{self.headline}; {self.verdict.value.replace('_', ' ')}."
        # The next poll stands early in the line: Airflow's pages cut off its end.
        return (
            f"{self.campaign}: next poll in {self.delay:.0f} s, at {clock_time(self.next_at)}; {self.found}."
        )

    def log_to(self, log: Any) -> None:
        """
        Log the poll: a failed one as a warning.

        :param log: the logger of the task.
        """
        if self.recovery is not None:
            log.info("%s", self.recovery)
        log.log(logging.WARNING if self.is_failed else logging.INFO, "%s", self)


def date_and_time(when: datetime) -> str:
    """Return a date and time for a log line, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock_time(when: datetime) -> str:
    """Return a time without its date for a log line, in UTC."""
    return f"{when.astimezone(UTC):%H:%M:%S} UTC"
