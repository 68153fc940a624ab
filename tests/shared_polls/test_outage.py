"""While the vendor is down: how many calls are sent, and what becomes of the waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAGS = [f"tag{number}" for number in range(40)]
WINDOW = 3.0


@pytest.fixture(autouse=True)
def longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "FIRST_WAIT_SECONDS", 0.1)


def test_an_outage_costs_fewer_calls_than_a_vendor_that_is_well(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any, settle: Any
) -> None:
    for number, tag in enumerate(TAGS):
        double.add_message(f"+336399{number:05}", str(number), "Waiting", tag=tag)
    calls: list[int] = []

    async def go_down_and_come_back() -> None:
        await asyncio.sleep(1)
        for faults in (False, True):
            if faults:
                double.misbehave(Fault.status(503), times=None)
            double.clear_requests()
            await asyncio.sleep(WINDOW)
            calls.append(len(double.requests))
        settle(double)

    events = fire_all([new_trigger(tag=tag, poke_interval=1) for tag in TAGS], go_down_and_come_back)

    well, down = calls
    assert well >= len(TAGS)
    # At once those that were on their way, then one after pauses that grow to the interval.
    assert down <= 20
    assert [event["verdict"] for event in events] == ["done"] * len(TAGS)


@pytest.mark.parametrize(
    "fault", [Fault.status(503), Fault.reset(), Fault.hang(3)], ids=lambda each: each.name
)
def test_each_wait_ends_at_its_own_deadline_during_an_outage(
    double: SMSPartnerDouble, new_trigger: Any, fault: Fault
) -> None:
    double.misbehave(fault, times=None)
    ended: dict[int, float] = {}

    async def one(number: int) -> None:
        trigger = new_trigger(tag=TAGS[number], poke_interval=30, timeout=0.5 + number % 4)
        event = await asyncio.wait_for(anext(trigger.run()), timeout=30)
        assert event.payload == {"verdict": "timed_out"}
        ended[number] = time.monotonic() - began

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(len(TAGS))))

    began = time.monotonic()
    asyncio.run(main())

    for number, seconds in ended.items():
        assert 0.5 + number % 4 <= seconds <= 0.5 + number % 4 + 8
    assert len(double.requests) <= 30


def test_a_vendor_that_asks_for_time_is_given_it(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any
) -> None:
    double.add_message("+33639980001", "1", "Delivered", tag="spring")
    double.misbehave(Fault.status(429, retry_after=2), times=1)

    (event,) = fire_all([new_trigger(tag="spring")])

    assert event["verdict"] == "done"
    first, second = (request.at for request in double.requests)
    assert second - first >= 1.9


def test_one_call_that_always_fails_does_not_keep_the_others(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any
) -> None:
    for number, tag in enumerate(TAGS):
        double.add_message(f"+336399{number:05}", str(number), "Delivered", tag=tag)
    unavailable = Fault.status(500)

    async def fail_the_first_tag(request: Any, proceed: Any, transport: Any) -> Any:
        if request.query["tag"] == TAGS[0]:
            return await unavailable.apply(request, proceed, transport)
        return proceed(request)

    double.misbehave(Fault("one tag fails", fail_the_first_tag), times=None)

    events = fire_all(
        [new_trigger(tag=tag, timeout=4 if tag == TAGS[0] else 30, poke_interval=1) for tag in TAGS]
    )

    assert [event["verdict"] for event in events] == ["timed_out"] + ["done"] * (len(TAGS) - 1)


def test_a_failed_poll_is_a_warning_and_the_first_good_one_says_that_it_is_over(
    double: SMSPartnerDouble,
    new_trigger: Any,
    fire_all: Any,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: Callable[[], list[tuple[str, str]]],
) -> None:
    for name, value in double.connection_env(requests_per_minute=0, max_attempts=1).items():
        monkeypatch.setenv(name, value)
    double.add_message("+33639980001", "1", "Delivered", tag="spring")
    double.misbehave(Fault.status(503), times=3)

    fire_all([new_trigger(tag="spring")])

    polls = [line for line in log_lines() if line[1].startswith("Campaign")]
    assert [level for level, _ in polls] == ["warning"] * 3 + ["info"] * 2
    assert "; poll failed: SMS Partner gave an answer" in polls[0][1]
    assert "; poll failed, the 3rd in a row since " in polls[2][1]
    assert polls[3][1].startswith(
        "Campaign 'spring': polls are answered again, after 3 failed polls in 0:00:0"
    )
    assert polls[4][1].endswith("done.")
