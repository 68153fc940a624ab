"""While the vendor is down, one call at a time asks whether it is back, and the others wait for that one."""

from __future__ import annotations

import asyncio
import math
import random

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._shared_polls.waiters import Waiters
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError


class Outage:
    """
    Says which call may go out.

    ::

        well ── a call fails ──> down ── after a growing pause, one call asks ──┐
          ^                       ^  └ it fails: a longer pause <───────────────┤
          └──── it is answered ───┴─────────────────────────────────────────────┘

    The first failures are the tries of a request. After the last of them each further failure also ends the calls
    that wait: their waits shall say in their logs that a poll has failed.

    :param tries: failures in a row before waiting calls fail as well.
    """

    def __init__(self, *, tries: int) -> None:
        self._tries = tries
        self._failures = 0
        self._longest_pause = math.inf
        self._asks_at = 0.0
        self._is_asking = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: Waiters[bool] = Waiters()

    @property
    def is_on(self) -> bool:
        """Whether the last call has failed."""
        return self._failures > 0

    @property
    def is_lasting(self) -> bool:
        """Whether so many calls in a row have failed that those that wait fail as well."""
        return self._failures >= self._tries

    async def turn(self, interval: float) -> bool:
        """
        Wait until a call may go out.

        :param interval: seconds between the polls that the call is for.
        :return: whether it is the one that asks if the vendor is back.
        :raises SMSPartnerUnavailableError: if the vendor is still down.
        """
        if not self.is_on:
            return False
        self._shorten(interval)
        waiter = self._waiters.add()
        self._plan()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None and waiter.result():
                self._let_the_next_ask()
            raise

    def failed(self, error: SMSPartnerUnavailableError, *, was_asking: bool, interval: float) -> None:
        """
        Note that a call has failed.

        :param error: how.
        :param was_asking: whether `turn` said that this call asks if the vendor is back.
        :param interval: seconds between the polls that the call was for.
        """
        self._shorten(interval)
        # Calls that were on their way together fail together: that is one failure.
        if self.is_on and not was_asking:
            return
        self._is_asking = False
        self._failures += 1
        pause = min(policy.FIRST_WAIT_SECONDS * 2.0 ** min(self._failures - 1, 30), self._longest_pause)
        asked = min(policy.seconds_of(error.retry_after, now=_clock.now()), policy.MAX_RETRY_AFTER_SECONDS)
        self._asks_at = asyncio.get_running_loop().time() + max(pause * random.uniform(0.5, 1.0), asked)  # noqa: S311 - no secret
        self._plan()

    def give_up(self, error: SMSPartnerUnavailableError) -> None:
        """Fail all calls that wait, if the outage is lasting: their waits are to know."""
        if self.is_lasting:
            self._waiters.release(without_header(error))

    def answered(self) -> None:
        """Note that the vendor has answered a call."""
        if not self.is_on:
            return
        self._failures, self._is_asking, self._longest_pause = 0, False, math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiters.release(False)

    def settle(self, error: BaseException, *, was_asking: bool) -> None:
        """
        Note that a call has ended otherwise: an error that is an answer, too, shows that the vendor is there.

        :param error: how it ended.
        :param was_asking: whether `turn` said that this call asks if the vendor is back.
        """
        if isinstance(error, SMSPartnerError) and not isinstance(error, SMSPartnerUnavailableError):
            self.answered()
        elif was_asking:
            self._let_the_next_ask()

    def abandon(self, reason: Exception) -> None:
        """Fail all calls that wait."""
        self._waiters.release(reason)

    def _shorten(self, interval: float) -> None:
        self._longest_pause = min(self._longest_pause, max(interval, policy.FIRST_WAIT_SECONDS))

    def _let_the_next_ask(self) -> None:
        self._is_asking = False
        self._plan()

    def _plan(self) -> None:
        if self.is_on and not self._is_asking and self._timer is None and self._waiters:
            self._timer = asyncio.get_running_loop().call_at(self._asks_at, self._let_one_ask)

    def _let_one_ask(self) -> None:
        self._timer = None
        self._is_asking = self._waiters.release_first(True)


def without_header(error: SMSPartnerUnavailableError) -> SMSPartnerUnavailableError:
    """Return the error without its ``Retry-After`` header, which is text of the vendor's."""
    return SMSPartnerUnavailableError(str(error), code=error.code, http_status=error.http_status)
