"""Refusals of a call that is for many waits: whose they are, and how many requests it takes to find out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

WAITS = 400


def message(number: int) -> list[str]:
    return [f"+336399{number:05}", str(number)]


def waiting(new_trigger: Any, **arguments: Any) -> list[Any]:
    # Late enough for all of them to have begun, also on a busy machine: they are to share their first call.
    return [new_trigger(messages=[message(number)], first_in=3.0, **arguments) for number in range(WAITS)]


def poisoned(*numbers: int) -> Fault:
    """Refuse each call that asks for one of these messages."""
    refused = Fault.error(9)

    async def apply(request: Any, proceed: Any, transport: Any) -> Any:
        if {pair["messageId"] for pair in request.body["SMSStatut_List"]} & set(numbers):
            return await refused.apply(request, proceed, transport)
        return proceed(request)

    return Fault("poisoned", apply)


@pytest.mark.parametrize(
    "refusal",
    [Fault.error(90), Fault.error(90, http_status=400), Fault.body(b'{"success":false}', status=404)],
    ids=["code 90", "code 90, HTTP 400", "HTTP 404"],
)
def test_a_refusal_of_everything_is_found_with_a_handful_of_requests(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any, refusal: Fault
) -> None:
    double.misbehave(refusal, times=None)

    events = fire_all(waiting(new_trigger))

    assert [event["verdict"] for event in events] == ["refused"] * WAITS
    assert len(double.requests) <= 10


def test_a_whole_call_that_is_not_found_says_that_no_message_is_known(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any
) -> None:
    double.misbehave(Fault.error(4), times=None)

    events = fire_all(waiting(new_trigger, grace=0))

    assert events == [{"verdict": "not_found", "counts": {"Not found": 1}}] * WAITS
    assert len(double.requests) == 1


def test_a_call_of_a_long_list_that_is_not_found_leaves_the_others(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any
) -> None:
    for number in range(700):
        double.add_message(*message(number), "Delivered")
    double.misbehave(Fault.error(4), times=1)

    (event,) = fire_all([new_trigger(messages=[message(number) for number in range(700)], grace=0)])

    assert event["verdict"] == "not_found"
    assert event["counts"] in ({"Not found": 500, "Delivered": 200}, {"Not found": 200, "Delivered": 500})


@pytest.mark.parametrize("bad", [(7,), (7, 200, 399)], ids=["one", "three"])
def test_what_is_refused_of_some_waits_is_no_trouble_of_the_others(
    double: SMSPartnerDouble, new_trigger: Any, fire_all: Any, bad: tuple[int, ...]
) -> None:
    for number in range(WAITS):
        double.add_message(*message(number), "Delivered")
    double.misbehave(poisoned(*bad), times=None)

    events = fire_all(waiting(new_trigger))

    refused = [number for number, event in enumerate(events) if event["verdict"] == "refused"]
    assert refused == list(bad)
    assert Counter(event["verdict"] for event in events)["done"] == WAITS - len(bad)
    # Twice the depth of the halves for each, the first call, and some waits that were asked for alone.
    assert len(double.requests) <= 6 + 18 * len(bad)
