"""
The one driver of a send's calls, for synchronous and for asynchronous code.

`deliver` is a generator, without I/O but for the ledger: whoever drives it sends each call that it yields once, and
hands it the receipt, or throws the error in. It alone decides what an error means for the calls before and after it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Protocol

from airflow_provider_smspartner._sending.options import check_coming
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner._sending.summary import describe_receipts
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCredentialsError,
    SMSPartnerCreditError,
    SMSPartnerError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol import Call
from airflow_provider_smspartner.protocol.codes import SEND

log = logging.getLogger(__name__)

_NOTHING_WAS_SENT = (
    SMSPartnerCredentialsError,
    SMSPartnerCreditError,
    SMSPartnerRequestError,
    # Of a call that may not be repeated: its fate would otherwise be an SMSPartnerAmbiguousSendError.
    SMSPartnerUnavailableError,
)


class NotMadeError(Exception):
    """
    Thrown in for a call that is not to be made any more, and surely was not.

    :param why: the error that `deliver` goes on to raise.
    """

    def __init__(self, why: SMSPartnerError) -> None:
        super().__init__(str(why))
        self.why = why


class Ledger(Protocol):
    """
    Remembers, beyond the life of a process, which calls of a send were made.

    :param earlier: who has made what it adopts, in a word: a "try", or a "send" of the same try.
    """

    earlier: str

    def adopt(self, position: int, numbers: Sequence[str]) -> Receipt | None:
        """
        Return the receipt of a call that an earlier try has made, or None if it has not been made.

        :raises SMSPartnerAmbiguousSendError: if an earlier try began it and may have made it.
        """

    def begin(self, position: int) -> None:
        """Note that a call is under way; it is made only after this has returned."""

    def withdraw(self, position: int) -> None:
        """Note that a call was not made after all."""

    def finish(self, position: int, numbers: Sequence[str], receipt: Receipt) -> None:
        """Note what a call gave."""


class NoLedger:
    """Remembers nothing: for callers who do not try again."""

    earlier = "try"

    def adopt(self, position: int, numbers: Sequence[str]) -> Receipt | None:
        """Return None: there was no earlier try."""

    def begin(self, position: int) -> None:
        """Do nothing."""

    def withdraw(self, position: int) -> None:
        """Do nothing."""

    def finish(self, position: int, numbers: Sequence[str], receipt: Receipt) -> None:
        """Do nothing."""


def deliver(
    send: Send, ledger: Ledger, *, check: Callable[[], None] = lambda: None
) -> Generator[Call[Receipt], Receipt, list[Receipt]]:
    """
    Yield the calls of a send one after the other, be sent the receipt of each, and return all receipts.

    :param send: what is to be sent.
    :param ledger: what earlier tries have done.
    :param check: called before each call is begun; it may wait, and raises if no more calls are to be made.
    :raises SMSPartnerAmbiguousSendError: if a call may or may not have been made; with what surely was sent.
    :raises SMSPartnerRequestError: if the vendor took none of the recipients.
    :raises SMSPartnerError: as thrown in; its `receipts` are those of the calls before.
    """
    receipts: list[Receipt] = []
    if not send.numbers:
        return receipts
    try:
        for position in range(send.call_count):
            numbers = send.numbers_of(position)
            receipt = ledger.adopt(position, numbers)
            if receipt is None:
                check()
                check_coming(send.options)
                receipt = yield from _make(send, position, ledger)
                # First: what was sent must be in the error, should the ledger fail.
                receipts.append(receipt)
                ledger.finish(position, numbers, receipt)
                _log(send, position, receipt)
            else:
                receipts.append(receipt)
                log.info(
                    "Call %d of %d was made by an earlier %s (message id %s); it is not made again.",
                    position + 1,
                    send.call_count,
                    ledger.earlier,
                    receipt.message_id,
                )
        _check_any(receipts)
    except SMSPartnerAmbiguousSendError as error:
        raise _ambiguous(error, send, receipts) from None
    except SMSPartnerError as error:
        error.receipts = tuple(receipts)
        if receipts:
            error.add_note(f"Before this error: {describe_receipts(receipts)}.")
        raise
    except BaseException as error:
        # Airflow's time-out, a signal, a cancelled task: none of them may hide what has left.
        if receipts:
            error.add_note(f"Before this, SMS Partner had taken: {describe_receipts(receipts)}.")
        raise
    return receipts


def drive(
    calls: Generator[Call[Receipt], Receipt, list[Receipt]], make: Callable[[Call[Receipt]], Receipt]
) -> list[Receipt]:
    """
    Make the calls that `deliver` yields, and return what it does.

    :param calls: what `deliver` gave.
    :param make: makes a call once.
    """
    try:
        call = next(calls)
        while True:
            try:
                receipt = make(call)
            except BaseException as error:  # noqa: BLE001 - the generator raises it again
                call = calls.throw(error)
            else:
                call = calls.send(receipt)
    except StopIteration as end:
        receipts: list[Receipt] = end.value
        return receipts


async def adrive(
    calls: Generator[Call[Receipt], Receipt, list[Receipt]],
    make: Callable[[Call[Receipt]], Awaitable[Receipt]],
) -> list[Receipt]:
    """Make the calls that `deliver` yields: as `drive`, asynchronously."""
    try:
        call = next(calls)
        while True:
            try:
                receipt = await make(call)
            except BaseException as error:  # noqa: BLE001 - the generator raises it again
                call = calls.throw(error)
            else:
                call = calls.send(receipt)
    except StopIteration as end:
        receipts: list[Receipt] = end.value
        return receipts


def _make(send: Send, position: int, ledger: Ledger) -> Generator[Call[Receipt], Receipt, Receipt]:
    ledger.begin(position)
    try:
        return (yield send.call(position))
    except _NOTHING_WAS_SENT:
        ledger.withdraw(position)
        raise
    except NotMadeError as error:
        ledger.withdraw(position)
        raise error.why from None


def _log(send: Send, position: int, receipt: Receipt) -> None:
    """Say what a call gave, and warn where that is less than was asked for."""
    log.info(
        "Call %d of %d%s: %s.",
        position + 1,
        send.call_count,
        ", in the sandbox" if send.options.sandbox else "",
        describe_receipts([receipt]),
    )
    if receipt.refused:
        codes = sorted({str(code) for code in receipt.refused.values() if code is not None})
        log.warning(
            "SMS Partner refused %d of the %d recipients of call %d%s.",
            len(receipt.refused),
            len(send.numbers_of(position)),
            position + 1,
            f" (code {', '.join(codes)})" if codes else "",
        )
    needed = send.count_sms(position, refused=receipt.refused)
    if receipt.sms is not None and receipt.sms < needed:
        log.warning(
            "SMS Partner counts %d SMS for call %d; its accepted recipients need %d. Some may get none.",
            receipt.sms,
            position + 1,
            needed,
        )


def _check_any(receipts: Sequence[Receipt]) -> None:
    if any(receipt.accepted for receipt in receipts):
        return
    code = next((code for receipt in receipts for code in receipt.refused.values() if code is not None), None)
    said = "" if code is None else f" (code {code})"
    why = SEND.refusals.get(code or 0, "it does not say why")
    advice = SEND.advice.get(code or 0, "Ask SMS Partner.")
    raise SMSPartnerRequestError(
        f"SMS Partner took none of the recipients{said}: {why}. Nothing was sent. {advice}", code=code
    )


def _ambiguous(
    error: SMSPartnerAmbiguousSendError, send: Send, receipts: Sequence[Receipt]
) -> SMSPartnerAmbiguousSendError:
    """Return the error with what surely left, and what a person should do next."""
    left = f"What surely was sent: {describe_receipts(receipts)}." if receipts else "No other call was made."
    tag = send.options.tag
    look = (
        f"Look the tag {tag!r} up with SMSPartnerStatusByTagOperator, or in the account, to see who has got the SMS"
        if tag
        else "Look into the account to see which SMS have left"
    )
    told = SMSPartnerAmbiguousSendError(
        f"{error} {left} {look}; then send to those who have got none, in a new run.",
        code=error.code,
        http_status=error.http_status,
    )
    told.receipts = tuple(receipts)
    return told
