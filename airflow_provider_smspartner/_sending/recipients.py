"""Who gets which text: read from arguments or files, checked whole, each phone number once."""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MappingView
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any

from airflow_provider_smspartner._files.faults import Faults
from airflow_provider_smspartner._files.format import Position
from airflow_provider_smspartner._files.formats import ENDINGS
from airflow_provider_smspartner._files.recipients import (
    NumberAndTextFile,
    NumberFile,
    to_number,
    to_number_and_text,
)
from airflow_provider_smspartner._files.row_file import RowFile, names_a_file
from airflow_provider_smspartner._phone_numbers import why_no_sms
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import described, plain_text, to_e164
from airflow_provider_smspartner.protocol.texts import (
    MAX_PARTS,
    REPLACED,
    changing,
    check_sendable,
    count_parts,
    first_broken_link,
    is_empty,
    on_the_wire,
)

log = logging.getLogger(__name__)

MAX_RECIPIENTS = 1_000
"""Of one send, where its author does not say otherwise."""

_MAX_NAMED = 20
"""Characters in a warning."""


def read_recipients(
    recipients: object,
    message: str | None,
    *,
    unicode: bool,
    max_recipients: int,
    is_known: Callable[[object], bool] = lambda _: True,
    tells: bool = True,
) -> dict[str, str]:
    """
    Return the text for each phone number, in order, as it goes out; a number that is named again gets the first text.

    None of them is no mistake: there may be nobody to send to today.

    :param recipients: with `message`, phone numbers; without, ``(phone_number, text)`` pairs or mappings with
        ``phone_number`` and ``message``; or the path of a file with those columns.
    :param message: the text for all of them, or None.
    :param unicode: whether the texts are sent as Unicode.
    :param max_recipients: more of them than that are an error.
    :param is_known: whether a recipient is what it will be; others are left out.
    :param tells: whether it logs what is read otherwise than it stands there.
    :raises SMSPartnerInputError: names the position and the fault, never a number or a text.
    """
    if message is not None:
        message = _as_it_goes_out("`message`", message, unicode=unicode)
    texts: dict[str, str] = {}
    seen: Counter[str] = Counter()
    faults, rows = _each(recipients, with_text=message is None)
    for position, place, value in rows:
        if not is_known(value):
            continue
        try:
            number, text = _recipient(place, value, message)
            if message is None and number not in texts:
                text = _as_it_goes_out(f"{place}: message", text, unicode=unicode)
        except SMSPartnerInputError as error:
            faults.add(position, str(error))
            if not isinstance(recipients, Collection):
                break  # it may be endless
            continue
        if number in texts:
            seen["again"] += 1
            seen["with another text"] += texts[number] != on_the_wire(text)
            continue
        if len(texts) == max_recipients:
            raise SMSPartnerInputError(
                f"There are more than {max_recipients} recipients, which is `max_recipients`. "
                "Raise it if you mean to send to all of them."
            )
        texts[number] = text
    faults.check()
    if tells:
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


def _each(recipients: object, *, with_text: bool) -> tuple[Faults, Iterator[tuple[int, str, object]]]:
    """Return where faults are noted, and each recipient with its position and what an error calls its place."""
    if isinstance(recipients, str):
        file = recipient_file(recipients, with_text=with_text)
        faults, at = file.no_faults(), Position()
        return faults, ((at.number, file.place_of(at.number), row) for row in file.read(faults, at))
    if not isinstance(recipients, Iterable) or isinstance(recipients, bytes | Mapping):
        raise SMSPartnerInputError(
            f"`recipients` must be a list, the output of an upstream task, or the path of a file, "
            f"not {described(recipients)}."
        )
    if isinstance(recipients, AbstractSet) and not isinstance(recipients, MappingView):
        # Each process has an order of its own for it, and a retry must send the same.
        recipients = sorted(recipients, key=repr)
    listed = ((position, f"recipients[{position}]", value) for position, value in enumerate(recipients))
    return Faults("recipients", "position"), listed


def _recipient(place: str, value: object, message: str | None) -> tuple[str, str]:
    try:
        number, text = to_number_and_text(value) if message is None else (to_number(value), message)
        e164 = to_e164(number)
    except ValueError as error:
        raise SMSPartnerInputError(f"{place}: {error}.") from None
    if fault := why_no_sms(e164):
        raise SMSPartnerInputError(f"{place}: {fault}.")
    if not isinstance(text, str):
        raise SMSPartnerInputError(f"{place}: message must be text, not {described(text)}.")
    return e164, plain_text(text)


def _as_it_goes_out(place: str, text: str, *, unicode: bool) -> str:
    """Return a text on the wire, checked."""
    if is_empty(text, unicode=unicode):
        why = ": SMS Partner removes all of its characters" if text.strip() else ""
        raise SMSPartnerInputError(f"{place} is empty{why}.")
    check_sendable(place, text)
    if not unicode and (link := first_broken_link(text)):
        written = ", ".join(f"{escape} for {each}" for each, escape in link.escapes.items())
        raise SMSPartnerInputError(
            f"{place} has a link, at character {link.position + 1}, that would not work: SMS Partner replaces some of "
            f"its characters. Write {written}."
        )
    if (parts := count_parts(text, unicode=unicode)) > MAX_PARTS:
        raise SMSPartnerInputError(
            f"{place} has {len(text)} characters, which are {parts} SMS; the most that SMS Partner takes are "
            f"{MAX_PARTS}. Shorten it."
        )
    return on_the_wire(text)


def _tell(texts: Mapping[str, str], seen: Counter[str], *, unicode: bool) -> None:
    """Log what was read otherwise than it stands there, in figures."""
    if seen["again"]:
        log.info("%d recipients are named again; each number gets one SMS.", seen["again"])
    if seen["with another text"]:
        log.warning(
            "%d recipients are named again with another text; each number gets the first.",
            seen["with another text"],
        )
    if not unicode:
        _tell_of_changes(set(texts.values()))


def _tell_of_changes(texts: Collection[str]) -> None:
    """Warn of characters that do not arrive as they are."""
    changed = [changing(text) for text in texts]
    replaced = [found for each in changed if (found := each & REPLACED.keys())]
    lacking = [found for each in changed if (found := each - REPLACED.keys())]
    if replaced:
        log.warning(
            "%d of %d texts have characters that SMS Partner replaces: %s. `unicode` keeps them.",
            len(replaced),
            len(texts),
            _listed(replaced),
        )
    if lacking:
        log.warning(
            "%d of %d texts have characters that GSM 03.38 lacks: %s. What SMS Partner sends in their place is not "
            "known. `unicode` keeps them.",
            len(lacking),
            len(texts),
            _listed(lacking),
        )


def _listed(characters: Iterable[Collection[str]]) -> str:
    """Name characters, in an order that makes no text of them."""
    named = [_named(each) for each in sorted({*chain.from_iterable(characters)})]
    more = len(named) - _MAX_NAMED
    return ", ".join(named[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _named(character: str) -> str:
    # Not by itself: a space, what has no shape, and what would sit on the character before.
    is_plain = character.isprintable() and not unicodedata.combining(character)
    name = character if is_plain else f"U+{ord(character):04X}"
    return f"{name} by {REPLACED[character] or 'nothing'}" if character in REPLACED else name
