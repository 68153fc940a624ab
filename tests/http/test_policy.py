"""When to ask again and after how long: the rules by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tenacity import Future, RetryCallState

from airflow_provider_smspartner import __version__
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError

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


def test_the_bounds_as_shipped() -> None:
    assert policy.MAX_RETRY_AFTER_SECONDS == 60
    assert policy.TOTAL_SECONDS == 300


def test_the_user_agent_names_both_versions() -> None:
    from airflow import __version__ as airflow_version

    assert (
        policy.user_agent() == f"airflow-provider-smspartner/{__version__} apache-airflow/{airflow_version}"
    )
