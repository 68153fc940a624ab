"""What became of a send, in figures and in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypedDict

from airflow_provider_smspartner.models import Receipt

_SHOWN_IDS = 20


class SendSummary(TypedDict):
    """A send in figures, as XCom holds it: plain JSON types only. What the vendor does not say is None."""

    tag: str | None
    recipients: int
    accepted: int
    refused: int
    sms: int | None
    cost: str | None
    currency: str | None
    calls: int


def summarised(receipts: Sequence[Receipt], *, tag: str | None) -> SendSummary:
    """
    Add receipts up. A total is None if the part of any call is unknown.

    :param receipts: one for each call.
    :param tag: the send's, or None.
    """
    accepted = sum(len(each.accepted) for each in receipts)
    refused = sum(len(each.refused) for each in receipts)
    return {
        "tag": tag,
        "recipients": accepted + refused,
        "accepted": accepted,
        "refused": refused,
        "sms": _sms(receipts),
        "cost": None if (cost := _cost(receipts)) is None else str(cost),
        "currency": _currency(receipts),
        "calls": len(receipts),
    }


def describe_receipts(receipts: Sequence[Receipt]) -> str:
    """
    Return what was sent, in words without numbers: how many, by which message ids, and for how much.

    :param receipts: one for each call that was made.
    """
    accepted = sum(len(each.accepted) for each in receipts)
    of = accepted + sum(len(each.refused) for each in receipts)
    ids = [each.message_id for each in receipts if each.message_id is not None]
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    shown = ", ".join(islice(ids, _SHOWN_IDS)) + more
    named = f"message id{'s' if len(ids) > 1 else ''} {shown}" if ids else "no message id"
    sms, cost = _sms(receipts), _cost(receipts)
    counted = "" if sms is None else f", {sms} SMS"
    charged = "" if cost is None else f", {cost} {_currency(receipts) or ''}".rstrip()
    return f"{accepted} of {of} recipients accepted, {named}{counted}{charged}"


def _sms(receipts: Iterable[Receipt]) -> int | None:
    parts = [each.sms for each in _charged(receipts)]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _cost(receipts: Iterable[Receipt]) -> Decimal | None:
    charged = _charged(receipts)
    costs = [each.cost for each in charged if each.cost is not None]
    currencies = {each.currency for each in charged if each.currency is not None}
    # Amounts in several currencies have no sum.
    if not charged or len(costs) < len(charged) or len(currencies) > 1:
        return None
    return sum(costs, Decimal(0))


def _currency(receipts: Iterable[Receipt]) -> str | None:
    currencies = {each.currency for each in _charged(receipts)}
    return currencies.pop() if len(currencies) == 1 else None


def _charged(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Return the receipts of the calls that were taken: one whose recipients were all refused sends no SMS."""
    return [each for each in receipts if each.message_id is not None]
