"""The ways to send that meet each fault, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faults.outcome import Outcome
from harness import new_context
from state_store import StateStore

from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.notifications.smspartner import SMSPartnerNotifier
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator
from airflow_provider_smspartner.testing import SMSPartnerDouble

NUMBERS = [f"+3363998000{n}" for n in range(3)]
TEXT = "Secret greetings"
Task = Mapping[str, Any]
TASKS: dict[str, Task] = {
    "same text": {"recipients": NUMBERS, "message": TEXT},
    "own texts": {"recipients": [(number, f"{TEXT} {n}") for n, number in enumerate(NUMBERS)]},
}

Sender = Callable[[Task], Sequence[str]]
"""Sends, and returns the numbers that it reports as accepted. Called again, it is the next try of the same task."""


@dataclass(frozen=True)
class Ending:
    """
    How a try has ended.

    :param left: how many SMS the vendor has sent because of it.
    :param accepted: how many it has reported as accepted.
    :param outcome: its error, if any.
    """

    left: int
    accepted: int = 0
    outcome: Outcome | None = None

    def __str__(self) -> str:
        """Write it as the page shows it."""
        if self.outcome is not None:
            return f"{self.left} SMS, {self.outcome}"
        return (
            f"{self.left} SMS" if self.accepted == self.left else f"{self.left} SMS, {self.accepted} adopted"
        )


@dataclass(frozen=True)
class Way:
    """
    A way to send.

    :param start: gives what sends for one task.
    :param tries: what the page calls each try of the task; the fault is mended after the first.
    :param texts: which tasks it can do.
    """

    start: Callable[[], Sender]
    tries: Sequence[str]
    texts: Sequence[str] = tuple(TASKS)


def _numbers(receipts: Sequence[Receipt]) -> list[str]:
    return [number for receipt in receipts for number in receipt.accepted]


def _send(task: Task) -> Sequence[str]:
    with SMSPartnerHook() as hook:
        return _numbers(hook.send(**task))


def _asend(task: Task) -> Sequence[str]:
    return _numbers(asyncio.run(SMSPartnerHook().asend(**task)))


def _notify(task: Task) -> Sequence[str]:
    SMSPartnerNotifier(**task).notify({})
    # It reports nothing: that it has not failed says that all was sent.
    return NUMBERS


def _async_notify(task: Task) -> Sequence[str]:
    asyncio.run(SMSPartnerNotifier(**task).async_notify({}))
    return NUMBERS


class Operator:
    """The tries of a task on Airflow 3.3 or later."""

    def __init__(self) -> None:
        self._store = StateStore()

    def __call__(self, task: Task) -> Sequence[str]:
        context = new_context() | {"task_state_store": self._store}
        messages = SMSPartnerSendOperator(task_id="send", **task).execute(context)
        return [message["phone_number"] for message in messages]


WAYS = {
    "hook": Way(lambda: _send, ["`hook.send`"]),
    "asynchronous hook": Way(lambda: _asend, ["`hook.asend`"]),
    "operator": Way(Operator, ["operator", "its next try"]),
    # A notifier has one text for all.
    "notifier": Way(lambda: _notify, ["notifier"], texts=["same text"]),
    "asynchronous notifier": Way(lambda: _async_notify, ["notifier, asynchronously"], texts=["same text"]),
}


def attempt(send: Sender, task: Task, double: SMSPartnerDouble) -> tuple[Ending, SMSPartnerError | None]:
    """Let a try send, and say how it has ended."""
    before = len(double.sent)
    try:
        accepted = send(task)
    except SMSPartnerError as error:
        return Ending(len(double.sent) - before, outcome=Outcome.of_error(error)), error
    assert set(accepted) <= {sms.phone_number for sms in double.sent}, (
        "what was not sent is reported as accepted"
    )
    return Ending(len(double.sent) - before, len(accepted)), None
