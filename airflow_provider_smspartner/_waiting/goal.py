"""What a wait is for, and how a poll is judged by that."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from airflow_provider_smspartner.models import DeliveryStatus, StatusSummary


class Verdict(StrEnum):
    """What a poll means for the wait."""

    NOT_YET = "not_yet"
    DONE = "done"
    NOT_FOUND = "not_found"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    FAILED = "failed"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is waited for, and until when.

    :param settled_ratio: share of the rows that must be neither Waiting nor Not found, above 0 and up to 1.
    :param expected_total: rows that must be known, or None.
    :param started_at: when the wait began: its first poll.
    :param deadline: when it times out.
    :param not_found_until: until when a message that the vendor does not know is waited for.
    """

    settled_ratio: float
    expected_total: int | None
    started_at: datetime
    deadline: datetime
    not_found_until: datetime

    @property
    def grace(self) -> timedelta:
        """How long a message that the vendor does not know is waited for."""
        return self.not_found_until - self.started_at

    def judge(
        self, summary: StatusSummary | None, *, now: datetime, not_found_until: datetime | None = None
    ) -> Verdict:
        """
        Judge a poll.

        :param summary: what was read, without rows for an unknown tag; None if the poll failed.
        :param now: aware.
        :param not_found_until: until when the grace of messages lasts that were known; by default the goal's own.
        """
        if summary is not None:
            not_found = summary.counts.get(DeliveryStatus.NOT_FOUND, 0)
            known = summary.total - not_found
            # Not exact, because 0.07 * 100 is a little more than 7.
            enough = summary.settled_count >= self.settled_ratio * summary.total - 1e-6
            if summary.total and enough and known >= (self.expected_total or 0):
                return Verdict.DONE
            if self.lacks_messages(summary) and now >= (not_found_until or self.not_found_until):
                return Verdict.NOT_FOUND
        return Verdict.TIMED_OUT if now > self.deadline else Verdict.NOT_YET

    def lacks_messages(self, summary: StatusSummary | None) -> bool:
        """
        Return whether the vendor does not know a message, or none of the tag.

        :param summary: what was read, or None.
        """
        if summary is None:
            return False
        return not summary.total or summary.counts.get(DeliveryStatus.NOT_FOUND, 0) > 0
