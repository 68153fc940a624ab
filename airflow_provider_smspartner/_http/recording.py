"""A client that counts what it sends, stops at a limit, and keeps what came back: for looking at the API itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_smspartner._http.blocking import BlockingClient

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner._http.bounds import Exchange
    from airflow_provider_smspartner.protocol import Answer, Call

T = TypeVar("T")


class BudgetSpentError(Exception):
    """The limit of requests is reached: this one was not sent."""


class Budget:
    """
    How many requests may still be sent, tries of the same one included.

    :param limit: at least 1.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0

    def spend(self) -> None:
        """
        Count a request that is about to be sent.

        :raises BudgetSpentError: if it would be one too many.
        """
        if self.spent >= self.limit:
            raise BudgetSpentError
        self.spent += 1


@dataclass(frozen=True, slots=True)
class Try:
    """
    One request that was sent.

    :param answer: what came back, or None if no whole answer did.
    :param seconds: until the last byte was read, or until it failed; the first one of a client also connects.
    """

    answer: Answer | None
    seconds: float


class RecordingClient(BlockingClient):
    """
    Sends calls as any blocking client does, within a budget, and keeps every answer.

    :param settings: what the connection says.
    :param conn_id: whose throttle to keep to.
    :param budget: shared by all clients that are given it.
    :raises ValueError: as for `BlockingClient`.
    """

    def __init__(self, settings: Settings, conn_id: str, budget: Budget) -> None:
        super().__init__(settings, conn_id)
        self._budget = budget
        self.tries: list[Try] = []

    def _exchange(self, call: Call[T], exchange: Exchange) -> Answer:
        self._budget.spend()
        answer = None
        started = time.perf_counter()
        try:
            answer = super()._exchange(call, exchange)
        finally:
            self.tries.append(Try(answer, time.perf_counter() - started))
        return answer
