"""Who gets which text: read from arguments or files, checked whole, each phone number once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView
from collections.abc import Set as AbstractSet
from typing import Any

from airflow_provider_smspartner._files.formats import ENDINGS
from airflow_provider_smspartner._files.recipients import (
    NumberAndTextFile,
    NumberFile,
    to_number,
    to_number_and_text,
)
from airflow_provider_smspartner._files.row_file import RowFile, names_a_file
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import described, to_e164
from airflow_provider_smspartner.protocol.texts import MAX_PARTS, count_foreign, count_parts

log = logging.getLogger(__name__)

MAX_RECIPIENTS = 1_000
"""Of one send, where its author does not say otherwise."""


def read_recipients(
    recipients: object,
    message: str | None,
    *,
    unicode: bool,
    max_recipients: int,
    is_known: Callable[[object], bool] = lambda _: True,
) -> dict[str, str]:
    """
    Return the text for each phone number, in order; a number that is named again gets the first text.

    :param recipients: with `message`, phone numbers; without, ``(phone_number, text)`` pairs or mappings with
        ``phone_number`` and ``message``; or the path of a file with those columns.
    :param message: the text for all of them, or None.
    :param unicode: whether the texts are sent as Unicode.
    :param max_recipients: more of them than that are an error.
    :param is_known: whether a recipient is what it will be; others are left out.
    :raises SMSPartnerInputError: names the position and the fault, never a number or a text.
    """
    if message is not None:
        _check_text("`message`", message, unicode=unicode)
    texts: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for place, value in _each(recipients, with_text=message is None):
        if not is_known(value):
            continue
        number, text = _recipient(place, value, message)
        if number in texts:
            seen["again"] += 1
            seen["with another text"] += texts[number] != text
            continue
        if message is None:
            _check_text(f"{place}: message", text, unicode=unicode)
        if len(texts) == max_recipients:
            raise SMSPartnerInputError(
                f"There are more than {max_recipients} recipients, which is `max_recipients`. "
                "Raise it if you mean to send to all of them."
            )
        texts[number] = text
    if not texts:
        raise SMSPartnerInputError("`recipients` is empty: there is nobody to send to.")
    _tell(texts, seen, unicode=unicode)
    return texts


def recipient_file(path: str, *, with_text: bool) -> RowFile[Any]:
    """
    Return the file of recipients that a text names.

    :param path: what was given for recipients.
    :param with_text: whether it has a text for each.
    :raises SMSPartnerInputError: if it is not the path of a file in a known format.
    """
    if not names_a_file(path):
        raise SMSPartnerInputError(
            "`recipients` is a text, but neither a template nor the path of a file that ends in one of "
            f"{', '.join(ENDINGS)}. A Jinja template renders to text: pass the upstream task's output itself."
        )
    return NumberAndTextFile.of(path) if with_text else NumberFile.of(path)


def _each(recipients: object, *, with_text: bool) -> Iterator[tuple[str, object]]:
    """Yield each recipient with what an error calls its place."""
    if isinstance(recipients, str):
        file = recipient_file(recipients, with_text=with_text)
        for number, row in enumerate(file, start=1):
            yield file.place_of(number), row
        return
    if not isinstance(recipients, Iterable) or isinstance(recipients, bytes | Mapping):
        raise SMSPartnerInputError(
            f"`recipients` must be a list, the output of an upstream task, or the path of a file, "
            f"not {described(recipients)}."
        )
    if isinstance(recipients, AbstractSet) and not isinstance(recipients, MappingView):
        # Each process has an order of its own for it, and a retry must send the same.
        recipients = sorted(recipients, key=repr)
    for position, value in enumerate(recipients):
        yield f"recipients[{position}]", value


def _recipient(place: str, value: object, message: str | None) -> tuple[str, str]:
    try:
        number, text = to_number_and_text(value) if message is None else (to_number(value), message)
        e164 = to_e164(number)
    except ValueError as error:
        raise SMSPartnerInputError(f"{place}: {error}.") from None
    if not isinstance(text, str):
        raise SMSPartnerInputError(f"{place}: message must be text, not {described(text)}.")
    return e164, text


def _check_text(place: str, text: str, *, unicode: bool) -> None:
    if not text.strip():
        raise SMSPartnerInputError(f"{place} is empty.")
    if (parts := count_parts(text, unicode=unicode)) > MAX_PARTS:
        raise SMSPartnerInputError(
            f"{place} has {len(text)} characters, which are {parts} SMS; the most that SMS Partner takes are "
            f"{MAX_PARTS}. Shorten it."
        )


def _tell(texts: Mapping[str, str], seen: Counter[str], *, unicode: bool) -> None:
    """Log what was read otherwise than it stands there, in figures."""
    if seen["again"]:
        log.info("%d recipients are named again; each number gets one SMS.", seen["again"])
    if seen["with another text"]:
        log.warning(
            "%d recipients are named again with another text; each number gets the first.",
            seen["with another text"],
        )
    if not unicode and any(map(count_foreign, set(texts.values()))):
        log.warning(
            "A text has characters that GSM 03.38 lacks. SMS Partner may send others in their place, unless it is "
            "sent with `unicode`."
        )
