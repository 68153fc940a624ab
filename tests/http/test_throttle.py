"""The ceiling of requests per minute, on a clock of the tests' own and on the real one."""

from __future__ import annotations

import asyncio
import threading
import time
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Start, get

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._http import policy, throttle
from airflow_provider_smspartner._http.throttle import Throttle, throttle_for
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

# Of the rounding of floating-point numbers, in seconds.
TOLERANCE = 1e-6


def turns(requests_per_minute: int, pauses: list[float]) -> list[tuple[float, float]]:
    """Take turns with these pauses before each, and give when each was asked for and when it is."""
    now = 1000.0
    taken = []
    with patch.object(_clock, "monotonic", lambda: now):
        ceiling = Throttle(requests_per_minute)
        for pause in pauses:
            now += pause
            taken.append((now, now + ceiling.take_turn()))
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

    @pytest.mark.parametrize("requests_per_minute", [1, 7, 59, 61, 119, 185, 300, 360, 3601])
    def test_nearly_the_ceiling_where_many_ask(self, requests_per_minute: int) -> None:
        at = [turn for _, turn in turns(requests_per_minute, [0.0] * 3 * requests_per_minute)]

        assert most_within(at, 60) >= 0.98 * requests_per_minute

    def test_a_ceiling_that_no_burst_divides(self) -> None:
        at = [turn for _, turn in turns(185, [0.0] * 400)]

        assert most_within(at, 60) == 183

    def test_the_default_spreads_five_a_second(self) -> None:
        assert [turn - asked for asked, turn in turns(300, [0.0] * 12)] == [*[0] * 5, *[1] * 5, *[2] * 2]

    def test_whoever_comes_late_does_not_wait(self) -> None:
        assert [turn - asked for asked, turn in turns(60, [0.0, 0.0, 5.0])] == [0, 1, 0]


class TestThrottleFor:
    @pytest.fixture(autouse=True)
    def _none_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(throttle, "_throttles", {})

    def test_one_for_a_connection_id(self) -> None:
        assert throttle_for("one", 60) is throttle_for("one", 60)
        assert throttle_for("one", 60) is not throttle_for("other", 60)

    def test_none_for_0(self) -> None:
        assert throttle_for("one", 0) is None

    def test_another_figure_begins_anew(self) -> None:
        before = throttle_for("one", 1)
        assert before is not None
        before.take_turn()
        after = throttle_for("one", 60)

        assert after is not None
        assert after.requests_per_minute == 60
        assert after.take_turn() == 0

    def test_threads_get_one(self) -> None:
        gate = threading.Barrier(8)
        got = []

        def ask() -> None:
            gate.wait()
            got.append(throttle_for("one", 60))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 8
        assert len(set(map(id, got))) == 1


class TestRealRequests:
    @pytest.fixture
    def turns_taken(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """When each turn is that was taken, on the clock of ``time.monotonic``."""
        taken: list[float] = []
        asked = threading.local()
        take_turn = Throttle.take_turn

        def monotonic() -> float:
            asked.at = time.monotonic()
            return float(asked.at)

        def noted(ceiling: Throttle) -> float:
            pause = take_turn(ceiling)
            taken.append(asked.at + pause)
            return pause

        monkeypatch.setattr(_clock, "monotonic", monotonic)
        monkeypatch.setattr(Throttle, "take_turn", noted)
        return taken

    def test_threads_and_coroutines_share_a_ceiling(self, start: Start, turns_taken: list[float]) -> None:
        double = start({"requests_per_minute": 600}, auto_campaigns=True, campaign_size=1)

        def fetch() -> None:
            for _ in range(4):
                get(SMSPartnerHook(), "status_by_tag", "spring")

        async def afetch() -> None:
            async with SMSPartnerHook() as hook:
                await asyncio.gather(*[hook.aget_status_by_tag("spring") for _ in range(12)])

        threads = [
            threading.Thread(target=target) for target in (fetch, fetch, lambda: asyncio.run(afetch()))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        at = sorted(request.at for request in double.requests)
        turns = sorted(turns_taken)
        assert len(at) == len(turns) == 20
        assert len(throttle._throttles) == 1
        # No request arrives before its turn. How long after it differs: the machine may be busy.
        assert all(arrived > turn - TOLERANCE for arrived, turn in zip(at, turns, strict=True))
        # Ten turns are a second apart from the next ten.
        assert turns[10] - turns[0] > 1 - TOLERANCE
        assert at[19] - at[0] < 15

    @pytest.mark.parametrize("ask", ["sync", "async"])
    def test_no_ceiling(self, start: Start, ask: str, turns_taken: list[float]) -> None:
        double = start({"requests_per_minute": 0, "max_connections": 8})
        messages = [("+33639980000", number) for number in range(1, 10_001)]
        if ask == "sync":
            get(SMSPartnerHook(), "multi_status", messages)
        else:
            asyncio.run(SMSPartnerHook().aget_multi_status(messages))

        assert len(double.requests) == 20
        assert turns_taken == []

    @pytest.mark.parametrize("ask", ["sync", "async"])
    def test_waiting_for_a_turn_is_no_part_of_a_requests_time(
        self, start: Start, ask: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 3)
        double = start({"requests_per_minute": 30, "max_connections": 3})
        messages = [("+33639980000", number) for number in range(1, 1501)]
        if ask == "sync":
            rows = get(SMSPartnerHook(), "multi_status", messages)
        else:
            rows = asyncio.run(SMSPartnerHook().aget_multi_status(messages))

        assert len(rows) == 1500
        at = sorted(request.at for request in double.requests)
        # The third one's turn is four seconds after the first one's; how long each was on its way may differ.
        assert at[2] - at[0] > 2
