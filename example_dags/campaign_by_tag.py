"""
Await a campaign by its tag, then judge how well it was delivered.

The sensor waits in the triggerer until no message of the campaign is "Waiting" any more, however long that takes,
and pushes the rows and their summary. The task after it reads both from XCom, prints a table of counts, and fails
if too few messages were delivered.

Trigger it with ``{"tag": "..."}`` to await a campaign of yours.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, get_current_context, task

from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

LEAST_DELIVERY_RATE = 0.9


@dag(schedule=None, params={"tag": "spring-sale"}, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_campaign_by_tag() -> None:
    campaign = SMSPartnerCampaignSensor(
        task_id="await_campaign",
        tag="{{ params.tag }}",
        deferrable=True,
        poke_interval=timedelta(seconds=6),  # a minute or more for real campaigns
        timeout=timedelta(days=4),
    )

    @task
    def judge_delivery(rows: list[dict[str, Any]]) -> float:
        summary = get_current_context()["ti"].xcom_pull(task_ids="await_campaign", key="summary")
        print(f"{'Status':<15}{'Messages':>9}{'Share':>8}")
        for status, count in Counter(row["status"] for row in rows).most_common():
            print(f"{status:<15}{count:>9}{count / len(rows):>8.1%}")
        print(f"{'Total':<15}{len(rows):>9}")
        if summary["delivery_rate"] < LEAST_DELIVERY_RATE:
            raise RuntimeError(f"Only {summary['delivery_rate']:.1%} of the messages were delivered.")
        return summary["delivery_rate"]

    judge_delivery(campaign.output)


smspartner_campaign_by_tag()
