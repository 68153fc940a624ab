"""A vendor that is down, slow or refuses, for triggers that wait together: how often it is asked, and how they end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from campaign_triggers import campaign_trigger, fire
from shared_polls.vendor import DOWN, Backend, D, Vendor, on_a_loop, ref, seconds
from virtual_time import VirtualLoop

from airflow_provider_smspartner.exceptions import SMSPartnerRequestError, SMSPartnerUnavailableError
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

TAGS = [f"tag{number}" for number in range(40)]
OVERTIME = 2.25
"""A call that is on its way may take two seconds more, and polls are looked through four times a second."""
BAD = SMSPartnerRequestError("bad", code=9, http_status=200)


def of_messages(*numbers: int, **arguments: Any) -> SMSPartnerCampaignTrigger:
    return campaign_trigger(messages=[[*map(str, ref(number))] for number in numbers], **arguments)


async def end(trigger: SMSPartnerCampaignTrigger) -> tuple[dict[str, Any], float]:
    """Return the payload that a trigger fires, and when."""
    (payload,) = await fire(trigger)
    return payload, seconds()


@on_a_loop
async def test_an_outage_costs_fewer_calls_than_a_vendor_that_is_well(vendor: Vendor) -> None:
    calls: list[int] = []

    async def go_down_and_come_back() -> None:
        for is_down in (False, True):
            if is_down:
                vendor.trouble = lambda _, __: DOWN
            vendor.asked.clear()
            await asyncio.sleep(600)
            calls.append(len(vendor.asked))
        vendor.trouble, vendor.status = lambda _, __: None, D

    triggers = [campaign_trigger(tag=tag, poke_interval=60, timeout=3_600) for tag in TAGS]
    events, _ = await asyncio.gather(fire(*triggers), go_down_and_come_back())

    well, down = calls
    assert well == 10 * len(TAGS)
    # At once those that were on their way, then one after pauses that grow to the interval.
    assert down <= 30
    assert events == [{"verdict": "done", "counts": {"Delivered": 1}}] * len(TAGS)


@pytest.mark.parametrize("takes", [0.1, 30.0], ids=["refuses", "hangs"])
@on_a_loop
async def test_each_wait_ends_at_its_own_deadline_during_an_outage(vendor: Vendor, takes: float) -> None:
    vendor.trouble, vendor.seconds = lambda _, __: DOWN, takes
    timeouts = [30 + 60 * (number % 4) for number in range(len(TAGS))]
    triggers = [
        campaign_trigger(tag=tag, poke_interval=60, timeout=timeout)
        for tag, timeout in zip(TAGS, timeouts, strict=True)
    ]

    for (payload, ended), timeout in zip(await asyncio.gather(*map(end, triggers)), timeouts, strict=True):
        assert payload == {"verdict": "timed_out"}
        assert timeout <= ended <= timeout + OVERTIME
    assert len(vendor.asked) <= 30


@pytest.mark.parametrize(
    ("trouble", "takes", "ends"), [(DOWN, 0.1, (1.0, 1.5)), (None, 30.0, (30.0, 30.1))], ids=["down", "slow"]
)
@on_a_loop
async def test_a_poll_after_the_deadline_is_given_up_soon_only_while_the_vendor_is_down(
    vendor: Vendor, trouble: Exception | None, takes: float, ends: tuple[float, float]
) -> None:
    vendor.trouble, vendor.seconds = (lambda _, __: trouble), takes

    payload, ended = await end(campaign_trigger(tag="spring", timeout=-1, poke_interval=60))

    assert payload == {"verdict": "timed_out", **({} if trouble else {"counts": {"Waiting": 1}})}
    assert ends[0] <= ended <= ends[1]


@on_a_loop
async def test_a_vendor_that_asks_for_time_is_given_it(vendor: Vendor) -> None:
    vendor.failures = [SMSPartnerUnavailableError("busy", http_status=429, retry_after="20")]
    vendor.status = D

    assert (await fire(campaign_trigger(tag="spring")))[0]["verdict"] == "done"
    first, second = vendor.sent_at
    assert second == pytest.approx(first + 0.1 + 20)


@on_a_loop
async def test_one_call_that_always_fails_does_not_keep_the_others(vendor: Vendor) -> None:
    vendor.trouble = lambda asked, _: DOWN if asked[0] == TAGS[0] else None
    vendor.status = D
    ended = await asyncio.gather(
        *(end(campaign_trigger(tag=tag, timeout=300, poke_interval=10)) for tag in TAGS)
    )

    assert [payload["verdict"] for payload, _ in ended] == ["timed_out"] + ["done"] * (len(TAGS) - 1)
    assert max(when for _, when in ended[1:]) <= 30


@on_a_loop
async def test_a_failed_poll_is_a_warning_and_the_first_good_one_says_that_it_is_over(
    vendor: Vendor, backend: Backend, log_lines: Callable[[], list[tuple[str, str]]]
) -> None:
    backend.fields = {"extra": '{"max_attempts": 1}'}
    vendor.failures, vendor.status = [DOWN] * 3, D

    await fire(campaign_trigger(tag="spring", poke_interval=30, timeout=600))

    start, since = "Campaign 'spring'", "in a row since 00:00:00 UTC: down"
    assert log_lines()[1:] == [
        ("warning", f"{start}: next poll in 30 s, at 00:00:30 UTC; poll failed: down."),
        ("warning", f"{start}: next poll in 30 s, at 00:01:00 UTC; poll failed, the 2nd {since}."),
        ("warning", f"{start}: next poll in 30 s, at 00:01:30 UTC; poll failed, the 3rd {since}."),
        ("info", f"{start}: polls are answered again, after 3 failed polls in 0:01:30."),
        ("info", f"{start}: 1 of 1 settled (100.0%): Delivered 1; done."),
    ]


@pytest.mark.parametrize(
    "watched",
    [{"tag": "endless"}, {"messages": [[*map(str, ref(n))] for n in range(2_000)]}],
    ids=["tag", "list"],
)
@pytest.mark.parametrize("takes", [1.0, 300.0], ids=["long", "hangs"])
@on_a_loop
async def test_a_reading_ends_with_the_time_of_its_wait(
    vendor: Vendor, backend: Backend, watched: dict[str, Any], takes: float
) -> None:
    backend.fields = {"extra": '{"max_connections": 1}'}
    vendor.pages, vendor.seconds = {"endless": [[D]] * 2_000}, takes

    payload, ended = await end(campaign_trigger(**watched, timeout=2, poke_interval=60))

    assert payload == {"verdict": "timed_out"}
    assert 4 <= ended <= 2 + OVERTIME + 0.1
    asked = len(vendor.asked)
    await asyncio.sleep(3_000)
    assert len(vendor.asked) == asked <= 5


@on_a_loop
async def test_a_shared_reading_goes_on_for_the_wait_that_has_time_left(vendor: Vendor) -> None:
    vendor.pages, vendor.seconds = {"long": [[D]] * 150}, 1.0
    short, long = await fire(
        *(campaign_trigger(tag="long", timeout=timeout, poke_interval=60) for timeout in (5, 3_600))
    )

    assert short == {"verdict": "timed_out"}
    assert long == {"verdict": "done", "counts": {"Delivered": 150}}
    assert len(vendor.asked) == 150


def poisoned(asked: list[str], _: Any) -> Exception | None:
    return BAD if {"7", "200", "399"} & {*asked} else None


@pytest.mark.parametrize(
    ("trouble", "verdicts", "calls"),
    [
        (lambda _, __: BAD, {"refused": 400}, 10),
        # Twice the depth of the halves for each, the first call, and some waits that were asked for alone.
        (poisoned, {"refused": 3, "done": 397}, 60),
    ],
    ids=["everything", "three"],
)
@on_a_loop
async def test_a_refusal_ends_the_waits_it_is_about_after_a_handful_of_calls(
    vendor: Vendor, trouble: Any, verdicts: dict[str, int], calls: int
) -> None:
    vendor.trouble, vendor.status = trouble, D

    events = await fire(*(of_messages(number, grace=0) for number in range(400)))

    assert Counter(event["verdict"] for event in events) == verdicts
    assert len(vendor.asked) <= calls
    if trouble is poisoned:
        assert [events[number]["code"] for number in (7, 200, 399)] == [9] * 3


@on_a_loop
async def test_waits_that_end_together_end_a_few_in_each_turn_of_the_loop(vendor: Vendor) -> None:
    loop, ended = asyncio.get_running_loop(), Counter[int]()
    assert isinstance(loop, VirtualLoop)
    vendor.status = D

    async def one(number: int) -> None:
        await fire(of_messages(number))
        ended[loop.turns] += 1

    await asyncio.gather(*map(one, range(400)))

    assert ended.total() == 400
    assert max(ended.values()) <= 30
    assert len(vendor.asked) == 1
