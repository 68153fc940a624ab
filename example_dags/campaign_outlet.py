"""
Two DAGs: one awaits a campaign and updates an asset, the other starts by itself and reads how the campaign went.

The sensor of the first DAG has the asset ``smspartner://spring`` as its outlet. Once the campaign has settled, Airflow
stores an event of that asset, whose extra holds the campaign's summary under ``smspartner``. The second DAG is
scheduled on the asset. It needs neither the rows nor XCom: the summary comes with the event that has started it.

Trigger the first one, with ``{"tag": "..."}`` to await a campaign of yours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException, Asset, dag, task

from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

CAMPAIGN = Asset("smspartner://spring")


@dag(schedule=None, params={"tag": "spring"}, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_campaign_outlet() -> None:
    SMSPartnerCampaignSensor(
        task_id="await_campaign",
        tag="{{ params.tag }}",
        outlets=[CAMPAIGN],
        min_delivery_rate=0.5,  # a campaign that went wrong fails the task, and starts nothing
        do_xcom_push=False,  # the event holds the summary, and nobody here reads the rows
        deferrable=True,
        poke_interval=timedelta(seconds=6),  # a minute or more for real campaigns
        timeout=timedelta(days=4),
    )


# Airflow 2 wants a start date where there is a schedule.
START = datetime(2026, 1, 1, tzinfo=UTC)


@dag(schedule=[CAMPAIGN], start_date=START, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_campaign_report() -> None:
    @task
    def report(triggering_asset_events: Any = None, triggering_dataset_events: Any = None) -> dict[str, Any]:
        # Airflow fills in the one that it knows: assets were called datasets before Airflow 3.
        events = triggering_asset_events or triggering_dataset_events or {}
        summaries = [event.extra["smspartner"] for of_asset in events.values() for event in of_asset]
        if not summaries:
            raise AirflowSkipException("This run was triggered by hand: there is no event to read.")
        latest = max(summaries, key=lambda summary: summary["checked_at"])
        print(f"{latest['delivered']} of {latest['total']} messages were delivered.")
        return latest

    report()


smspartner_campaign_outlet()
smspartner_campaign_report()
