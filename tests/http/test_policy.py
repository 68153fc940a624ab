"""When to ask again and after how long: the rules by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tenacity import Future, RetryCallState, Retrying

from airflow_provider_smspartner import __version__
from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCredentialsError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import Request

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def state(attempt: int, retry_after: str | None = None) -> RetryCallState:
    made = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    made.attempt_number = attempt
    made.outcome = Future(attempt)
    made.outcome.set_exception(SMSPartnerUnavailableError("lost", retry_after=retry_after))
    return made


class TestSecondsOf:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            (None, 0),
            ("7", 7),
            (" 7 ", 7),
            ("0", 0),
            ("-5", 0),
            ("1.5", 1.5),
            ("3600", 3600),
            ("nan", 0),
            ("inf", 0),
            ("", 0),
            ("soon", 0),
            (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30),
            ("Saturday, 21-Nov-26 10:00:30 GMT", 30),
            ("Sat Nov 21 10:00:30 2026", 30),
            ("Sat, 21 Nov 2026 12:00:30 +0200", 30),
            ("Sat, 21 Nov 2026 10:00:30 -0000", 30),
            (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
            ("Sat, 21 Nov 99999999999999999999 10:00:30 GMT", 0),
            ("Sat, 21 Nov 2026 10:00:30 +99999999999999999", 0),
        ],
    )
    def test_both_forms(self, header: str | None, seconds: float) -> None:
        assert policy.seconds_of(header, now=NOW) == seconds

    @given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, ?\d+ [A-Z][a-z]{2} \d+ [\d:]+ [+-]?\w+"))
    @example("Mon, 1 Jan 0001 00:00:00 +2300")
    @example("Fri, 31 Dec 9999 23:59:59 -2300")
    @example(" ,")
    def test_no_header_is_too_odd(self, header: str) -> None:
        assert 0 <= policy.seconds_of(header, now=NOW) < float("inf")


class TestWait:
    @pytest.fixture(autouse=True)
    def _as_shipped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "FIRST_WAIT_SECONDS", 0.5)
        monkeypatch.setattr(policy, "MAX_WAIT_SECONDS", 30.0)

    @pytest.mark.parametrize(
        ("attempt", "most"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (7, 30), (50, 30), (5000, 30)]
    )
    def test_exponential_with_jitter(self, attempt: int, most: float) -> None:
        waits = [policy.pause_before_retry(state(attempt)) for _ in range(300)]

        assert min(waits) >= 0
        assert 0.8 * most < max(waits) <= most
        assert min(waits) < 0.2 * most
        assert len(set(waits)) > 100

    @pytest.mark.parametrize(("header", "seconds"), [("20", 20), ("60", 60), ("61", 60), ("86400", 60)])
    def test_retry_after_in_seconds_up_to_a_minute(self, header: str, seconds: float) -> None:
        assert policy.pause_before_retry(state(1, header)) == seconds

    @pytest.mark.parametrize(("ahead", "least", "most"), [(20, 18, 20), (3600, 60, 60), (-60, 0, 0.5)])
    def test_retry_after_as_a_date_up_to_a_minute(self, ahead: int, least: float, most: float) -> None:
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)

        assert least <= policy.pause_before_retry(state(1, header)) <= most

    def test_a_short_retry_after_does_not_shorten_the_wait(self) -> None:
        assert max(policy.pause_before_retry(state(9, "1")) for _ in range(50)) > 1


READ = Request("GET", "/me", may_repeat=True)
WRITE = Request("POST", "/made-up", may_repeat=False)
DOWN = SMSPartnerUnavailableError("It is down.", code=500, http_status=503, retry_after="0")
UNSENT = SMSPartnerUnavailableError("It is not there.", surely_unsent=True)
TOO_MANY = SMSPartnerUnavailableError("Not so fast.", http_status=429, retry_after="0")
CODE_429 = SMSPartnerUnavailableError("Not so fast, or an odd code.", code=429, http_status=200)


def options(request: Request, *, max_attempts: int) -> dict[str, Any]:
    return policy.retry_options(request, max_attempts=max_attempts, deadline=policy.call_deadline())


def failed(request: Request, error: Exception, *, max_attempts: int) -> tuple[int, Exception]:
    """Try a request that always fails, without waiting, and return how often it was tried and how that ended."""
    tries = 0

    def fail() -> None:
        nonlocal tries
        tries += 1
        raise error

    with pytest.raises(type(error)) as caught:
        Retrying(sleep=lambda _: None, **options(request, max_attempts=max_attempts))(fail)
    return tries, caught.value


class TestTries:
    @pytest.mark.parametrize("error", [DOWN, UNSENT], ids=["down", "unsent"])
    @pytest.mark.parametrize(("max_attempts", "said"), [(1, "1 try"), (2, "2 tries"), (5, "5 tries")])
    def test_the_last_error_tells_how_many_there_were(
        self, error: SMSPartnerUnavailableError, max_attempts: int, said: str
    ) -> None:
        tries, raised = failed(READ, error, max_attempts=max_attempts)

        assert tries == max_attempts
        assert isinstance(raised, SMSPartnerUnavailableError)
        assert str(raised) == f"{error} Gave up after {said} in 0 s."
        assert (raised.code, raised.http_status) == (error.code, error.http_status)
        assert raised.surely_unsent is error.surely_unsent
        assert raised.retry_after is None  # the vendor's own text
        assert raised.__cause__ is None

    def test_the_last_error_tells_how_long_they_took(self) -> None:
        def fail() -> None:
            time.sleep(0.6)
            raise DOWN

        with pytest.raises(SMSPartnerUnavailableError, match=r"Gave up after 1 try in 1 s\.$"):
            Retrying(**options(READ, max_attempts=1))(fail)

    def test_each_further_one_is_announced(self, caplog: pytest.LogCaptureFixture) -> None:
        failed(READ, DOWN, max_attempts=3)

        assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
            ("WARNING", "It is down. Asking /me again in 0.0 s (try 2 of 3)."),
            ("WARNING", "It is down. Asking /me again in 0.0 s (try 3 of 3)."),
        ]

    @pytest.mark.parametrize(
        ("request_", "error"),
        [
            (READ, SMSPartnerCredentialsError("The key is wrong.")),
            (READ, ValueError("a fault of ours")),
            (WRITE, DOWN),
            (WRITE, CODE_429),
        ],
    )
    def test_there_is_one_where_another_is_of_no_use(self, request_: Request, error: Exception) -> None:
        assert failed(request_, error, max_attempts=3) == (1, error)

    @pytest.mark.parametrize("error", [UNSENT, TOO_MANY], ids=["unsent", "429"])
    def test_what_surely_was_not_acted_on_is_sent_again(self, error: SMSPartnerUnavailableError) -> None:
        assert failed(WRITE, error, max_attempts=3)[0] == 3

    def test_they_end_with_the_time_of_a_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.0)

        assert failed(READ, DOWN, max_attempts=3)[0] == 1

    def test_there_is_no_further_one_once_the_deadline_has_passed(self) -> None:
        deadline, tries = time.monotonic() + 0.1, 0

        def use_up_the_time() -> None:
            nonlocal tries
            tries += 1
            time.sleep(max(0.0, deadline - time.monotonic()))
            raise DOWN

        # tenacity's own clock begins now, when a half of the time has gone already.
        time.sleep(0.05)
        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 1 try "):
            Retrying(sleep=lambda _: None, **policy.retry_options(READ, max_attempts=3, deadline=deadline))(
                use_up_the_time
            )
        assert tries == 1

    def test_there_is_no_further_one_if_its_pause_would_last_beyond_the_deadline(self) -> None:
        asked_to_pause = SMSPartnerUnavailableError("Not so fast.", http_status=429, retry_after="30")
        made = policy.retry_options(READ, max_attempts=3, deadline=time.monotonic() + 20)

        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 1 try "):
            Retrying(sleep=lambda _: None, **made)(_raising(asked_to_pause))


def _raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


class TestHeaders:
    """Of a request: what is one of a kind has its own connection, and only what has a body says what it is."""

    @pytest.mark.parametrize(
        ("request_", "headers"),
        [
            (READ, {}),
            (Request("POST", "/made-up", body={}, may_repeat=True), {"Content-Type": "application/json"}),
            (WRITE, {"Connection": "close"}),
        ],
    )
    def test_say_what_follows(self, request_: Request, headers: dict[str, str]) -> None:
        assert policy.headers_of(request_) == headers


class TestErrors:
    def test_of_a_request_that_may_be_repeated_is_the_last_one(self) -> None:
        assert policy.last_error(READ, DOWN) is DOWN
        assert policy.last_error(WRITE, UNSENT) is UNSENT
        assert policy.last_error(WRITE, TOO_MANY) is TOO_MANY

    def test_of_one_that_may_not_says_that_its_fate_is_unknown(self) -> None:
        error = policy.last_error(WRITE, DOWN)

        assert str(error) == (
            "It is down. The request was sent once and is not repeated: whether SMS Partner received it, and sent "
            "its SMS, is unknown."
        )
        assert type(error) is SMSPartnerAmbiguousSendError
        assert (error.code, error.http_status) == (500, 503)

    @pytest.mark.parametrize("surely_unsent", [False, True])
    def test_of_a_closed_hook(self, surely_unsent: bool) -> None:
        error = policy.closed_before_answer(surely_unsent=surely_unsent)

        assert str(error) == "The hook was closed before SMS Partner answered."
        assert error.surely_unsent is surely_unsent

    @pytest.mark.parametrize(
        ("surely_unsent", "said"),
        [
            (False, "was asked, but the whole of the answer did not come within the 300 s of a call."),
            (True, "was not asked: there was no connection to it within the 300 s of a call."),
        ],
    )
    def test_of_a_call_that_took_too_long_names_the_time(self, surely_unsent: bool, said: str) -> None:
        settings = Settings(
            base_url="https://api.example/v1",
            api_key="test-key",
            timeout=10,
            max_attempts=5,
            requests_per_minute=0,
            max_connections=1,
        )

        error = policy.no_answer(TimeoutError(), settings, surely_unsent=surely_unsent)

        assert str(error) == f"SMS Partner at api.example:443 {said}"
        assert error.surely_unsent is surely_unsent


def test_the_bounds_as_shipped() -> None:
    assert policy.MAX_RETRY_AFTER_SECONDS == 60
    assert policy.TOTAL_SECONDS == 300


def test_the_user_agent_names_both_versions() -> None:
    from airflow import __version__ as airflow_version

    assert (
        policy.user_agent() == f"airflow-provider-smspartner/{__version__} apache-airflow/{airflow_version}"
    )
