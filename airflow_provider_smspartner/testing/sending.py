"""What the double sends: which numbers get an SMS, what becomes of it, and how the vendor answers."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from airflow_provider_smspartner.testing.campaigns import Clock, Ledger, Message
from airflow_provider_smspartner.testing.drafts import (
    PARIS,
    Draft,
    Options,
    is_sendable,
    read_drafts,
    read_options,
)
from airflow_provider_smspartner.testing.exchange import FINE, OK, Payload
from airflow_provider_smspartner.testing.refusals import (
    CANCELLED_ALREADY,
    ID_MISSING,
    INVALID,
    MESSAGE_NOT_FOUND,
    NO_CREDIT,
    NO_NUMBER_LEFT,
    NUMBER_TWICE,
    OF_CANCELLING,
    OF_SENDING,
    ON_STOP_LIST,
    SENT_ALREADY,
    TOO_LATE_TO_CANCEL,
    RefusedError,
)

PRICE = 0.038
"""Of one SMS, as in the vendor's examples."""

CURRENCY = "EUR"

# Far from the ids of campaigns that are made up.
FIRST_MESSAGE_ID = 10_000_001

CANCEL_SECONDS = 300.0
"""How long before it leaves a message can still be cancelled."""


@dataclass(frozen=True, kw_only=True)
class SentSMS:
    """An SMS that the double has accepted for one number.

    :param phone_number: the recipient, in E.164.
    :param text: its text, as the recipient reads it.
    :param message_id: the id of its call, as status calls take it.
    :param parts: how many SMS the text takes.
    :param tag: its tag, None without one.
    :param sender: its sender, None where the call named none.
    :param scheduled_for: when it is to leave, None for at once.
    :param stop_notice: whether the vendor was to add how to answer STOP.
    :param unicode: whether it was to be sent as UTF-16.
    :param sandbox: whether it is not delivered and costs nothing.
    :param cancelled: whether it was cancelled before it left.
    """

    # Not in the repr, which ends up in the output of tests.
    phone_number: str = field(repr=False)
    text: str = field(repr=False)
    message_id: str
    parts: int
    tag: str | None
    sender: str | None
    scheduled_for: datetime | None
    stop_notice: bool
    unicode: bool
    sandbox: bool
    cancelled: bool = False


@dataclass
class _Call:
    """What must be known of a call to cancel it."""

    messages: Sequence[Message]
    tag: str | None
    leaves_at: float
    is_cancelled: bool = False


class Sending:
    """Answers the calls that send, cancel, and list who has answered STOP.

    :param ledger: where messages become known to the status calls.
    :param clock: the double's time.
    :param settle_seconds: how long the messages of a call take to settle, from the first ask.
    """

    def __init__(self, ledger: Ledger, clock: Clock, *, settle_seconds: float) -> None:
        self.sent: list[SentSMS] = []
        self.credit_sms: int | None = None
        self.refused_numbers: dict[str, int] = {}
        self._stopped_at: dict[str, float] = {}
        self._calls: dict[str, _Call] = {}
        self._ids = count(FIRST_MESSAGE_ID)
        self._ledger = ledger
        self._clock = clock
        self._settle_seconds = settle_seconds

    def add_stop(self, phone_number: str) -> None:
        """Put a number on the STOP list; it stays where it is if it is on it."""
        self._stopped_at.setdefault(phone_number, self._clock.now())

    def bulk_send(self, body: Mapping[str, Any]) -> Payload:
        """Answer ``/bulk-send``: to each number its text."""
        options = read_options(body, now=self._now())
        drafts = read_drafts(body, unicode=options.unicode)
        message_id, codes = self._accept(drafts, options)
        parts = _accepted_parts(drafts, codes)
        return {
            **OK,
            "message_id": message_id,
            "currency": CURRENCY,
            "cost": _cost(parts),
            "nbSMS": parts,
            "SMSResponse_List": [_row(draft, code) for draft, code in zip(drafts, codes, strict=True)],
            **_scheduled(options),
        }

    def cancel(self, query: Mapping[str, Any]) -> Payload:
        """Answer ``/message-cancel``."""
        message_id = query.get("messageId")
        if not message_id:
            raise RefusedError(ID_MISSING, OF_CANCELLING)
        call = self._calls.get(message_id)
        if call is None:
            raise RefusedError(MESSAGE_NOT_FOUND, OF_CANCELLING)
        if call.is_cancelled:
            raise RefusedError(CANCELLED_ALREADY, OF_CANCELLING)
        seconds_left = call.leaves_at - self._clock.now()
        if seconds_left <= 0:
            raise RefusedError(SENT_ALREADY, OF_CANCELLING)
        if seconds_left < CANCEL_SECONDS:
            raise RefusedError(TOO_LATE_TO_CANCEL, OF_CANCELLING)
        call.is_cancelled = True
        # What the status calls say of a cancelled message is not documented: assume that they do not find it.
        self._ledger.withdraw(call.messages, tag=call.tag)
        self.sent = [
            replace(sms, cancelled=True) if sms.message_id == message_id else sms for sms in self.sent
        ]
        return {**OK, "message": "Message cancelled"}

    def stop_list(self, _: Mapping[str, Any]) -> Payload:
        """Answer ``/stop-sms/list``."""
        data = [
            {"id": position, "phoneNumber": phone_number, "createdAt": _paris_time(stopped_at)}
            for position, (phone_number, stopped_at) in enumerate(self._stopped_at.items(), start=1)
        ]
        return {**OK, "nbData": len(data), "data": data}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def _accept(self, drafts: Sequence[Draft], options: Options) -> tuple[int, list[int]]:
        """Send what can be sent, and return the id of the call and the code of each draft."""
        codes = self._judge(drafts)
        # Assumed: the page shows this refusal for the vendor's other call that sends.
        if FINE not in codes:
            raise RefusedError(NO_NUMBER_LEFT, OF_SENDING, errors=[_inner_error(code) for code in codes])
        if not options.sandbox:
            self._charge(_accepted_parts(drafts, codes))
        message_id = next(self._ids)
        self._keep(
            str(message_id),
            [draft for draft, code in zip(drafts, codes, strict=True) if code == FINE],
            options,
        )
        return message_id, codes

    def _judge(self, drafts: Sequence[Draft]) -> list[int]:
        codes, seen = [], set[str]()
        for draft in drafts:
            codes.append(self._judge_number(draft.phone_number, seen))
            seen.add(draft.phone_number)
        return codes

    def _judge_number(self, phone_number: str, seen: Container[str]) -> int:
        if phone_number in self.refused_numbers:
            return self.refused_numbers[phone_number]
        if not is_sendable(phone_number):
            return INVALID
        if phone_number in self._stopped_at:
            return ON_STOP_LIST
        # Whether the vendor sends the first of two is not documented: assume that it does.
        return NUMBER_TWICE if phone_number in seen else FINE

    def _charge(self, parts: int) -> None:
        if self.credit_sms is None:
            return
        if self.credit_sms < parts:
            raise RefusedError(NO_CREDIT, OF_SENDING)
        self.credit_sms -= parts

    def _keep(self, message_id: str, drafts: Sequence[Draft], options: Options) -> None:
        # Whether the status calls know the messages of the sandbox is not documented: assume that they do, as of any
        # other message.
        leaves_at = self._clock.now() if options.scheduled_for is None else options.scheduled_for.timestamp()
        messages = self._ledger.add_settling(
            [(draft.phone_number, message_id) for draft in drafts],
            settle_seconds=self._settle_seconds,
            not_before=leaves_at,
            tag=options.tag,
        )
        self._calls[message_id] = _Call(messages, options.tag, leaves_at)
        self.sent += [
            SentSMS(
                phone_number=draft.phone_number,
                text=draft.text,
                message_id=message_id,
                parts=draft.parts,
                tag=options.tag,
                sender=options.sender,
                scheduled_for=options.scheduled_for,
                stop_notice=options.stop_notice,
                unicode=options.unicode,
                sandbox=options.sandbox,
            )
            for draft in drafts
        ]


def _accepted_parts(drafts: Sequence[Draft], codes: Sequence[int]) -> int:
    return sum(draft.parts for draft, code in zip(drafts, codes, strict=True) if code == FINE)


def _cost(parts: int) -> float:
    # Not rounded, as PHP does not: 3 SMS cost 0.11399999999999999.
    return PRICE * parts


def _scheduled(options: Options) -> Payload:
    if options.scheduled_for is None:
        return {}
    return {"scheduledDeliveryDate": _paris_time(options.scheduled_for.timestamp())}


def _paris_time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, PARIS):%Y-%m-%d %H:%M:%S}"


def _row(draft: Draft, code: int) -> Payload:
    if code != FINE:
        return {"success": False, "code": code, "phoneNumber": draft.phone_number}
    return {
        **OK,
        "nbSms": draft.parts,
        "cost": _cost(draft.parts),
        "phoneNumber": draft.phone_number,
    }


def _inner_error(code: int) -> Payload:
    return {"success": False, "code": str(code), "message": OF_SENDING.get(code, "Erreur")}
