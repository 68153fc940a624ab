"""The statuses of a list of messages [multi-status]: 500 in a call, and each once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import islice

from airflow_provider_smspartner._messages.reading import read_pairs
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError
from airflow_provider_smspartner.models import DeliveryStatus, MessageStatus, Outcome, Pair
from airflow_provider_smspartner.protocol.answers import read_rows, unavailable
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request
from airflow_provider_smspartner.protocol.rows import (
    MAX_DIGITS,
    MESSAGE_NOT_FOUND,
    Row,
    certainty,
    outcome_of,
    to_phone_number,
)

MAX_MESSAGES_PER_CALL = 500
"""[multi-status] "maximum 500 numbers"."""


def multi_status(
    messages: Iterable[object], *, distinct: bool = False
) -> Iterator[Call[list[MessageStatus]]]:
    """
    Batch a list: gives calls of up to 500 messages each, whose answers stand in the messages' order.

    A message that is named again is asked for once. A collection is checked whole before the first call is
    given; any other iterable is read as the calls are taken.

    :param messages: any iterable of messages, also an endless one.
    :param distinct: the messages are known to differ: they are read as the calls are taken, and none is remembered.
    :raises SMSPartnerInputError: names the position and the fault of a bad message.
    """
    pairs = read_pairs(messages)
    if distinct:
        return batches(pairs)
    return batches(dict.fromkeys(pairs) if isinstance(messages, Collection) else _unique(pairs))


def _unique(pairs: Iterator[Pair]) -> Iterator[Pair]:
    seen: set[Pair] = set()
    for pair in pairs:
        if pair not in seen:
            seen.add(pair)
            yield pair


def batches(pairs: Iterable[Pair]) -> Iterator[Call[list[MessageStatus]]]:
    """
    Batch messages that are known to differ: as `multi_status`, which calls this.

    :param pairs: each message once: `MessageRef`, or plain tuples of its normalised members.
    """
    pairs = iter(pairs)
    while batch := tuple(islice(pairs, MAX_MESSAGES_PER_CALL)):
        # The list's name on the wire; the page's table alone says SMSStatus_List, its samples do not [observed].
        asked = [{"phoneNumber": number, "messageId": _wire_id(message_id)} for number, message_id in batch]
        request = Request("POST", "/multi-status", body={"SMSStatut_List": asked}, may_repeat=True)
        yield Call(request, partial(_read_multi_status, batch))


def _wire_id(message_id: str) -> int | str:
    # The samples send integers [multi-status]; an id that an integer would change is sent as it is.
    if message_id.isdigit() and len(message_id) <= MAX_DIGITS and (message_id[0] != "0" or message_id == "0"):
        return int(message_id)
    return message_id


def _read_multi_status(batch: tuple[Pair, ...], answer: Answer) -> list[MessageStatus]:
    rows, unanswered = _read_list(answer)
    # Neither order nor completeness is promised: match by phone number and id, never by position [observed].
    outcomes: dict[Pair, Outcome] = dict.fromkeys(batch, unanswered)
    is_about_them = not rows
    in_our_form: dict[Pair, Pair] = {}
    for row in rows:
        if not row.phone_number or row.message_id is None:
            raise unavailable(answer, "a row does not say which message it is about")
        pair = str(row.phone_number), str(row.message_id)
        earlier = outcomes.get(pair)
        if earlier is None:  # then perhaps in another form, or never asked for
            # A wait that an earlier release has stored may ask in a form that was its own.
            in_our_form = in_our_form or {
                (to_phone_number(number), id_): (number, id_) for number, id_ in batch
            }
            pair = in_our_form.get((to_phone_number(row.phone_number), pair[1]), pair)
            earlier = outcomes.get(pair)
            if earlier is None:
                continue
        is_about_them = True
        outcome = outcome_of(row)
        if earlier is unanswered or certainty(outcome) > certainty(earlier):
            outcomes[pair] = outcome
    # A few unasked rows beside the asked ones do no harm, but an answer of unasked ones alone is somebody else's:
    # as "Not found" it would be believed.
    if not is_about_them:
        raise unavailable(answer, "none of its rows is about a message that was asked for")
    return [MessageStatus(*pair, outcome) for pair, outcome in zip(batch, outcomes.values(), strict=True)]


def _read_list(answer: Answer) -> tuple[list[Row], Outcome]:
    """Return the rows of an answer about a list, and the outcome of messages that none of them is about."""
    try:
        envelope, rows = read_rows(answer)
    except SMSPartnerNotFoundError:
        # Code 4 for the whole call [error-codes]: none is known, which is a status of each message and no error.
        return [], _NONE_KNOWN
    if envelope.current_page is not None and envelope.total is not None:
        raise unavailable(answer, "it is the answer to another call, about a tag")
    # An empty list is about none of the messages, and so no other call's: they are unanswered.
    return rows, _UNANSWERED


# Shared like every outcome: what is not said is the same for all.
_UNANSWERED = Outcome(status=DeliveryStatus.NOT_FOUND)
_NONE_KNOWN = Outcome(status=DeliveryStatus.NOT_FOUND, code=MESSAGE_NOT_FOUND)
