"""
Alert people by SMS when too few messages of a campaign were delivered.

The sensor fails below `min_delivery_rate`, without retries and after it has pushed its rows and their summary. Airflow
then calls the notifier, whose text says by how much: the error is in the context of a callback. A wait that times out
alerts as well, and says that. No text of an error of this provider holds a phone number or a secret.

If the key is refused, no SMS can leave through the same connection: let another callback alert by e-mail or chat.

Trigger it with ``{"tag": "..."}`` to watch a campaign of yours.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import dag

from airflow_provider_smspartner.notifications.smspartner import SMSPartnerNotifier
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

ON_CALL = ["+33639980000"]


@dag(schedule=None, params={"tag": "spring-sale"}, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_alert_below_a_rate() -> None:
    SMSPartnerCampaignSensor(
        task_id="await_campaign",
        tag="{{ params.tag }}",
        min_delivery_rate=0.9,
        deferrable=True,
        poke_interval=timedelta(seconds=6),  # a minute or more for real campaigns
        timeout=timedelta(days=4),
        on_failure_callback=SMSPartnerNotifier(
            recipients=ON_CALL,
            # Only `dag.test()` of Airflow 3.0 to 3.2 does not say the error.
            message="{{ params.tag }}: {{ exception | default('the wait has failed') }}",
            tag="airflow-alerts",
        ),
    )


smspartner_alert_below_a_rate()
