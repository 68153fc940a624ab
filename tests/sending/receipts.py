"""Numbers and receipts for sends of a few calls."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from airflow_provider_smspartner.models import Receipt

NUMBERS = [f"+3363998{n:04}" for n in range(5)]


def receipt_for(position: int, **members: Any) -> Receipt:
    """Return what a call of two numbers gives."""
    accepted = tuple(NUMBERS[2 * position : 2 * position + 2])
    given = {"accepted": accepted, "sms": len(accepted), "cost": Decimal("19.0"), "currency": "EUR"}
    return Receipt(message_id=str(300 + position), **{**given, **members})
