"""
What a task has sent, kept beyond the life of its process: Airflow's retries go on where the last try ended.

Airflow 3.3 has a store for each task instance, which retries share [task-state-store]. Airflow 3.4 empties it where a
task is cleared, unless told to keep it; Airflow 3.3 does not. A call that sends is noted as under way before it is
made, and with its message id after it. The store has these keys::

    smspartner_send              which send it is: a fingerprint, and how many calls it takes
    smspartner_send_try          which try may send: the last one that has begun
    smspartner_send_call_17      a call: under way, or what it gave

No phone number is in any of them: a refused recipient is kept by its position.

Two tries may overlap, where Airflow has lost sight of a process that still runs. A try first writes that it is the one,
and then reads what was sent; before each call it first writes that the call is under way, and then reads whether it
still is the one. Whichever of two tries is later sees the other: no call is made by both.

* [task-state-store] https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/task-state-store.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import uuid4

import msgspec

from airflow_provider_smspartner._sending.delivery import Ledger, NoLedger
from airflow_provider_smspartner.exceptions import SMSPartnerAmbiguousSendError
from airflow_provider_smspartner.models import Receipt

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_SEND = "smspartner_send"
_TRY = "smspartner_send_try"
_CALL = "smspartner_send_call_{}"
_UNDER_WAY = "under way"


class Store(Protocol):
    """Airflow's store of a task instance."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value in JSON types, or the default."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Write a value in JSON types."""

    def delete(self, key: str) -> None:
        """Remove a value."""


def open_ledger(context: Context, fingerprint: str, call_count: int) -> Ledger:
    """
    Return what remembers the calls of a send for the tries of a task.

    :param context: the task's; without a task instance, as in a unit test, nothing is remembered.
    :param fingerprint: tells the send from any other.
    :param call_count: how many calls it takes.
    :raises SMSPartnerAmbiguousSendError: if an earlier try may have sent something, and it is not known what, or it
        was something else.
    """
    store = context.get("task_state_store") if context else None
    if store is not None:
        return StoredLedger(store, fingerprint, call_count, task=context.get("ti"))
    if context and context.get("ti") is not None:
        _check_first_try(context)
    return NoLedger()


def _check_first_try(context: Context) -> None:
    number = getattr(context["ti"], "try_number", 1)
    if number > 1:
        raise SMSPartnerAmbiguousSendError(
            f"This is try {number} of the task, and nothing is sent: Airflow before 3.3 keeps nothing of an earlier "
            "try, so whether that has sent SMS is unknown. Its log says what it has sent."
        )


class _Made(msgspec.Struct, kw_only=True):
    """The entry of a call that was made: of the refused recipients it has the positions."""

    state: Literal["made"]
    message_id: str | None
    refused: dict[int, int | None]
    sms: int | None
    cost: Decimal | None
    currency: str | None


_latest_send: tuple[object, str] | None = None
"""The task instance that this process sent for last, and the name of that send: a retry has another one."""


class StoredLedger:
    """
    The ledger of a send in Airflow's store.

    :param store: the task instance's.
    :param fingerprint: tells the send from any other.
    :param call_count: how many calls it takes.
    :param task: the task instance of this try, if known.
    :raises SMSPartnerAmbiguousSendError: if another send was begun before, or the store has lost a call.
    """

    def __init__(self, store: Store, fingerprint: str, call_count: int, *, task: object = None) -> None:
        global _latest_send  # noqa: PLW0603 - nothing else lives as long as the process of a try
        self._store = store
        self._me = uuid4().hex
        before = _latest_send
        is_second = before is not None and before[0] is task is not None and before[1] == store.get(_TRY)
        self.earlier = "send" if is_second else "try"
        _latest_send = (task, self._me)
        self._set(_TRY, self._me)
        # Calls are made one after the other: where the first is not known, none is. It is read before the send that it
        # belongs to, which is written before it: the two can't be of different sends.
        self._may_know = store.get(_CALL.format(0)) is not None
        earlier = store.get(_SEND)
        self._call_count = max(call_count, _calls_of(earlier))
        if not self._may_know:
            self._check_none_after(0)
            self._set(_SEND, {"fingerprint": fingerprint, "calls": call_count})
        elif not isinstance(earlier, Mapping) or earlier.get("fingerprint") != fingerprint:
            raise SMSPartnerAmbiguousSendError(
                "This task has begun another send already. One task makes one send, so that its retries know what was "
                "sent: give each send a task of its own. Nothing of this one is sent."
                if is_second
                else "An earlier try of this task has begun to send something else: other recipients, another text, "
                "other options, or with another API key. Nothing more is sent. Its log says what it has sent."
            )

    def adopt(self, position: int, numbers: Sequence[str]) -> Receipt | None:
        """Return the receipt of a call that an earlier try has made, or None if it has not been made."""
        if not self._may_know:
            return None
        entry = self._store.get(_CALL.format(position))
        if entry is None:
            self._check_none_after(position)
            self._may_know = False
            return None
        if entry == {"state": _UNDER_WAY}:
            raise SMSPartnerAmbiguousSendError(
                f"An earlier {self.earlier} of this task ended while call {position + 1} was under way: whether its "
                f"{len(numbers)} recipients have got their SMS is unknown."
            )
        if (receipt := _receipt_of(entry, numbers)) is None:
            raise SMSPartnerAmbiguousSendError(
                f"What Airflow keeps of call {position + 1} cannot be read: whether its {len(numbers)} recipients have "
                "got their SMS is unknown."
            )
        return receipt

    def _check_none_after(self, position: int) -> None:
        """Make sure that no later call is known: they are made one after the other, so this one was then made, too."""
        for later in range(position + 1, self._call_count):
            if self._store.get(_CALL.format(later)) is not None:
                raise SMSPartnerAmbiguousSendError(
                    f"Airflow keeps call {later + 1} of this task, and has lost call {position + 1}: whether that sent "
                    "SMS is unknown, and it is not made again."
                )

    def begin(self, position: int) -> None:
        """Note that a call is under way; it is made only after this has returned."""
        self._set(_CALL.format(position), {"state": _UNDER_WAY})
        if self._store.get(_TRY) != self._me:
            raise SMSPartnerAmbiguousSendError(
                "A later try of this task has begun while this one was still sending: nothing more is sent by it."
            )

    def withdraw(self, position: int) -> None:
        """Note that a call was not made after all."""
        self._store.delete(_CALL.format(position))

    def finish(self, position: int, numbers: Sequence[str], receipt: Receipt) -> None:
        """
        Note what a call gave.

        :raises SMSPartnerAmbiguousSendError: if Airflow does not take the note: a retry would not know of the call.
        """
        try:
            self._set(_CALL.format(position), _entry_of(receipt, numbers))
        except Exception as error:  # noqa: BLE001 - whatever Airflow's store raises, the call was made
            raise SMSPartnerAmbiguousSendError(
                f"Call {position + 1} was made (message id {receipt.message_id}), but Airflow could not note it "
                f"({type(error).__name__}). Nothing more is sent."
            ) from None

    def _set(self, key: str, value: Any) -> None:
        # There since 3.3, as the store itself; the stub of airflow.sdk lacks it.
        from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined]

        # A try may come weeks later: what has expired would be sent again.
        self._store.set(key, value, retention=NEVER_EXPIRE)


def _entry_of(receipt: Receipt, numbers: Sequence[str]) -> dict[str, Any]:
    """Return a receipt in JSON types, with positions in place of phone numbers."""
    refused = {
        str(position): receipt.refused[number]
        for position, number in enumerate(numbers)
        if number in receipt.refused
    }
    return {
        "state": "made",
        "message_id": receipt.message_id,
        "refused": refused,
        "sms": receipt.sms,
        "cost": None if receipt.cost is None else str(receipt.cost),
        "currency": receipt.currency,
    }


def _receipt_of(entry: Any, numbers: Sequence[str]) -> Receipt | None:
    """Return what a call gave, or None if its entry has another shape."""
    try:
        made = msgspec.convert(entry, _Made, str_keys=True)
    except msgspec.ValidationError:
        return None
    if not made.refused.keys() <= set(range(len(numbers))):
        return None
    refused = {numbers[position]: code for position, code in made.refused.items()}
    accepted = [number for number in numbers if number not in refused]
    if made.message_id is None and accepted:
        return None
    return Receipt(
        message_id=made.message_id,
        accepted=accepted,
        refused=refused,
        sms=made.sms,
        cost=made.cost,
        currency=made.currency,
    )


def _calls_of(send: object) -> int:
    """Return how many calls an earlier send takes, as far as that can be read."""
    calls = send.get("calls") if isinstance(send, Mapping) else None
    return min(calls, _MAX_CALLS) if type(calls) is int else 0


_MAX_CALLS = 10_000
"""So many that nobody makes more: what is edited by hand must not be read for ever."""
