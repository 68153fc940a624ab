"""How campaigns and messages change with time, and with each ask."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from clocks import START, FakeClock
from testing.client import Client, Run

NOW = int(START.timestamp())


def statuses_of(client: Client, messages: Any) -> list[str]:
    return [row["status"] for row in client.multi_status(messages)["StatutResponse_List"]]


def test_messages_leave_waiting_one_after_the_other(client: Client, vendor_clock: FakeClock) -> None:
    double = client.double
    double.add_campaign("spring", size=10, settle_seconds=172_800, outcomes={"Delivered": 1.0})
    double.advance(500_000)
    # The first look starts the campaign.
    assert client.statuses("spring") == ["Waiting"] * 10
    for settled in range(1, 10):
        double.advance(17_280)
        assert client.statuses("spring") == ["Delivered"] * settled + ["Waiting"] * (10 - settled)
    # Its clock is a real one besides.
    vendor_clock.advance(17_280)
    assert client.statuses("spring") == ["Delivered"] * 10
    dates = [int(row["date"]) for row in client.by_tag("spring")["StatutResponse_List"]]
    assert dates == [NOW + 500_000 + 17_280 * n for n in range(1, 11)]


def test_impossible_campaigns_and_messages(client: Client) -> None:
    double = client.double
    double.add_campaign("spring")
    with pytest.raises(ValueError, match="has messages already"):
        double.add_campaign("spring")
    with pytest.raises(ValueError, match="no messages"):
        double.add_campaign("autumn", size=-1)
    with pytest.raises(ValueError, match="add up to 1"):
        double.add_campaign("autumn", outcomes={"a": 1.5, "b": -0.25})
    with pytest.raises(ValueError, match="only moves forward"):
        double.advance(-1)
    double.add_message("+33699999993", "1", "Waiting")
    with pytest.raises(ValueError, match="known already"):
        double.add_message("06.99.99.99.93", 1, "Delivered")
    with pytest.raises(ValueError, match="one status"):
        double.add_message("+33699999993", "2")


def test_script_of_one_message(client: Client) -> None:
    pair = [{"phone_number": "+33699999993", "message_id": "1"}]
    client.double.add_message(
        "06 99 99 99 93", "1", "Waiting", "Numéro introuvable", "Delivered", tag="spring"
    )

    assert client.statuses("spring") == ["Waiting"]
    (failed,) = client.multi_status(pair)["StatutResponse_List"]
    assert (failed["success"], failed["code"], "date" in failed) == (False, 4, False)
    last = client.by_tag("spring")
    assert last["StatutResponse_List"][0]["status"] == "Delivered"
    # It stays, and keeps its date.
    client.double.advance(3600)
    assert client.by_tag("spring") == last


def test_auto_campaigns(run: Run) -> None:
    client = run(auto_campaigns=True, campaign_size=30, settle_seconds=30)
    assert client.statuses("anything") == ["Waiting"] * 30
    client.double.advance(30)
    assert Counter(client.statuses("anything")) == {"Delivered": 29, "Not delivered": 1}
    assert client.by_tag("unknown-tag")["code"] == 4


def test_auto_messages(run: Run) -> None:
    client = run(auto_campaigns=True, settle_seconds=20)
    pairs = [{"phone_number": "+33699999993", "message_id": str(each)} for each in range(2)]

    assert statuses_of(client, pairs) == ["Waiting"] * 2
    client.double.advance(10)
    another = {"phone_number": "0699999999", "message_id": 7}
    assert statuses_of(client, [*pairs, another]) == ["Delivered", "Waiting", "Waiting"]
    client.double.advance(10)
    assert statuses_of(client, pairs) == ["Delivered"] * 2
