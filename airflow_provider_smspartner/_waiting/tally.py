"""What one poll has read, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, StatusSummary

PASSING_TROUBLE = (SMSPartnerUnavailableError, SMSPartnerIncompleteError)
"""Errors that never end a wait before its deadline."""


def out_of_time() -> SMSPartnerUnavailableError:
    """Return the error of a poll that was not answered in full when the time of its wait was over."""
    return SMSPartnerUnavailableError("The time was over before the last poll was answered in full.")


class Tally:
    """
    The rows of one poll, counted as they come.

    Use it in ``with``: passing trouble ends the poll and is kept in `trouble`, not raised.

    :param campaign: told which messages need no more asking, once the poll is read in full.
    :param now: returns the time, aware.
    """

    def __init__(self, campaign: Campaign, now: _clock.Now = _clock.now) -> None:
        self._campaign = campaign
        self._now = now
        self._counts: Counter[DeliveryStatus] = Counter()
        self._over = False
        self.summary: StatusSummary | None = None
        self.trouble: SMSPartnerError | None = None
        self.total = 0
        self.waiting_on_page: int | None = None
        self.is_silent = False
        """Whether the vendor said nothing about some message, or gave no row of the tag without saying why."""

    def add(self, status: DeliveryStatus, ref: MessageRef | None = None, *, is_silence: bool = False) -> None:
        """
        Count a row.

        :param status: what became of the message.
        :param ref: which message it is, where the campaign is a list of messages.
        :param is_silence: whether it stands for a message that the vendor left unanswered.
        """
        self._counts[status] += 1
        self.is_silent |= is_silence
        # An answer may still come after trouble has ended the poll: it must not count for the next one.
        if ref is not None and status.is_final and not self._over:
            self._campaign.messages.settle(ref)

    def add_counts(self, counts: Mapping[DeliveryStatus, int]) -> None:
        """
        Add rows that were counted for several waits.

        :param counts: rows by status.
        """
        self._counts.update(counts)

    def stop_at_waiting(self, *, page: int, total: int) -> None:
        """
        End the poll before the tag's last page, because a message is still Waiting: not all rows are counted.

        :param page: the page with that message.
        :param total: rows of the tag, as its first page says.
        """
        self.waiting_on_page, self.total = page, total

    @property
    def counts(self) -> Counter[DeliveryStatus]:
        """The rows read so far, by status."""
        return self._counts

    def __enter__(self) -> Self:
        """Begin to count."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End the poll, as `end` does."""
        return self.end(error)

    def end(self, error: BaseException | None = None) -> bool:
        """
        End the poll: read in full, or broken off by trouble that may pass.

        :param error: what broke it off.
        :return: whether the error is dealt with; otherwise it is to be raised.
        """
        self._over = True
        if error is not None:
            self._campaign.messages.undo()
        if isinstance(error, PASSING_TROUBLE):
            self.trouble = error
            return True
        if isinstance(error, SMSPartnerNotFoundError):
            self._counts = Counter({DeliveryStatus.NOT_FOUND: len(self._campaign.messages)})
            self.is_silent = error.code is None
        elif error is not None:
            return False
        if self.waiting_on_page is not None:
            return True
        counts = self._campaign.settled + self._counts
        self.summary = StatusSummary(counts=counts, checked_at=self._now())
        if self._campaign.tag is None:
            self._campaign.messages.keep()
            self._campaign.settled += Counter(
                {status: n for status, n in self._counts.items() if status.is_final}
            )
        return True
