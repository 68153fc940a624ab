"""Recipients as people give them: phone numbers that get a text, or each with a text of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeGuard

from airflow_provider_smspartner._files.columns import Wanted
from airflow_provider_smspartner._files.row_file import RowFile
from airflow_provider_smspartner.models import PHONE_NUMBER_NAMES, bad_input, described, members

_TEXT_NAMES = ("message",)
_WHAT = "a recipient"


def to_number(recipient: object) -> object:
    """
    Return the phone number of a recipient without a text, not looked at any further.

    :param recipient: a phone number, a row of one column that holds it, as SQL hooks give it, or a mapping with
        ``phone_number``/``phoneNumber``.
    :raises SMSPartnerInputError: if a mapping has none.
    """
    if isinstance(recipient, Mapping):
        (recipient,) = members(recipient, [PHONE_NUMBER_NAMES], of=_WHAT)
    elif _is_row(recipient) and len(recipient) == 1:
        (recipient,) = recipient
    return recipient


def _is_row(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def to_number_and_text(recipient: object) -> tuple[object, object]:
    """
    Return the phone number and the text of a recipient, not looked at any further.

    :param recipient: a ``(phone_number, text)`` pair, or a mapping with ``phone_number``/``phoneNumber`` and
        ``message``.
    :raises SMSPartnerInputError: if it is neither.
    """
    if isinstance(recipient, Mapping):
        number, text = members(recipient, [PHONE_NUMBER_NAMES, _TEXT_NAMES], of=_WHAT)
    elif _is_row(recipient) and len(recipient) == 2:
        number, text = recipient
    else:
        raise bad_input(
            f"a recipient with a text of its own is a (phone_number, text) pair or a mapping with phone_number and "
            f"message, not {described(recipient)}"
        )
    return number, text


@dataclass(frozen=True, slots=True)
class NumberFile(RowFile[object]):
    """
    A file of phone numbers: a column ``phone_number``.

    A line of NDJSON may be a text, too. Other columns are not looked at. The numbers are as they stand there.
    """

    what: ClassVar[str] = "recipients"
    columns: ClassVar[tuple[Wanted, ...]] = (Wanted(PHONE_NUMBER_NAMES),)
    read_row = staticmethod(to_number)


@dataclass(frozen=True, slots=True)
class NumberAndTextFile(RowFile[tuple[object, object]]):
    """
    A file of phone numbers, each with its text: columns ``phone_number`` and ``message``.

    A line of NDJSON may be a pair, too. Other columns are not looked at. The values are as they stand there.
    """

    what: ClassVar[str] = "recipients"
    columns: ClassVar[tuple[Wanted, ...]] = (Wanted(PHONE_NUMBER_NAMES), Wanted(_TEXT_NAMES, prose=True))
    read_row = staticmethod(to_number_and_text)
