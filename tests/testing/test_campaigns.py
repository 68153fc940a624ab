"""How campaigns and messages change with time, and with each ask."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from testing.client import Client, Run

from airflow_provider_smspartner.testing.campaigns import e164, spread_outcomes


def test_messages_leave_waiting_one_after_the_other(client: Client) -> None:
    double = client.double
    double.add_campaign("spring", size=10, settle_seconds=172_800, outcomes={"Delivered": 1.0})
    double.advance(500_000)
    assert client.statuses("spring") == ["Waiting"] * 10
    for settled in range(1, 11):
        double.advance(17_280)
        assert client.statuses("spring") == ["Delivered"] * settled + ["Waiting"] * (10 - settled)


def test_a_campaign_settles_by_itself(client: Client) -> None:
    client.double.add_campaign("spring", size=4, settle_seconds=0.2)
    assert set(client.statuses("spring")) == {"Waiting"}
    time.sleep(0.25)
    assert "Waiting" not in client.statuses("spring")


def test_dates_are_when_messages_settled(client: Client) -> None:
    client.double.add_campaign("spring", size=2, settle_seconds=2000)
    now = time.time()
    client.by_tag("spring")
    client.double.advance(5000)
    first, second = (int(row["date"]) for row in client.by_tag("spring")["StatutResponse_List"])
    assert second - first == pytest.approx(1000, abs=1)
    assert first == pytest.approx(now + 1000, abs=3)


def test_the_same_campaign_both_ways(client: Client) -> None:
    campaign = client.double.add_campaign("spring", size=20, settle_seconds=100)
    assert campaign.tag == "spring"
    assert campaign.messages[0] == {"phone_number": "+33639980000", "message_id": "1001"}
    client.by_tag("spring")
    client.double.advance(50.5)
    rows = client.multi_status(campaign.messages)["StatutResponse_List"]
    assert [row["status"] for row in rows] == client.statuses("spring")
    assert [str(row["messageId"]) for row in rows] == [each["message_id"] for each in campaign.messages]
    assert Counter(row["status"] for row in rows)["Waiting"] == 10


def test_campaigns_share_no_message(client: Client) -> None:
    one, two = (client.double.add_campaign(tag, size=3).messages for tag in ("one", "two"))
    assert len({(each["phone_number"], each["message_id"]) for each in one + two}) == 6


def test_outcomes_add_up(client: Client) -> None:
    client.double.add_campaign("spring", size=200, settle_seconds=0)
    assert Counter(client.statuses("spring")) == {"Delivered": 190, "Not delivered": 10}


@pytest.mark.parametrize("size", [0, 1, 7, 100, 333])
@pytest.mark.parametrize(
    "outcomes",
    [{"a": 1.0}, {"a": 0.29, "b": 0.71}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, {"a": 0.9, "b": 0.1, "c": 0}],
)
def test_outcomes_are_dealt_evenly(outcomes: Any, size: int) -> None:
    dealt = spread_outcomes(outcomes, size=size)
    assert len(dealt) == size
    assert dealt == spread_outcomes(outcomes, size=size)
    for name, share in outcomes.items():
        assert abs(dealt.count(name) - share * size) < 1
        half = dealt[: size // 2].count(name)
        assert abs(half - share * (size // 2)) <= 2


def test_an_exact_share_is_not_rounded_away() -> None:
    assert Counter(spread_outcomes({"a": 0.29, "b": 0.01, "c": 0.7}, size=100)) == {"a": 29, "b": 1, "c": 70}


@pytest.mark.parametrize("outcomes", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}])
def test_shares_must_add_up(client: Client, outcomes: Any) -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        client.double.add_campaign("spring", outcomes=outcomes)


def test_an_empty_campaign_is_known(client: Client) -> None:
    client.double.add_campaign("spring", size=0)
    answer = client.by_tag("spring")
    assert (answer["success"], answer["total"], answer["StatutResponse_List"]) == (True, 0, [])


def test_impossible_campaigns(client: Client) -> None:
    client.double.add_campaign("spring")
    with pytest.raises(ValueError, match="has messages already"):
        client.double.add_campaign("spring")
    with pytest.raises(ValueError, match="no messages"):
        client.double.add_campaign("autumn", size=-1)
    with pytest.raises(ValueError, match="only moves forward"):
        client.double.advance(-1)


def test_script_of_one_message(client: Client) -> None:
    client.double.add_message("06 99 99 99 93", "1", "Waiting", "???", "Delivered", tag="spring")
    pair = [{"phone_number": "+33699999993", "message_id": "1"}]
    asked = [
        *client.statuses("spring"),
        client.multi_status(pair)["StatutResponse_List"][0]["status"],
        *client.statuses("spring"),
        *client.statuses("spring"),
    ]
    assert asked == ["Waiting", "???", "Delivered", "Delivered"]


def test_the_last_status_keeps_its_date(client: Client) -> None:
    client.double.add_message("+33699999993", "1", "Waiting", "Delivered", tag="spring")
    client.by_tag("spring")
    before = client.by_tag("spring")
    client.double.advance(3600)
    assert client.by_tag("spring") == before


def test_a_message_that_is_found_later(client: Client) -> None:
    client.double.add_message("+33699999993", "1", "Numéro introuvable", "Delivered")
    pair = [{"phone_number": "+33699999993", "message_id": "1"}]
    (first,), (second,) = (client.multi_status(pair)["StatutResponse_List"] for _ in range(2))
    assert (first["success"], first["code"], "date" in first) == (False, 4, False)
    assert (second["success"], second["status"]) == (True, "Delivered")


def test_impossible_messages(client: Client) -> None:
    client.double.add_message("+33699999993", "1", "Waiting")
    with pytest.raises(ValueError, match="known already"):
        client.double.add_message("06.99.99.99.93", 1, "Delivered")
    with pytest.raises(ValueError, match="one status"):
        client.double.add_message("+33699999993", "2")


def test_auto_campaigns(run: Run) -> None:
    client = run(auto_campaigns=True, campaign_size=30, settle_seconds=30)
    assert client.statuses("anything") == ["Waiting"] * 30
    client.double.advance(31)
    assert Counter(client.statuses("anything")) == {"Delivered": 29, "Not delivered": 1}
    assert client.by_tag("unknown-tag")["code"] == 4


def test_auto_messages(run: Run) -> None:
    client = run(auto_campaigns=True, settle_seconds=20)
    pairs = [{"phone_number": "+33699999993", "message_id": str(each)} for each in range(2)]

    def statuses(asked: Any) -> Any:
        return [row["status"] for row in client.multi_status(asked)["StatutResponse_List"]]

    assert statuses(pairs) == ["Waiting"] * 2
    client.double.advance(10)
    assert statuses([*pairs, {"phone_number": "0699999999", "message_id": 7}]) == [
        "Delivered",
        "Waiting",
        "Waiting",
    ]
    client.double.advance(10)
    assert statuses(pairs) == ["Delivered"] * 2


@pytest.mark.parametrize(
    ("written", "international"),
    [
        ("0612345678", "+33612345678"),
        ("07.12-34 56(78)", "+33712345678"),
        ("0033612345678", "+33612345678"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("06123", "06123"),
        ("unreadable", "unreadable"),
    ],
)
def test_e164(written: Any, international: str) -> None:
    assert e164(written) == international
