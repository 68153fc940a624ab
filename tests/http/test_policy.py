"""When to ask again and after how long: the rules by themselves."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from clocks import START, FakeClock
from hypothesis import example, given
from hypothesis import strategies as st
from tenacity import Future, RetryCallState, Retrying
from writing import settings_for

from airflow_provider_smspartner import __version__
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCredentialsError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import Request


def in_seconds(seconds: float) -> str:
    """Write a time of the tests' clock as a header does."""
    return format_datetime(START + timedelta(seconds=seconds), usegmt=True)


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
            (" 7 ", 7),
            ("-5", 0),
            ("1.5", 1.5),
            ("inf", 0),
            (in_seconds(30), 30),
            ("Monday, 02-Mar-26 09:00:30 GMT", 30),
            ("Mon Mar  2 09:00:30 2026", 30),
            ("Mon, 02 Mar 2026 11:00:30 +0200", 30),
            (in_seconds(-86_400), 0),
            ("Mon, 02 Mar 99999999999999999999 09:00:30 GMT", 0),
            ("Mon, 02 Mar 2026 09:00:30 +99999999999999999", 0),
        ],
    )
    def test_both_forms(self, header: str | None, seconds: float) -> None:
        assert policy.seconds_of(header, now=START) == seconds

    @given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, ?\d+ [A-Z][a-z]{2} \d+ [\d:]+ [+-]?\w+"))
    @example("Mon, 1 Jan 0001 00:00:00 +2300")
    @example("Fri, 31 Dec 9999 23:59:59 -2300")
    @example(" ,")
    def test_no_header_is_too_odd(self, header: str) -> None:
        assert 0 <= policy.seconds_of(header, now=START) < float("inf")


@pytest.mark.usefixtures("clock")
class TestPause:
    @pytest.fixture(autouse=True)
    def _as_shipped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "FIRST_WAIT_SECONDS", 0.5)
        monkeypatch.setattr(policy, "MAX_WAIT_SECONDS", 30.0)

    @pytest.mark.parametrize(("attempt", "most"), [(1, 0.5), (4, 4), (5000, 30)])
    def test_is_anything_up_to_twice_the_one_before(
        self, attempt: int, most: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bounds = []

        def longest(*given: float) -> float:
            bounds.append(given)
            return max(given)

        monkeypatch.setattr("random.uniform", longest)

        assert policy.pause_before_retry(state(attempt)) == most
        assert bounds == [(0, most)]

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [("20", 20), ("61", 60), (in_seconds(20), 20), (in_seconds(3600), 60)],
    )
    def test_is_as_long_as_the_vendor_asks_for_up_to_a_minute(self, header: str, seconds: float) -> None:
        assert policy.pause_before_retry(state(1, header)) == seconds

    @pytest.mark.parametrize("header", ["1", None])
    def test_is_not_shortened_by_the_vendor(
        self, header: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("random.uniform", lambda _, most: most)

        assert policy.pause_before_retry(state(9, header)) == 30


READ = Request("GET", "/me", may_repeat=True)
WRITE = Request("POST", "/made-up", may_repeat=False)
DOWN = SMSPartnerUnavailableError("It is down.", code=500, http_status=503, retry_after="0")
UNSENT = SMSPartnerUnavailableError("It is not there.", surely_unsent=True)
TOO_MANY = SMSPartnerUnavailableError("Not so fast.", http_status=429, retry_after="0")
CODE_429 = SMSPartnerUnavailableError("Not so fast, or an odd code.", code=429, http_status=200)


def failed(request: Request, error: Exception, clock: FakeClock, *, takes: float = 0) -> tuple[int, Any]:
    """Try a request three times at most that always fails; return how often it was tried and how that ended."""
    tries = 0

    def fail() -> None:
        nonlocal tries
        tries += 1
        clock.advance(takes)
        raise error

    options = policy.retry_options(request, max_attempts=3, deadline=policy.call_deadline())
    with pytest.raises(type(error)) as caught:
        Retrying(sleep=clock.sleep, **options)(fail)
    return tries, caught.value


class TestTries:
    def test_end_with_an_error_that_says_how_many_there_were(self, clock: FakeClock) -> None:
        for error in (DOWN, UNSENT):
            tries, raised = failed(READ, error, clock)

            assert tries == 3
            assert str(raised) == f"{error} Gave up after 3 tries in 0 s."
            assert (raised.code, raised.http_status) == (error.code, error.http_status)
            assert raised.surely_unsent is error.surely_unsent
            # It would be the vendor's own text.
            assert raised.retry_after is raised.__cause__ is None

    @pytest.mark.parametrize(("attempt", "said"), [(1, "1 try in 2 s."), (2, "2 tries in 2 s.")])
    def test_end_with_an_error_that_says_how_long_they_took(self, attempt: int, said: str) -> None:
        ended = state(attempt)
        ended.start_time, ended.outcome_timestamp = 10.0, 11.6
        give_up = policy.retry_options(READ, max_attempts=3, deadline=0)["retry_error_callback"]

        with pytest.raises(SMSPartnerUnavailableError, match=rf"^lost Gave up after {said}$"):
            give_up(ended)

    def test_are_announced(self, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
        failed(READ, DOWN, clock)

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
    def test_are_one_where_another_is_of_no_use(
        self, request_: Request, error: Exception, clock: FakeClock
    ) -> None:
        assert failed(request_, error, clock) == (1, error)

    def test_are_several_where_the_vendor_surely_has_not_acted(self, clock: FakeClock) -> None:
        assert failed(WRITE, UNSENT, clock)[0] == failed(WRITE, TOO_MANY, clock)[0] == 3

    @pytest.mark.parametrize(
        ("takes", "retry_after", "tries"),
        [(99, None, 3), (151, None, 2), (300, None, 1), (240, "60", 1), (200, "60", 2)],
    )
    def test_end_with_the_time_of_a_call(
        self, takes: float, retry_after: str | None, tries: int, clock: FakeClock
    ) -> None:
        error = SMSPartnerUnavailableError("It is slow.", retry_after=retry_after)

        assert failed(READ, error, clock, takes=takes)[0] == tries


def test_headers_say_what_the_body_is_and_that_a_connection_is_used_once() -> None:
    with_a_body = Request("POST", "/made-up", body={}, may_repeat=True)

    assert policy.headers_of(READ) == {}
    assert policy.headers_of(with_a_body) == {"Content-Type": "application/json"}
    assert policy.headers_of(WRITE) == {"Connection": "close"}


class TestErrors:
    def test_of_a_request_whose_fate_is_unknown_says_so(self) -> None:
        error = policy.last_error(WRITE, DOWN)

        assert str(error) == (
            "It is down. The request was sent once and is not repeated: whether SMS Partner received it, and sent "
            "its SMS, is unknown."
        )
        assert type(error) is SMSPartnerAmbiguousSendError
        assert (error.code, error.http_status) == (500, 503)

    def test_of_others_is_the_last_one(self) -> None:
        assert policy.last_error(READ, DOWN) is DOWN
        assert policy.last_error(WRITE, UNSENT) is UNSENT
        assert policy.last_error(WRITE, TOO_MANY) is TOO_MANY

    @pytest.mark.parametrize(
        ("surely_unsent", "said"),
        [
            (False, "was asked, but the whole of the answer did not come within the 300 s of a call."),
            (True, "was not asked: there was no connection to it within the 300 s of a call."),
        ],
    )
    def test_of_a_call_that_took_too_long_or_whose_hook_was_closed(
        self, surely_unsent: bool, said: str
    ) -> None:
        settings = settings_for("https://api.example/v1")
        late = policy.no_answer(TimeoutError(), settings, surely_unsent=surely_unsent)
        closed = policy.closed_before_answer(surely_unsent=surely_unsent)

        assert str(late) == f"SMS Partner at api.example:443 {said}"
        assert str(closed) == "The hook was closed before SMS Partner answered."
        assert late.surely_unsent is closed.surely_unsent is surely_unsent


def test_the_user_agent_names_both_versions() -> None:
    from airflow import __version__ as airflow_version

    assert (
        policy.user_agent() == f"airflow-provider-smspartner/{__version__} apache-airflow/{airflow_version}"
    )
