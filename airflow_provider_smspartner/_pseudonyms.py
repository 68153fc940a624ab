"""
How a phone number leaves: as it is, masked, or as a pseudonym.

Every row that goes into XCom, a file or a table passes through `releasing`, and nothing else decides what becomes of
its phone number. What is asked of the vendor needs the number itself, and does not come here.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import is_known_word

KEEP, MASK, HMAC = FORMS = ("keep", "mask", "hmac")

_SHOWN_FIRST = 3
_SHOWN_LAST = 2

Row = TypeVar("Row", bound=Mapping[str, Any])


def releasing(phone_numbers: str, key: str | None = None) -> Callable[[Row], Row]:
    """
    Return what each row passes through on its way out.

    :param phone_numbers: ``keep``, ``mask`` or ``hmac``.
    :param key: of the pseudonyms, for ``hmac`` alone.
    :raises SMSPartnerInputError: if there is no such form, or no key.
    """
    if phone_numbers == KEEP:
        return lambda row: row
    form = _masked if phone_numbers == MASK else _pseudonyms_of(phone_numbers, key)

    def release(row: Row) -> Row:
        released = {**row, "phone_number": form(row["phone_number"])}
        # The vendor's own words may quote the number.
        if "raw_status" in row and not is_known_word(row["raw_status"]):
            released["raw_status"] = None
        return released  # type: ignore[return-value]  # of the same shape

    return release


def _masked(phone_number: str) -> str:
    """Return the first three characters, the last two, and stars for those between."""
    hidden = len(phone_number) - _SHOWN_FIRST - _SHOWN_LAST
    if hidden <= 0:
        return "*" * len(phone_number)
    return phone_number[:_SHOWN_FIRST] + "*" * hidden + phone_number[-_SHOWN_LAST:]


def _pseudonyms_of(phone_numbers: str, key: str | None) -> Callable[[str], str]:
    if phone_numbers != HMAC:
        raise SMSPartnerInputError(f"`phone_numbers` must be one of {', '.join(map(repr, FORMS))}.")
    if not key:
        raise SMSPartnerInputError(
            "`phone_numbers` is 'hmac', and there is no key: it is the password of the Airflow connection that "
            "`pseudonym_conn_id` names."
        )
    # The key is prepared once: a copy of it costs a fifth of a new one.
    keyed = hmac.new(key.encode(), digestmod="sha256")

    def pseudonym(phone_number: str) -> str:
        own = keyed.copy()
        own.update(phone_number.encode())
        return own.hexdigest()

    return pseudonym
