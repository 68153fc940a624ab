"""What an account still has [credits]."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from airflow_provider_smspartner.protocol.answers import (
    MAX_FIGURE,
    account_decoder,
    read_envelope,
    unavailable,
)
from airflow_provider_smspartner.protocol.codes import STATUS
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request
from airflow_provider_smspartner.protocol.rows import to_int


class Account(msgspec.Struct, frozen=True):
    """
    What an account still has.

    :param balance: in `currency`, as the vendor writes it, or None where it does not.
    :param currency: ISO 4217, or None.
    :param sms_credits: messages that the balance pays for, or None.
    """

    balance: str | None
    currency: str | None
    sms_credits: int | None


def account() -> Call[Account]:
    """Return the call for the account's balance and credits [credits]: the cheapest one that proves a key."""
    return Call(Request("GET", "/me", may_repeat=True), _read_account)


def _read_account(answer: Answer) -> Account:
    envelope = read_envelope(answer, account_decoder, STATUS)
    if isinstance(envelope.credits, msgspec.UnsetType):
        raise unavailable(answer, "it claims success without credits")
    if envelope.rows is not msgspec.UNSET:
        raise unavailable(answer, "it is the answer to another call, about messages")
    return Account(
        balance=read_amount(envelope.credits.get("balance")),
        currency=read_currency(envelope.credits.get("currency")),
        sms_credits=to_int(envelope.credits.get("creditSms"), at_most=MAX_FIGURE),
    )


def read_amount(raw: Any) -> str | None:
    """
    Return an amount of money, or None if it is none: as the vendor writes it, but with 6 decimals at most.

    Whatever is not plainly a figure is left out: it is shown, and the connection test's message is not masked.
    """
    # Only what is short is made text: that of lists and of huge integers can itself fail.
    is_number = isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) <= MAX_FIGURE
    if not is_number and not (isinstance(raw, str) and _AMOUNT.fullmatch(raw)):
        return None
    text = str(raw)
    if len(text.partition(".")[2]) <= _DECIMALS and "e" not in text:
        return text
    # PHP computes in binary: 0.11399999999999999 is 0.114 [observed].
    return f"{Decimal(text):.{_DECIMALS}f}".rstrip("0").removesuffix(".")


def read_currency(raw: Any) -> str | None:
    """Return a currency's code of three letters, or None if it is none."""
    return raw if isinstance(raw, str) and _CURRENCY.fullmatch(raw) else None


_DECIMALS = 6
_AMOUNT = re.compile(r"-?[0-9]{1,8}(\.[0-9]{1,30})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
