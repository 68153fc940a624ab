"""Arguments are rendered as Airflow does, but that a phone number stays text."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

NUMBER = "+33639980001"


def rendered(kind: Any, **arguments: Any) -> Any:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        task = kind(task_id="task", **arguments)
    task.render_template_fields({"numbers": [NUMBER, "0639980002"], "tag": "spring"})
    return task


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([NUMBER, "0639980002"], [NUMBER, "0639980002"]),
        ("{{ numbers }}", [NUMBER, "0639980002"]),
        (["{{ numbers[0] ~ '' }}"], [33639980001]),
    ],
    ids=["literals", "a template of a list", "a template of one number, which Jinja makes an integer of"],
)
def test_recipients_of_a_native_dag(given: Any, expected: Any) -> None:
    task = rendered(SMSPartnerSendOperator, recipients=given, message="Hello {{ tag }}")

    assert task.recipients == expected
    assert task.message == "Hello spring"


@pytest.mark.parametrize("kind", [SMSPartnerMultiStatusOperator, SMSPartnerCampaignSensor])
def test_messages_of_a_native_dag(kind: Any) -> None:
    task = rendered(kind, messages=[(NUMBER, "1001"), {"phone_number": NUMBER, "message_id": 1002}])

    assert task.messages == [(NUMBER, "1001"), {"phone_number": NUMBER, "message_id": 1002}]
