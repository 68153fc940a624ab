"""The options of a send, checked and typed."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import described, plain_text
from airflow_provider_smspartner.protocol import check_tag
from airflow_provider_smspartner.protocol.rows import VENDOR_TIME
from airflow_provider_smspartner.protocol.sending import SCHEDULE_STEP_MINUTES, SendOptions

log = logging.getLogger(__name__)

_SENDER = re.compile(r"[0-9A-Za-z]{3,11}")
_STEP = timedelta(minutes=SCHEDULE_STEP_MINUTES)


def read_options(
    *, tag: object, sender: object, scheduled_at: object, stop_notice: bool, unicode: bool, sandbox: bool
) -> SendOptions:
    """
    Return the options of a send.

    :param tag: 1 to 20 characters without white space, or None.
    :param sender: 3 to 11 letters or digits, or None.
    :param scheduled_at: an aware datetime, its ISO text, or None.
    :param stop_notice: whether the vendor adds how to answer STOP.
    :param unicode: whether the texts are sent as Unicode.
    :param sandbox: whether the SMS are neither delivered nor charged.
    :raises SMSPartnerInputError: names the option, its fault, and what would be right.
    """
    for name, flag in (("stop_notice", stop_notice), ("unicode", unicode)):
        check_flag(name, flag)
    at = None if scheduled_at is None else read_schedule(scheduled_at)
    if at is not None:
        _tell_if_twice(at)
    return SendOptions(
        tag=None if tag is None else check_tag(tag),
        sender=None if sender is None else check_sender(sender),
        scheduled_at=at,
        stop_notice=stop_notice,
        unicode=unicode,
        sandbox=sandbox,
    )


def check_flag(name: str, value: object) -> None:
    """
    Check a switch.

    :raises SMSPartnerInputError: if it is neither True nor False: a text such as "false" would be true.
    """
    if not isinstance(value, bool):
        raise SMSPartnerInputError(f"`{name}` must be True or False, not {described(value)}.")


def check_sender(sender: object) -> str:
    """
    Check who the SMS are from.

    :raises SMSPartnerInputError: if it is not 3 to 11 letters or digits.
    """
    if not isinstance(sender, str) or not _SENDER.fullmatch(sender):
        what = f"{len(sender)} characters" if isinstance(sender, str) else described(sender)
        raise SMSPartnerInputError(
            f"`sender` must be 3 to 11 letters or digits, without accents and spaces; it is {what}."
        )
    return plain_text(sender)


def read_schedule(scheduled_at: object) -> datetime:
    """
    Return a time at which SMS can leave: the vendor takes steps of five minutes, so the next one from then on.

    :param scheduled_at: an aware datetime, or its ISO text.
    :raises SMSPartnerInputError: if it is neither.
    """
    at = scheduled_at
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at.strip())
        except ValueError:
            raise SMSPartnerInputError(
                "`scheduled_at` is a text, but not an ISO date and time, such as 2026-11-27T09:00:00+01:00."
            ) from None
    if not isinstance(at, datetime):
        raise SMSPartnerInputError(
            f"`scheduled_at` must be an aware datetime, or its ISO text, not {described(scheduled_at)}."
        )
    try:
        is_naive = at.utcoffset() is None
        step = _next_step(at)
        step.astimezone(VENDOR_TIME)
    except OverflowError:
        raise SMSPartnerInputError("`scheduled_at` is too far away: no calendar has that time.") from None
    except ValueError:
        # Such as pandas' NaT, which is a datetime.
        raise SMSPartnerInputError("`scheduled_at` is not a time.") from None
    if is_naive:
        raise SMSPartnerInputError(
            "`scheduled_at` has no time zone: say which time is meant, for example with "
            "pendulum.datetime(2026, 11, 27, 9, tz='Europe/Paris')."
        )
    return step


def _next_step(at: datetime) -> datetime:
    # By way of its text: pendulum's times and those of other subclasses do not take a difference as `datetime` does.
    at = datetime.fromisoformat(at.isoformat()).astimezone(UTC)
    late = timedelta(
        minutes=at.minute % SCHEDULE_STEP_MINUTES, seconds=at.second, microseconds=at.microsecond
    )
    return at - late + _STEP if late else at


def _tell_if_twice(at: datetime) -> None:
    """Warn of a time that the vendor is told as it is told another: in autumn an hour comes twice."""
    first, second = (at.astimezone(VENDOR_TIME).replace(fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        log.warning(
            "`scheduled_at`, %s, is in the hour that Paris has twice when summer time ends. SMS Partner is told %s, "
            "which is also an hour earlier or later: choose another time if it matters.",
            at.isoformat(timespec="minutes"),
            f"{first:%d/%m/%Y %H:%M}",
        )


def check_coming(options: SendOptions) -> None:
    """
    Make sure, right before a call, that it is not too late for it.

    :raises SMSPartnerInputError: if the time at which the SMS are to leave is past.
    """
    at = options.scheduled_at
    if at is not None and at <= _clock.now():
        raise SMSPartnerInputError(
            f"`scheduled_at`, {at.isoformat(timespec='minutes')}, is past. Leave it out to send at once."
        )
