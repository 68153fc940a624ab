"""
The arguments of the operators, the sensor and the notifier: their checks and units, in one place.

A mistake is told as early as it can be known. What stands in the DAG file as it is, is checked when the DAG is parsed;
what a template or an upstream task gives is checked when the task starts, before anything is sent. DAG files are
parsed all the time: nothing here may be slow, and nothing is imported that is not loaded already, or small.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeGuard

from airflow_provider_smspartner._messages.reading import read_one
from airflow_provider_smspartner._pseudonyms import FORMS, HMAC
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import described
from airflow_provider_smspartner.protocol import check_tag

MAX_PARSED_MESSAGES = 1_000
"""Messages of a list that are looked at when the DAG is parsed; all are when the task starts."""

LEAST_DEFERRAL_SECONDS = 6

JINJA = ("{{", "{%", "{#")
"""What begins a template."""

LISTS = frozenset({"messages", "recipients"})
"""Arguments of which one template may give a whole list."""

_SOURCES = ("tag", "messages")
"""Of these a task that reads statuses has exactly one."""

ANY_JINJA = (*"{[(<$%#@!^&*|=?`~", "--", "__", "::")
"""What may begin a template where it is not known whether the DAG gives Jinja other markers."""


class HasArguments(Protocol):
    """An operator, sensor or notifier of this package, with its arguments as attributes."""

    template_fields: Sequence[str]

    _optional: ClassVar[frozenset[str]]
    """Templated arguments that may be None."""

    _given: frozenset[str]
    """Templated arguments that were given: what becomes of them is never taken for not given."""

    def _check_lists(self) -> None:
        """
        Check what is literal in messages or recipients: called with the other literals, when the DAG is parsed.

        :raises SMSPartnerInputError: names the argument, and what would be right.
        """


def check_literals(owner: HasArguments) -> None:
    """
    Check what needs no rendering: called at the end of `__init__`, when the DAG is parsed.

    :param owner: has all its arguments.
    :raises SMSPartnerInputError: names the task, the argument, and what would be right.
    """
    owner._given = _expanded(owner)  # noqa: SLF001 - each class tells its own
    note_given(owner)
    with _naming(owner):
        for name, check in _PLAIN.items():
            if hasattr(owner, name):
                check(name, getattr(owner, name))
        # A mapped task is made anew when it starts. Its list may be empty then, which is for `execute` to judge.
        if _is_mapped(owner) or _has_own_jinja(owner):
            return
        marks = JINJA if hasattr(owner, "has_dag") else ANY_JINJA
        for name, value in _templated(owner):
            if is_literal(value, marks):
                _TEMPLATED[name](name, value)
        _check_pseudonyms(owner)
        _check_history(owner)
        owner._check_lists()  # noqa: SLF001 - each class tells its own


def check_rendered(owner: HasArguments) -> None:
    """
    Check what templates and upstream tasks have given: called when the task starts, before anything is sent.

    Messages and recipients are not looked at here: they are read, and checked, as a whole.

    :param owner: rendered.
    :raises SMSPartnerInputError: names the task, the argument, and what would be right.
    """
    with _naming(owner):
        _check_given(owner)
        for name, value in _templated(owner):
            _TEMPLATED[name](name, value)
        _check_pseudonyms(owner)
        _check_history(owner)


def note_given(owner: HasArguments) -> None:
    """
    Note which templated arguments have a value: called at the end of `__init__`, and before they are rendered.

    A subclass may set some after `__init__`. What is noted stays so: rendering twice forgets nothing.

    :param owner: not rendered yet.
    """
    given = {name for name in owner.template_fields if getattr(owner, name, None) is not None}
    owner._given = owner._given | given  # noqa: SLF001 - each class tells its own


def check_source(owner: Any) -> None:
    """
    Check that a task is told to ask for a tag or for a list, and not for both.

    :param owner: has `tag` and `messages`.
    :raises SMSPartnerInputError: names the task.
    """
    if owner.tag is None and owner.messages is None and _is_mapped(owner):
        return  # It is for `execute` to judge.
    if (owner.tag is None) == (owner.messages is None):
        raise SMSPartnerInputError(
            f"Task {owner.task_id!r}: exactly one of `tag` and `messages` must be given."
        )


def is_literal(value: object, marks: Sequence[str] = JINJA) -> bool:
    """
    Whether a value stays as it is: it holds no template, and nothing that Airflow resolves when the task starts.

    :param value: what a DAG file gave for an argument.
    :param marks: what begins a template.
    """
    if isinstance(value, str):
        return not any(mark in value for mark in marks)
    if isinstance(value, Mapping):
        return all(is_literal(each, marks) for each in value.values())
    if isinstance(value, list | tuple):
        return all(is_literal(each, marks) for each in value)
    return value is None or isinstance(value, int | float | bytes | datetime)


def check_literal_messages(messages: object, *, may_be_empty: bool) -> None:
    """
    Check the first messages of a list, or that a text is the path of a file.

    :param messages: as the DAG file gives them.
    :param may_be_empty: whether there may be none.
    :raises SMSPartnerInputError: names the position and the fault.
    """
    if isinstance(messages, str):
        if is_literal(messages):
            _check_path_of_messages(messages)
        return
    if isinstance(messages, list | tuple):
        if not messages and not may_be_empty:
            raise SMSPartnerInputError("`messages` is empty: there is nothing to wait for.")
        for position, message in enumerate(islice(messages, MAX_PARSED_MESSAGES)):
            if is_literal(message):
                deque(read_one(message, f"messages[{position}]"), maxlen=0)
    elif messages is None or isinstance(messages, int | float | bytes | Mapping):
        raise SMSPartnerInputError(
            f"`messages` must be a list of messages, the output of an upstream task, or the path of a file, "
            f"not {described(messages)}."
        )


def check_literal_recipients(
    recipients: object,
    message: str | None,
    *,
    unicode: bool,
    max_recipients: int,
    marks: Sequence[str] = JINJA,
) -> None:
    """
    Check the first recipients of a list, or that a text is the path of a file.

    :param recipients: as the DAG file gives them.
    :param message: the text for all of them, or None.
    :param unicode: whether the texts are sent as Unicode.
    :param max_recipients: how many there may be.
    :param marks: what begins a template.
    :raises SMSPartnerInputError: names the position and the fault, never a number or a text.
    """
    from airflow_provider_smspartner._sending.recipients import read_recipients, recipient_file

    if not is_literal(message, marks):
        # What it will be is not known; that there will be one decides what recipients look like.
        message = "rendered later"
    if isinstance(recipients, str):
        if is_literal(recipients, marks):
            recipient_file(recipients, with_text=message is None)
    elif isinstance(recipients, list | tuple):
        first = recipients[:MAX_PARSED_MESSAGES]
        if any(is_literal(each, marks) for each in first) or not first:
            read_recipients(
                first,
                message,
                unicode=unicode,
                max_recipients=max_recipients,
                is_known=lambda each: is_literal(each, marks),
                # The task will: DAG files are parsed all the time.
                tells=False,
            )
    elif recipients is None or isinstance(recipients, int | float | bytes | Mapping):
        raise SMSPartnerInputError(
            f"`recipients` must be a list, the output of an upstream task, or the path of a file, "
            f"not {described(recipients)}."
        )


def to_timedelta(name: str, value: object) -> timedelta:
    """
    Read a length of time, as Airflow reads `poke_interval` and `timeout`.

    :param name: the argument.
    :param value: a timedelta, or seconds.
    :raises SMSPartnerInputError: if it is neither, or negative.
    """
    length = value
    if _is_number(value):
        try:
            length = timedelta(seconds=value)
        except OverflowError:
            length = None
    if not isinstance(length, timedelta) or length < timedelta(0):
        raise SMSPartnerInputError(
            f"`{name}` must be a timedelta or a number of seconds, and not be negative; it is {_shown(value)}."
        )
    return length


def read_total(expected_total: object) -> int | None:
    """
    Read `expected_total`, which a template renders to text.

    :param expected_total: a whole number, its text, or None.
    :raises SMSPartnerInputError: if it is none of them, or negative.
    """
    if expected_total is None:
        return None
    total = -1
    if isinstance(expected_total, int | str) and not isinstance(expected_total, bool):
        try:
            total = int(expected_total)
        except ValueError:
            total = -1
    if total < 0:
        raise SMSPartnerInputError(
            f"`expected_total` must be a whole number of rows, or None; it is {_shown(expected_total)}."
        )
    return total


def warn_of_short_deferrals(sensor: Any) -> None:
    """
    Warn of an interval at which Airflow 3.3 may fail the task; called when it starts, not each time it is parsed.

    :param sensor: a deferrable sensor.
    """
    if sensor.poke_interval < LEAST_DEFERRAL_SECONDS and _airflow_version()[:2] == (3, 3):
        sensor.log.warning(
            "`poke_interval` is %g s. Airflow 3.3 can fail a task whose deferral lasts less than about 5 s "
            "(issue 71580 of apache/airflow): make it %d s or more.",
            sensor.poke_interval,
            LEAST_DEFERRAL_SECONDS,
        )


def _airflow_version() -> tuple[int, ...]:
    from airflow import __version__

    return tuple(int(part) for part in __version__.split(".")[:2])


def _templated(owner: HasArguments) -> Iterator[tuple[str, object]]:
    """Yield the templated arguments by their names, without those that are rightly left out."""
    for name in _TEMPLATED:
        if hasattr(owner, name):
            value = getattr(owner, name)
            if value is not None or name not in owner._optional:  # noqa: SLF001 - each class tells its own
                yield name, value


def _has_own_jinja(owner: Any) -> bool:
    """Whether the DAG gave Jinja other markers than the usual, so that no text can be told from a template."""
    dag = owner.dag if hasattr(owner, "has_dag") and owner.has_dag() else None
    return bool(getattr(dag, "jinja_environment_kwargs", None))


def _expanded(owner: Any) -> frozenset[str]:
    """Return what a mapped task was given by the output of other tasks: it is resolved before the task is made."""
    # It is of no more use. Airflow 2 could not copy a task whose first attribute is not its own.
    passed: frozenset[str] = vars(owner).pop("_passed", frozenset())
    if not _is_mapped(owner):
        return frozenset()
    mapped: Any = owner.dag.task_dict.get(owner.task_id) if owner.has_dag() else None
    if not hasattr(mapped, "partial_kwargs"):
        return passed
    source = mapped._get_specified_expand_input().value  # noqa: SLF001 - Airflow has no other door
    if isinstance(source, Mapping):
        return frozenset(
            name for name in passed if name in source and not isinstance(source[name], Sequence | Mapping)
        )
    if isinstance(source, Sequence) and all(isinstance(each, Mapping) for each in source):
        return frozenset()
    return frozenset(passed - set(mapped.partial_kwargs))


def _is_mapped(owner: object) -> bool:
    """Whether this is a mapped task that has just been made anew, to be executed."""
    return bool(getattr(owner, "_BaseOperator__from_mapped", False))


def _check_given(owner: Any) -> None:
    """Check that what was given has a value now. None means something else where nothing was given."""
    # A subclass may have templated arguments of its own, and judges those.
    given = owner._given & ARGUMENTS  # noqa: SLF001 - each class tells its own
    lost = [name for name in owner.template_fields if name in given and getattr(owner, name) is None]
    if _has_source(owner):
        # A subclass may have put one in the place of the other.
        lost = [name for name in lost if name not in _SOURCES]
    if lost:
        raise SMSPartnerInputError(
            f"`{lost[0]}` was given, but has come to None, and None would mean that it was not given. Nothing was "
            "sent. An upstream task may have been skipped, or have pushed nothing; if that may happen, let the "
            "template or the upstream task say what is meant then."
        )


def _has_source(owner: Any) -> bool:
    return any(getattr(owner, name, None) is not None for name in _SOURCES)


def _check_path_of_messages(path: str) -> None:
    from airflow_provider_smspartner._files.formats import ENDINGS
    from airflow_provider_smspartner._files.row_file import names_a_file
    from airflow_provider_smspartner._messages.from_file import MessageFile

    if not names_a_file(path):
        raise SMSPartnerInputError(
            f"`messages` is a text, but neither a template nor the path of a file that ends in one of "
            f"{', '.join(ENDINGS)}."
        )
    MessageFile.of(path)


def _check_tag(_name: str, tag: object) -> None:
    check_tag(tag)


def _check_output_path(name: str, path: object) -> None:
    _check_text(name, path)
    from airflow_provider_smspartner._files.output import Output

    Output.of(str(path))


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise SMSPartnerInputError(f"`{name}` must be text; it is {_shown(value)}.")


def _check_message(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise SMSPartnerInputError(f"`{name}` must be text, not {described(value)}.")


def _check_conn_id(name: str, value: object) -> None:
    _check_text(name, value)
    if not str(value).strip():
        raise SMSPartnerInputError(f"`{name}` must name an Airflow connection; it is empty.")


def _check_table(name: str, value: object) -> None:
    from airflow_provider_smspartner._sql.names import TableName

    TableName.of(name, value)


def _check_total(_name: str, value: object) -> None:
    read_total(value)


def _check_limit(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SMSPartnerInputError(f"`{name}` must be a whole number from 0; it is {_shown(value)}.")


def _check_ratio(name: str, value: object) -> None:
    if not (_is_number(value) and 0 < value <= 1):
        raise SMSPartnerInputError(f"`{name}` must be above 0 and at most 1; it is {_shown(value)}.")


def _check_rate(name: str, value: object) -> None:
    if value is not None and not (_is_number(value) and 0 <= value <= 1):
        raise SMSPartnerInputError(f"`{name}` must be from 0 to 1, or None; it is {_shown(value)}.")


def _check_switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SMSPartnerInputError(f"`{name}` must be True or False; it is {_shown(value)}.")


def _check_sandbox(name: str, value: object) -> None:
    if value is not None:
        _check_switch(name, value)


def _check_sender(_name: str, sender: object) -> None:
    from airflow_provider_smspartner._sending.options import check_sender

    check_sender(sender)


def _check_schedule(_name: str, scheduled_at: object) -> None:
    from airflow_provider_smspartner._sending.options import read_schedule

    read_schedule(scheduled_at)


def _check_pseudonyms(owner: Any) -> None:
    if getattr(owner, "phone_numbers", None) == HMAC and owner.pseudonym_conn_id is None:
        raise SMSPartnerInputError(
            "`phone_numbers` is 'hmac': `pseudonym_conn_id` must name the Airflow connection whose password is the key."
        )


def _check_history(owner: Any) -> None:
    if getattr(owner, "history_table", None) is not None and owner.history_table == owner.table:
        raise SMSPartnerInputError("`history_table` must be another table than `table`.")


def _check_form(name: str, value: object) -> None:
    if value not in FORMS:
        raise SMSPartnerInputError(
            f"`{name}` must be one of {', '.join(map(repr, FORMS))}; it is {_shown(value)}."
        )


_PLAIN: dict[str, Callable[[str, object], None]] = {
    "allow_empty": _check_switch,
    "create_tables": _check_switch,
    "deferrable": _check_switch,
    "max_xcom_rows": _check_limit,
    "min_delivery_rate": _check_rate,
    "settled_ratio": _check_ratio,
    "stop_notice": _check_switch,
    "unicode": _check_switch,
    "sandbox": _check_sandbox,
    "max_recipients": _check_limit,
}
"""Arguments without templates."""

_TEMPLATED: dict[str, Callable[[str, object], None]] = {
    "tag": _check_tag,
    "expected_total": _check_total,
    "output_path": _check_output_path,
    "output_conn_id": _check_text,
    "table": _check_table,
    "history_table": _check_table,
    "sql_conn_id": _check_conn_id,
    "phone_numbers": _check_form,
    "pseudonym_conn_id": _check_conn_id,
    "smspartner_conn_id": _check_conn_id,
    "message": _check_message,
    "sender": _check_sender,
    "scheduled_at": _check_schedule,
}
"""Arguments with templates, but for `LISTS`: those are read as a whole once the task has started."""

ARGUMENTS = frozenset({*LISTS, *_TEMPLATED})
"""All arguments with templates that are this package's own."""


@contextmanager
def _naming(owner: Any) -> Iterator[None]:
    """Put the task's name into an error: a DAG file may make many tasks in a loop. A notifier has none."""
    try:
        yield
    except ValueError as error:
        raise SMSPartnerInputError(f"{owner_of(owner)}: {error}") from None


def owner_of(owner: object) -> str:
    """Return what errors call a task, or a notifier, which has no name."""
    return f"Task {owner.task_id!r}" if hasattr(owner, "task_id") else type(owner).__name__


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    """Return a value for an error's text, shortened, or its type: a list or a mapping may hold phone numbers."""
    if value is None or isinstance(value, bool | int | float | timedelta):
        return repr(value)[:40]
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else f"{value[:40]!r}… ({len(value)} characters)"
    return f"of type {type(value).__name__}"
