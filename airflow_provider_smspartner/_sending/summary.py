"""What became of a send, in figures and in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypedDict

from airflow_provider_smspartner.models import Receipt

_SHOWN_IDS = 20


class SendSummary(TypedDict):
    """A send in figures, as XCom holds it: plain JSON types only."""

    tag: str | None
    recipients: int
    accepted: int
    refused: int
    sms: int
    cost: str | None
    currency: str | None
    calls: int


def summarised(receipts: Sequence[Receipt], *, tag: str | None) -> SendSummary:
    """
    Add receipts up.

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
        "sms": sum(each.sms or 0 for each in receipts),
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
    sms = sum(each.sms or 0 for each in receipts)
    cost = _cost(receipts)
    charged = "" if cost is None else f", {cost} {_currency(receipts) or ''}".rstrip()
    return f"{accepted} of {of} recipients accepted, {named}, {sms} SMS{charged}"


def _cost(receipts: Iterable[Receipt]) -> Decimal | None:
    costs = [each.cost for each in receipts if each.cost is not None]
    return sum(costs, Decimal(0)) if costs else None


def _currency(receipts: Iterable[Receipt]) -> str | None:
    return next((each.currency for each in receipts if each.currency is not None), None)
