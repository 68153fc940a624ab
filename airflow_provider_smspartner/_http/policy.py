"""When to send a request again, after how long, and when to give up: one policy for both clients."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from tenacity import (
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from airflow_provider_smspartner import __version__, _clock
from airflow_provider_smspartner._http.failures import describe
from airflow_provider_smspartner._metrics import REQUESTS, RETRIES, count
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol.answers import HTTP_TOO_MANY_REQUESTS

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner.protocol import Request

log = logging.getLogger(__name__)

TOTAL_SECONDS = 300.0
"""What all tries of one request and the waits between them may take together."""

MAX_INTERIM_ANSWERS = 20
"""Of one request: a server sends one or two, if any."""

MAX_RETRY_AFTER_SECONDS = 60.0
FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 30.0


def call_deadline() -> float:
    """Return when a call that begins now must have ended, by `time.monotonic`."""
    return _clock.monotonic() + TOTAL_SECONDS


def retry_options(request: Request, *, max_attempts: int, deadline: float) -> dict[str, Any]:
    """
    Return the options for tenacity's ``Retrying`` and ``AsyncRetrying``.

    :param request: what is sent.
    :param max_attempts: tries, the first included.
    :param deadline: as `call_deadline` returned it; each try ends by it as well.
    """

    def announce(state: RetryCallState) -> None:
        count(RETRIES)
        log.warning(
            "%s Asking %s again in %.1f s (try %d of %d).",
            state.outcome and state.outcome.exception(),
            request.path,
            state.upcoming_sleep,
            state.attempt_number + 1,
            max_attempts,
        )

    return {
        "retry": retry_if_exception(partial(may_try_again, request)),
        "wait": pause_before_retry,
        "stop": stop_after_attempt(max_attempts) | _StopBefore(deadline),
        "before_sleep": announce,
        "retry_error_callback": _give_up,
    }


@contextmanager
def counted() -> Iterator[None]:
    """Count one try of a request by how it ends. One that is cancelled does not count."""
    try:
        yield
    except SMSPartnerUnavailableError:
        count(REQUESTS, "failed")
        raise
    except SMSPartnerError:
        count(REQUESTS, "refused")
        raise
    count(REQUESTS, "answered")


def may_try_again(request: Request, error: BaseException) -> bool:
    """
    Return whether a request may be sent again after an error.

    Only trouble that may pass is worth another try: credentials and refused requests are not. A request that may not
    be repeated is sent again only if the vendor surely has not acted on it: it was not sent, or the answer is HTTP 429.

    :param request: what was sent, or was to be.
    :param error: how the try ended.
    """
    if not isinstance(error, SMSPartnerUnavailableError):
        return False
    if error.is_too_large:
        return False
    # The status line alone counts: a code in the body may come from behind it, where the request was acted on.
    return request.may_repeat or error.surely_unsent or error.http_status == HTTP_TOO_MANY_REQUESTS


def last_error(
    request: Request, error: SMSPartnerUnavailableError
) -> SMSPartnerUnavailableError | SMSPartnerAmbiguousSendError:
    """
    Return the error for the caller: another one if it is unknown whether the vendor has acted on the request.

    :param request: what was sent, or was to be.
    :param error: how the last try ended.
    """
    if request.may_repeat or may_try_again(request, error):
        return error
    return SMSPartnerAmbiguousSendError(
        f"{error} The request was sent once and is not repeated: whether SMS Partner received it, and sent its SMS, "
        "is unknown.",
        code=error.code,
        http_status=error.http_status,
    )


def needs_own_connection(request: Request) -> bool:
    """
    Return whether a request goes out on a connection that is opened for it, and closed after its answer.

    One that was kept alive may have been closed by the other side already. A request that is lost on it may have been
    received or not: one that may not be repeated could not be sent again.

    :param request: what is sent.
    """
    return not request.may_repeat


def headers_of(request: Request) -> dict[str, str]:
    """
    Return the headers of a request, beside those that are the same for all.

    :param request: what is sent.
    """
    headers = {}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    if needs_own_connection(request):
        headers["Connection"] = "close"
    return headers


def pause_before_retry(state: RetryCallState) -> float:
    """Return the seconds to wait: exponential with full jitter, or longer if the vendor asks for it."""
    backoff: Callable[[RetryCallState], float] = wait_random_exponential(
        multiplier=FIRST_WAIT_SECONDS, max=MAX_WAIT_SECONDS
    )
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, SMSPartnerUnavailableError) else None
    return max(backoff(state), min(seconds_of(asked, now=_clock.now()), MAX_RETRY_AFTER_SECONDS))


class _StopBefore(stop_base):
    """
    Make no further try once the deadline of a call has passed, or will have before that try begins.

    tenacity's own `stop_before_delay` has another clock, which starts a moment later. After a try that has used up all
    the time it would begin one that cannot be made.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def __call__(self, retry_state: RetryCallState) -> bool:
        return _clock.monotonic() + retry_state.upcoming_sleep >= self._deadline


def seconds_of(retry_after: str | None, *, now: datetime) -> float:
    """
    Return the seconds of a ``Retry-After`` header in either form (RFC 9110, 10.2.3): seconds, or a date.

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
    # Without `retry_after`: it was for the next try, and it is text of the vendor's.
    raise SMSPartnerUnavailableError(
        f"{error} Gave up after {tries} in {state.seconds_since_start or 0:.0f} s.",
        code=error.code,
        http_status=error.http_status,
        surely_unsent=error.surely_unsent,
    ) from None


def no_answer(fault: BaseException, settings: Settings, *, surely_unsent: bool) -> SMSPartnerUnavailableError:
    """
    Return the error for a request without an answer.

    :param fault: what the library raised, or a plain `TimeoutError` once `TOTAL_SECONDS` are used up. Its text
        may hold the URL, and that the key: only its kind is told.
    :param settings: say which host and port were asked.
    :param surely_unsent: whether no byte of the request can have gone out.
    """
    return SMSPartnerUnavailableError(
        describe(fault, settings, total=TOTAL_SECONDS, surely_unsent=surely_unsent),
        surely_unsent=surely_unsent,
    )


def closed_before_answer(*, surely_unsent: bool) -> SMSPartnerUnavailableError:
    """
    Return the error for a request whose hook was closed before its answer had come.

    :param surely_unsent: whether no byte of the request can have gone out.
    """
    return SMSPartnerUnavailableError(
        "The hook was closed before SMS Partner answered.", surely_unsent=surely_unsent
    )


@lru_cache(maxsize=1)
def user_agent() -> str:
    """Return the name of this provider and of Airflow, with their versions."""
    from airflow import __version__ as airflow_version

    return f"airflow-provider-smspartner/{__version__} apache-airflow/{airflow_version}"
