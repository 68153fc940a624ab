"""The one rhythm of the three modes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner._waiting.rhythm import Rhythm


def rhythm(poke_interval: float = 60.0, *, progressive: bool = True, max_wait: float | None = None) -> Rhythm:
    return Rhythm(poke_interval=poke_interval, exponential_backoff=progressive, max_wait=max_wait, seed="d#t")


def test_keeps_the_interval_without_backoff() -> None:
    assert {rhythm(progressive=False).delay(elapsed, remaining=9.0) for elapsed in (0, 1e3, 1e6)} == {60.0}


def waits(kept: Rhythm, count: int) -> list[float]:
    elapsed, delays = 0.0, []
    for _ in range(count):
        delays.append(kept.delay(elapsed, remaining=float("inf")))
        # What a poll itself takes must not make a wait count twice, nor be skipped.
        elapsed += delays[-1] + 0.01
    return delays


def test_waits_progressively_as_airflow_does() -> None:
    for number, wait in enumerate(waits(rhythm(), 8), start=1):
        assert 60 * 2 ** (number - 2) <= wait <= 60 * 2 ** (number - 1)


def test_caps_progressive_waits() -> None:
    assert waits(rhythm(max_wait=100.0), 6)[-3:] == [100.0] * 3
    assert max(waits(rhythm(max_wait=100.0), 6)) == 100.0


def test_does_not_wait_progressively_past_the_deadline() -> None:
    assert rhythm().delay(1e6, remaining=12.0) == 12.0
    assert rhythm().delay(1e6, remaining=-3.0) == 0.0


def test_short_intervals_grow_from_a_second() -> None:
    for number, wait in enumerate(waits(rhythm(0.0), 8), start=1):
        assert wait == int(wait)
        assert max(2 ** (number - 3), 1) <= wait < max(2 ** (number - 2), 2)


def test_a_poll_at_the_very_moment_counts_as_made() -> None:
    first, second = waits(rhythm(), 2)

    assert rhythm().delay(first, remaining=float("inf")) == second


def test_waits_of_two_tasks_differ() -> None:
    other = Rhythm(poke_interval=60.0, exponential_backoff=True, max_wait=None, seed="d#u")

    assert waits(other, 5) != waits(rhythm(), 5)


@given(
    poke_interval=st.floats(0, 1e6),
    elapsed=st.floats(0, 1e9),
    max_wait=st.none() | st.floats(0, 1e6),
    remaining=st.floats(-1e6, 1e9),
)
def test_always_gives_a_sane_delay(
    poke_interval: float, elapsed: float, max_wait: float | None, remaining: float
) -> None:
    delay = rhythm(poke_interval, max_wait=max_wait).delay(elapsed, remaining=remaining)

    assert 0 <= delay <= max(remaining, 0)
    assert not max_wait or delay <= max_wait
