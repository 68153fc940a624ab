"""When to ask again, after how long, and when to give up: one policy for both clients."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tenacity import (
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from airflow_provider_smspartner import __version__
from airflow_provider_smspartner._http.failures import describe
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection import Settings

log = logging.getLogger(__name__)

TOTAL_SECONDS = 300.0
"""What all tries of one request and the waits between them may take together."""

MAX_RETRY_AFTER_SECONDS = 60.0
FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 30.0


def retry_options(*, max_attempts: int, path: str) -> dict[str, Any]:
    """
    Give the options for tenacity's ``Retrying`` and ``AsyncRetrying``.

    Only what may pass is tried again: `SMSPartnerUnavailableError`. Credentials and refused requests never are.

    :param max_attempts: tries, the first included.
    :param path: names the request in the log.
    """

    def announce(state: RetryCallState) -> None:
        log.warning(
            "%s Asking %s again in %.1f s (try %d of %d).",
            state.outcome and state.outcome.exception(),
            path,
            state.upcoming_sleep,
            state.attempt_number + 1,
            max_attempts,
        )

    return {
        "retry": retry_if_exception_type(SMSPartnerUnavailableError),
        "wait": wait,
        "stop": stop_after_attempt(max_attempts) | stop_before_delay(TOTAL_SECONDS),
        "before_sleep": announce,
        "retry_error_callback": _give_up,
    }


def wait(state: RetryCallState) -> float:
    """Give the seconds to wait: exponential with full jitter, or longer where the vendor asks for it."""
    backoff: Callable[[RetryCallState], float] = wait_random_exponential(
        multiplier=FIRST_WAIT_SECONDS, max=MAX_WAIT_SECONDS
    )
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, SMSPartnerUnavailableError) else None
    return max(backoff(state), min(seconds_of(asked, now=datetime.now(UTC)), MAX_RETRY_AFTER_SECONDS))


def seconds_of(retry_after: str | None, *, now: datetime) -> float:
    """
    Read a ``Retry-After`` header in either form (RFC 9110, 10.2.3): seconds, or a date.

    :param retry_after: the header as sent; 0 where it is missing, unreadable or past.
    :param now: aware.
    """
    if retry_after is None:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = parsedate_to_datetime(retry_after)
        except (ValueError, OverflowError):
            return 0.0
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _give_up(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, SMSPartnerUnavailableError):
        raise TypeError("only SMSPartnerUnavailableError is tried again")
    tries = "1 try" if state.attempt_number == 1 else f"{state.attempt_number} tries"
    # Without `retry_after`: it has served, and it is the vendor's own words.
    raise SMSPartnerUnavailableError(
        f"{error} Gave up after {tries} in {state.seconds_since_start or 0:.0f} s.",
        code=error.code,
        http_status=error.http_status,
    ) from None


def lost(fault: BaseException, settings: Settings) -> SMSPartnerUnavailableError:
    """
    Return the error for a request without an answer.

    :param fault: what the library raised, or a plain `TimeoutError` once `TOTAL_SECONDS` are used up. Its text
        may hold the URL, and that the key: only its kind is told.
    :param settings: say which host and port were asked.
    """
    return SMSPartnerUnavailableError(describe(fault, settings, total=TOTAL_SECONDS))


def abandoned() -> SMSPartnerUnavailableError:
    """Describe a request that nobody waits for any more."""
    return SMSPartnerUnavailableError("The hook was closed before SMS Partner answered.")


@lru_cache(maxsize=1)
def user_agent() -> str:
    """Name this provider and Airflow with their versions."""
    from airflow import __version__ as airflow_version

    return f"airflow-provider-smspartner/{__version__} apache-airflow/{airflow_version}"
