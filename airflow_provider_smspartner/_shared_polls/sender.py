"""Sends the calls of the shared polls: again if that may help, rarely during an outage, never with old settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._metrics import RETRIES, count
from airflow_provider_smspartner._shared_polls.outage import Outage, without_header
from airflow_provider_smspartner._shared_polls.subscriber import Subscriber, still_wanted
from airflow_provider_smspartner._waiting.tally import out_of_time
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerUnavailableError

T = TypeVar("T")


class Client(Protocol):
    """What sends calls."""

    async def send_once(self, call: protocol.Call[T]) -> T:
        """Send a call once and read its answer."""

    async def close(self) -> None:
        """Close the connections."""


class ConnectionChangedError(Exception):
    """The Airflow connection says something else than what the polls are made with."""


class Sender:
    """
    Sends calls with a few of them in flight.

    :param open_client: opens what sends the calls.
    :param tries: tries of one call, the first included.
    :param in_flight: calls on their way at once.
    :param has_changed: looks up whether the connection says something else by now: see `SharedPolls`.
    :param on_change: called once it does; no call is sent after that.
    """

    def __init__(
        self,
        open_client: Callable[[], Coroutine[Any, Any, Client]],
        *,
        tries: int,
        in_flight: int,
        has_changed: Callable[[float, bool], Coroutine[Any, Any, bool]],
        on_change: Callable[[], None],
    ) -> None:
        self._open_client = open_client
        self._client: Client | None = None
        self._tries = tries
        self._slots = asyncio.Semaphore(in_flight)
        self._outage = Outage(tries=tries)
        self._has_changed = has_changed
        self._on_change = on_change
        self.is_over = False
        """Whether the connection has changed."""

    @property
    def is_failing(self) -> bool:
        """Whether the last call has failed."""
        return self._outage.is_on

    async def open(self) -> None:
        """Open the client."""
        self._client = await self._open_client()

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def send(self, call: protocol.Call[T], subscribers: Mapping[Subscriber, int]) -> T:
        """
        Send a call, again if that may help, for as long as its answer counts for somebody.

        :param call: what to send.
        :param subscribers: the waits that want its answer, each with the number of its poll.
        :raises ConnectionChangedError: if it is to be sent with other settings.
        :raises SMSPartnerError: as the protocol reads its answer, or after the last try.
        """
        loop, tries = asyncio.get_running_loop(), 0
        interval = min(subscriber.wait.rhythm.poke_interval for subscriber in subscribers)
        while True:
            is_asking = await self._outage.turn(interval)
            try:
                async with self._slots:
                    self._check_use(subscribers)
                    if self._outage.is_on and not is_asking:
                        continue
                    if tries:
                        count(RETRIES)
                    tries, sent_at = tries + 1, loop.time()
                    result = await self._send_once(call)
            except _FailedTryError as failure:
                error = failure.error
                if error.is_too_large:
                    self._outage.answered()
                    raise without_header(error) from None
                self._outage.failed(error, was_asking=is_asking, interval=interval)
                may_try_again = policy.may_try_again(call.request, error) and tries < self._tries
                if may_try_again and not self._outage.is_lasting:
                    continue
                await self._end_if_changed(sent_at, must_know=False)
                self._outage.give_up(error)
                raise without_header(error) from None
            except SMSPartnerCredentialsError as refusal:
                self._outage.answered()
                await self._end_refused(refusal, sent_at)
                raise
            except BaseException as error:
                self._outage.settle(error, was_asking=is_asking)
                raise
            else:
                self._outage.answered()
                return result

    async def _end_refused(self, refusal: SMSPartnerCredentialsError, sent_at: float) -> None:
        """Raise what ends a poll whose credentials were refused, unless it is that refusal."""
        try:
            await self._end_if_changed(sent_at, must_know=True)
        except SMSPartnerUnavailableError as unknown:
            # The key may have been changed: while that is not known, the wait goes on.
            raise SMSPartnerUnavailableError(f"{refusal} {unknown}") from None

    def _check_use(self, subscribers: Mapping[Subscriber, int]) -> None:
        """Raise if a call that is about to be sent is of no use any more."""
        if self.is_over:
            raise ConnectionChangedError
        if not still_wanted(subscribers):
            raise out_of_time()

    async def _send_once(self, call: protocol.Call[T]) -> T:
        if self._client is None:
            raise RuntimeError("The sender is not open.")
        try:
            return await self._client.send_once(call)
        except SMSPartnerUnavailableError as error:
            raise _FailedTryError(error) from None

    async def _end_if_changed(self, sent_at: float, *, must_know: bool) -> None:
        """Raise, and let all waits go on elsewhere, if the connection says something else by now."""
        if not self.is_over:
            if not await self._has_changed(sent_at, must_know):
                return
            self.is_over = True
            self._outage.abandon(ConnectionChangedError())
            self._on_change()
        raise ConnectionChangedError


class _FailedTryError(Exception):
    """A try that failed. Errors of the same kind are also raised for calls that were not sent at all."""

    def __init__(self, error: SMSPartnerUnavailableError) -> None:
        super().__init__()
        self.error = error
