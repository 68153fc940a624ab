"""The example DAGs run, each on a real metadata database, against the double."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from environment import EXAMPLE_DAGS
from harness import run_dag

from airflow_provider_smspartner.testing import SMSPartnerDouble

# Airflow's scheduler and API run in this process, with warnings of their own.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def playground(monkeypatch: pytest.MonkeyPatch, metadata_database: None) -> Iterator[SMSPartnerDouble]:
    """A double that makes up every campaign it is asked for, and settles it within a second."""
    with SMSPartnerDouble(api_key="key", auto_campaigns=True, campaign_size=60, settle_seconds=1.0) as double:
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        yield double


def test_campaign_by_tag(playground: SMSPartnerDouble, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_dag("smspartner_campaign_by_tag", conf={"tag": "autumn"})

    summary = run.xcom("await_campaign", key="summary")
    assert run.state == "success"
    assert (summary["total"], summary["waiting"], summary["settled"]) == (60, 0, True)
    assert run.xcom("judge_delivery") == summary["delivery_rate"]
    assert {request.query["tag"] for request in playground.requests} == {"autumn"}
    printed = capfd.readouterr().out
    assert "Status" in printed
    assert f"Total{60:>19}" in printed


def test_campaign_by_tag_fails_where_too_little_is_delivered(playground: SMSPartnerDouble) -> None:
    half = {"Delivered": 0.5, "Not delivered": 0.5}
    playground.add_campaign("autumn", size=10, settle_seconds=0, outcomes=half)

    run = run_dag("smspartner_campaign_by_tag", conf={"tag": "autumn"})

    assert str(run.task("await_campaign").state) == "success"
    assert str(run.task("judge_delivery").state) == "failed"


def test_message_list(playground: SMSPartnerDouble) -> None:
    for number in range(12):
        playground.add_message(
            f"+336399800{number:02}", str(500_000 + number), "KO" if number == 7 else "Delivered"
        )

    run = run_dag("smspartner_message_list")

    rows = run.xcom("fetch_statuses")
    assert run.state == "success"
    assert [row["message_id"] for row in rows] == [str(500_000 + n) for n in range(12)]
    assert run.xcom("await_messages") is None
    assert run.xcom("find_undelivered") == ["500007"]


def test_mapped_campaigns(playground: SMSPartnerDouble) -> None:
    for tag, delivered in (("north", 0.5), ("south", 0.9), ("east", 0.8)):
        playground.add_campaign(
            tag, size=60, settle_seconds=0, outcomes={"Delivered": delivered, "KO": 1 - delivered}
        )

    run = run_dag("smspartner_mapped_campaigns")

    assert run.state == "success"
    assert [len(run.xcom("fetch_statuses", map_index=index)) for index in range(3)] == [60] * 3
    assert run.xcom("compare") == "south"


def test_every_example_is_tested() -> None:
    examples = {path.stem for path in EXAMPLE_DAGS.glob("*.py")}

    assert examples == {"campaign_by_tag", "message_list", "mapped_campaigns"}
