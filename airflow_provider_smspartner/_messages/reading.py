"""Messages as people give them: any iterable, each in any of the accepted forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard

from airflow_provider_smspartner._phone_numbers import PLAIN_E164
from airflow_provider_smspartner.models import MessageRef, Pair, bad_input, described, to_ref


def read_messages(messages: object) -> Iterator[MessageRef]:
    """
    Yield messages one by one, each in any of the forms that `MessageRef.of` takes, also those of lists in the list.

    :param messages: any iterable of messages, also an endless one.
    :raises SMSPartnerInputError: names the position (from 0) and the fault.
    """
    return map(to_ref, read_pairs(messages))


def read_pairs(messages: object) -> Iterator[Pair]:
    """
    Read messages as `read_messages` does, and yield plain pairs, which equal its `MessageRef`.

    Python's garbage collector soon stops looking at plain tuples of text, but goes through those of a class again and
    again. For a long list that is a quarter of the time (`benchmarks/RESULTS.md`, "time for 100,000 messages by list").

    :param messages: as for `read_messages`.
    :raises SMSPartnerInputError: names the position (from 0) and the fault.
    """
    if not isinstance(messages, Iterable) or isinstance(messages, str | bytes | Mapping):
        hint = (
            "; a Jinja template renders to text: pass the upstream task's output itself, or set "
            "render_template_as_native_obj on the DAG"
            if isinstance(messages, str)
            else ""
        )
        raise bad_input(f"messages must be an iterable of messages, not {described(messages)}{hint}")
    return _read_each(messages)


def _read_each(messages: Iterable[object]) -> Iterator[Pair]:
    is_plain = PLAIN_E164.fullmatch
    for position, value in enumerate(messages):
        # Nearly all messages of a long list are such pairs: they need no more looking at.
        if type(value) is tuple and len(value) == 2:
            phone_number, message_id = value
            if (
                type(message_id) is int
                and 0 <= message_id < _PLAIN_ID
                and type(phone_number) is str
                and is_plain(phone_number)
            ):
                yield phone_number, str(message_id)
                continue
        yield from read_one(value, f"messages[{position}]")


def read_one(value: object, place: str) -> Iterator[MessageRef]:
    """
    Yield what stands at one place of a list: a message, or the messages of a list, as a mapped send has pushed it.

    :param value: a message in any of the accepted forms, or a list of such.
    :param place: what an error calls it.
    :raises SMSPartnerInputError: names the place and the fault.
    """
    if not _is_list(value):
        yield _message(value, place)
        return
    for position, message in enumerate(value):
        yield _message(message, f"{place}[{position}]")


def _message(value: object, place: str) -> MessageRef:
    try:
        return MessageRef.of(value)
    except ValueError as error:
        raise bad_input(f"{place}: {error}") from None


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value holds messages, and is not one: a pair begins with a text."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return False
    return not value or (isinstance(value[0], Mapping | Sequence) and not isinstance(value[0], str | bytes))


_PLAIN_ID = 10**18
