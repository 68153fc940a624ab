"""A wait for a campaign, from poll to poll."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._metrics import POLLS, count
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner._waiting.report import PollReport, clock_time, date_and_time
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.seen import Seen
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, StatusSummary, describe_progress

OVERTIME_SECONDS = 2.0
"""How much later than its deadline a poll that is on its way may still be answered: a call takes less."""

MAX_LAST_POLL_SECONDS = 60.0
"""Most seconds that the last poll, which begins after the deadline, may take."""


class Wait(msgspec.Struct, kw_only=True):
    """
    A wait for a campaign: what is watched, for what, and how often.

    :param campaign: what is still to be asked for.
    :param goal: what is waited for, and until when.
    :param rhythm: how long to pause between polls.
    :param seen: what the vendor has known of the campaign.
    :param failing_since: since when polls have failed, or None if the last one has not.
    :param failed_polls: how many have failed since then.
    :param now: returns the time, aware; tests give a clock of their own.
    """

    campaign: Campaign
    goal: Goal
    rhythm: Rhythm
    seen: Seen = msgspec.field(default_factory=Seen)
    failing_since: datetime | None = None
    failed_polls: int = 0
    now: _clock.Now = _clock.now

    @property
    def needs_whole_tag(self) -> bool:
        """Whether a page with a message that is Waiting does not settle the verdict of a tag."""
        goal = self.goal
        return goal.settled_ratio < 1 or goal.expected_total is not None or self.seconds_left < 0

    @property
    def seconds_left(self) -> float:
        """The seconds until the deadline; negative after it."""
        return (self.goal.deadline - self.now()).total_seconds()

    def time_to_read(self, *, left: float) -> float:
        """
        Return how many seconds a poll that begins now may take.

        :param left: seconds until the deadline.
        """
        if left >= 0:
            return left + OVERTIME_SECONDS
        return min(max(self.rhythm.poke_interval, OVERTIME_SECONDS), MAX_LAST_POLL_SECONDS)

    def tally(self) -> Tally:
        """Return an empty tally for the next poll: a context manager, for synchronous and asynchronous code alike."""
        return Tally(self.campaign, self.now)

    def conclude(self, tally: Tally) -> PollReport:
        """
        Judge a poll, and say when to poll next.

        :param tally: what was read, ended.
        """
        now, goal = self.now(), self.goal
        remaining = (goal.deadline - now).total_seconds()
        delay = self.rhythm.delay((now - goal.started_at).total_seconds(), remaining=remaining)
        recovery = None
        summary, trouble, not_found_until = self._believed(tally, now)
        if trouble:
            # While nothing is answered, there is nothing to learn from a poll long after the deadline.
            delay = min(delay, max(remaining, 0.0))
            found = f"{self._count_failure(now)}: {trouble}".rstrip(".")
        else:
            recovery = self._end_failures(now)
            if tally.waiting_on_page is not None:
                read = StatusSummary(counts=tally.counts, checked_at=now)
                found = (
                    f"still Waiting on page {tally.waiting_on_page}, {read.total} of {tally.total} rows read: "
                    f"{describe_progress(read)}"
                )
            else:
                found = describe_progress(summary)
                if goal.lacks_messages(summary):
                    found += f"; waited for until {clock_time(not_found_until)} (`not_found_grace`)"
        verdict = goal.judge(summary, now=now, not_found_until=not_found_until)
        count(POLLS, "failed" if trouble else verdict.value)
        return PollReport(
            verdict=verdict,
            summary=summary,
            campaign=str(self.campaign),
            found=found,
            next_at=now + timedelta(seconds=delay),
            delay=delay,
            is_failed=trouble is not None,
            recovery=recovery,
        )

    def _believed(
        self, tally: Tally, now: datetime
    ) -> tuple[StatusSummary | None, SMSPartnerError | None, datetime]:
        """
        Return what counts of a poll: its summary or the trouble with it, and until when what it lacks is waited for.

        No single answer undoes what many have said. Silence about messages that were known is trouble; what the vendor
        says it does not know any more, and rows that a tag has lost, are waited for from when they were last seen.
        """
        goal, seen, summary = self.goal, self.seen, tally.summary
        if tally.waiting_on_page is not None:
            seen.note(max(seen.known, tally.total), now)
        if summary is None:
            return None, tally.trouble, goal.not_found_until
        known = summary.total - summary.counts.get(DeliveryStatus.NOT_FOUND, 0)
        if known >= seen.known or seen.at is None:
            seen.note(known, now)
            return summary, None, goal.not_found_until
        until = max(goal.not_found_until, seen.at + goal.grace)
        has_lost_rows = 0 < summary.total < seen.known
        is_enough = goal.judge(summary, now=now) is Verdict.DONE and not has_lost_rows
        if not is_enough and (tally.is_silent or (has_lost_rows and now < until)):
            return None, _silence(known, seen.known), until
        if has_lost_rows:
            seen.note(known, now)
        return summary, None, until

    def opening(self) -> str:
        """Return one line for the log: what is waited for, since when, how often, and when the wait gives up."""
        goal, rhythm = self.goal, self.rhythm
        known = (
            "" if goal.expected_total is None else f" and {goal.expected_total} are known (`expected_total`)"
        )
        backoff = " at first, then less often (`exponential_backoff`)" if rhythm.exponential_backoff else ""
        return (
            f"Waiting for campaign {self.campaign.name} until {100 * goal.settled_ratio:g}% of its messages have "
            f"settled (`settled_ratio`){known}. Polls every {rhythm.poke_interval:g} s (`poke_interval`){backoff}, "
            f"since {date_and_time(goal.started_at)}. Gives up at {date_and_time(goal.deadline)} (`timeout`); for "
            f"messages that SMS Partner does not know, at {date_and_time(goal.not_found_until)} (`not_found_grace`)."
        )

    def going_on(self, next_poll_at: datetime) -> str:
        """
        Return one line for the log of the process that takes the wait over.

        :param next_poll_at: when it polls first.
        """
        return (
            f"The triggerer goes on waiting for campaign {self.campaign.name}: it polls next at "
            f"{date_and_time(next_poll_at)}, and gives up at {date_and_time(self.goal.deadline)}."
        )

    def _count_failure(self, now: datetime) -> str:
        self.failing_since = self.failing_since or now
        self.failed_polls += 1
        if self.failed_polls == 1:
            return "poll failed"
        return (
            f"poll failed, the {_ordinal(self.failed_polls)} in a row since {clock_time(self.failing_since)}"
        )

    def _end_failures(self, now: datetime) -> str | None:
        if self.failing_since is None:
            return None
        lasted = timedelta(seconds=round((now - self.failing_since).total_seconds()))
        polls = "1 failed poll" if self.failed_polls == 1 else f"{self.failed_polls} failed polls"
        self.failing_since, self.failed_polls = None, 0
        return f"{self.campaign}: polls are answered again, after {polls} in {lasted}."


def _silence(known: int, before: int) -> SMSPartnerUnavailableError:
    return SMSPartnerUnavailableError(
        f"SMS Partner knew {before} messages of the campaign before, and now tells of {known} only."
    )


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
