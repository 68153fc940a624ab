"""The link to the vendor's account site, on every task of this provider."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.provider_info import get_provider_info
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor


@pytest.mark.parametrize(
    ("task", "arguments"),
    [
        (SMSPartnerStatusByTagOperator, {"tag": "spring"}),
        (SMSPartnerMultiStatusOperator, {"messages": []}),
        (SMSPartnerCampaignSensor, {"tag": "spring"}),
        (SMSPartnerSendOperator, {"recipients": ["+33639980001"], "message": "Hello"}),
        (SMSPartnerStopListOperator, {}),
    ],
)
def test_each_task_links_to_the_account(task: Any, arguments: dict[str, Any]) -> None:
    made = task(task_id="task", **arguments)
    (link,) = made.operator_extra_links

    assert link.name == "SMS Partner account"
    assert link.get_link(made, ti_key=None) == "https://my.smspartner.fr/"


def test_airflow_is_told_of_the_link() -> None:
    # Airflow's API server shows no link of a class that the provider does not name.
    path = f"{SMSPartnerAccountLink.__module__}.{SMSPartnerAccountLink.__qualname__}"
    assert get_provider_info()["extra-links"] == [path]
