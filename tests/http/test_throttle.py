"""The ceiling of requests per minute: how turns are spread, and who shares them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from clocks import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from loopback import Ask, Start, aget, both_ways, get

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._http import policy, throttle
from airflow_provider_smspartner._http.throttle import Throttle, throttle_for
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

# Of the rounding of floating-point numbers, in seconds.
TOLERANCE = 1e-6


def turns(requests_per_minute: int, pauses: list[float]) -> list[tuple[float, float]]:
    """Take turns with these pauses before each, and return when each was asked for and when it is."""
    clock, taken = FakeClock(), []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_clock, "monotonic", clock.monotonic)
        ceiling = Throttle(requests_per_minute)
        for pause in pauses:
            clock.advance(pause)
            taken.append((clock.passed, clock.passed + ceiling.take_turn()))
    return taken


def most_within(times: list[float], seconds: float) -> int:
    most = start = 0
    for end in range(len(times)):
        while times[end] - times[start] >= seconds - TOLERANCE:
            start += 1
        most = max(most, end - start + 1)
    return most


class TestTurns:
    @given(
        requests_per_minute=st.integers(1, 2000),
        pauses=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 1.0, 1.5, 70.0]), max_size=60),
        crowd=st.integers(0, 3000),
    )
    def test_never_more_than_the_ceiling(
        self, requests_per_minute: int, pauses: list[float], crowd: int
    ) -> None:
        taken = turns(requests_per_minute, [*pauses, *[0.0] * crowd])
        at = [turn for _, turn in taken]

        assert all(turn >= asked for asked, turn in taken)
        assert at == sorted(at), "in the order of asking"
        assert most_within(at, 60) <= requests_per_minute
        assert most_within(at, 2 * TOLERANCE) <= max(1, requests_per_minute // 60)

    @pytest.mark.parametrize("requests_per_minute", [1, 185, 3601])
    def test_nearly_the_ceiling_where_many_ask(self, requests_per_minute: int) -> None:
        at = [turn for _, turn in turns(requests_per_minute, [0.0] * 3 * requests_per_minute)]

        assert most_within(at, 60) >= 0.98 * requests_per_minute

    def test_the_default_spreads_five_a_second(self) -> None:
        assert [turn - asked for asked, turn in turns(300, [0.0] * 12)] == [*[0] * 5, *[1] * 5, *[2] * 2]

    def test_whoever_comes_late_does_not_wait(self) -> None:
        assert [turn - asked for asked, turn in turns(60, [0.0, 0.0, 5.0])] == [0, 1, 0]


def test_another_figure_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_throttles", {})
    before = throttle_for("one", 1)
    assert before is not None
    assert throttle_for("one", 1) is before
    assert throttle_for("other", 1) is not before
    before.take_turn()

    after = throttle_for("one", 60)

    assert after is not None
    assert (after.requests_per_minute, after.take_turn()) == (60, 0)


class TestRequests:
    def test_of_both_halves_and_of_threads_share_a_ceiling(self, start: Start, clock: FakeClock) -> None:
        double = start({"requests_per_minute": 60}, auto_campaigns=True, campaign_size=1)
        ways: list[Callable[[], object]] = [
            lambda: get(SMSPartnerHook(), "status_by_tag", "spring"),
            lambda: aget(SMSPartnerHook(), "status_by_tag", "spring"),
        ]

        for ask in ways:
            ask()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(ask).result()

        assert len(double.requests) == 4
        assert clock.passed == pytest.approx(3)

    @both_ways
    def test_wait_for_their_turns_in_no_time_of_theirs(
        self, start: Start, ask: Ask, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 1)
        start({"requests_per_minute": 30, "max_connections": 1})

        rows = ask(SMSPartnerHook(), "multi_status", [("+33639980000", n) for n in range(1, 1501)])

        assert len(rows) == 1500
        assert clock.passed == pytest.approx(4)

    @both_ways
    def test_wait_for_nothing_without_a_ceiling(self, start: Start, ask: Ask, clock: FakeClock) -> None:
        double = start({"requests_per_minute": 0})

        ask(SMSPartnerHook(), "multi_status", [("+33639980000", n) for n in range(1, 2501)])

        assert len(double.requests) == 5
        assert clock.passed == 0
