"""
Await several campaigns at once, one mapped task for each, then compare them.

How many campaigns there are is known only at run time: dynamic task mapping makes a sensor for each tag. All of
them wait in the triggerer, so that ten campaigns hold no more workers than one: none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_smspartner.operators.smspartner import SMSPartnerStatusByTagOperator
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor


@dag(schedule=None, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_mapped_campaigns() -> None:
    @task
    def list_campaigns() -> list[str]:
        # Stands in for a query of the campaigns that were sent today.
        return ["north", "south", "east"]

    tags = list_campaigns()
    settled = SMSPartnerCampaignSensor.partial(
        task_id="await_campaign",
        deferrable=True,
        poke_interval=timedelta(seconds=6),  # a minute or more for real campaigns
        timeout=timedelta(days=4),
        do_xcom_push=False,
        map_index_template="{{ task.tag }}",  # shown in the UI instead of 0, 1 and 2
    ).expand(tag=tags)
    statuses = SMSPartnerStatusByTagOperator.partial(
        task_id="fetch_statuses", map_index_template="{{ task.tag }}"
    ).expand(tag=tags)
    settled >> statuses

    @task
    def compare(tags: list[str], summaries: list[dict[str, Any]]) -> str:
        rates = {tag: summary["delivery_rate"] for tag, summary in zip(tags, summaries, strict=True)}
        for tag, rate in sorted(rates.items(), key=lambda item: item[1], reverse=True):
            print(f"{tag:<10}{rate:>7.1%}")
        return max(rates, key=rates.__getitem__)

    compare(tags, statuses.output["summary"])


smspartner_mapped_campaigns()
