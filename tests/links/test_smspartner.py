"""The link to the vendor's account site, on every task of this provider."""

from __future__ import annotations

from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.provider_info import get_provider_info
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

TASKS = [
    SMSPartnerStatusByTagOperator(task_id="by_tag", tag="spring"),
    SMSPartnerMultiStatusOperator(task_id="by_list", messages=[]),
    SMSPartnerCampaignSensor(task_id="wait", tag="spring"),
    SMSPartnerSendOperator(task_id="send", recipients=["+33639980001"], message="Hello"),
    SMSPartnerStopListOperator(task_id="stop_list"),
]


def test_each_task_links_to_the_account() -> None:
    links = {
        task.task_id: (link.name, link.get_link(task, ti_key=None))
        for task in TASKS
        for link in task.operator_extra_links
    }

    expected = ("SMS Partner account", "https://my.smspartner.fr/")
    assert links == dict.fromkeys(("by_tag", "by_list", "wait", "send", "stop_list"), expected)
    # Airflow's API server shows no link of a class that the provider does not name.
    path = f"{SMSPartnerAccountLink.__module__}.{SMSPartnerAccountLink.__qualname__}"
    assert get_provider_info()["extra-links"] == [path]
