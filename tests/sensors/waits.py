"""Waits for a small campaign, from the sensor to its end."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from harness import fire, stored

from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import SMSPartnerDouble

TAG = "spring"
MESSAGES = [("+33639980001", "1001"), ("+33639980002", "1002"), ("+33639980003", "1003")]


def sensor(**arguments: Any) -> SMSPartnerCampaignSensor:
    given = {"poke_interval": 0.02, "timeout": 30, "deferrable": True, **arguments}
    if "messages" not in given:
        given.setdefault("tag", TAG)
    return SMSPartnerCampaignSensor(task_id="await_campaign", **given)


def add(double: SMSPartnerDouble, *by_message: list[str], tag: str | None = TAG) -> None:
    for (phone_number, message_id), statuses in zip(MESSAGES, by_message, strict=False):
        double.add_message(phone_number, message_id, *statuses, tag=tag)


def defer(waiting: SMSPartnerCampaignSensor, context: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(context)
    return deferred.value


def resume(
    deferred: TaskDeferred, context: Any, event: dict[str, Any] | None = None, **arguments: Any
) -> Any:
    """Go on in a new worker, as Airflow does after the event."""
    event = event or fire(stored(deferred.trigger))
    return sensor(**arguments).resume_execution(
        deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context
    )


def finish(context: Any, **arguments: Any) -> Any:
    """Wait to the end, in whatever mode."""
    try:
        return sensor(**arguments).execute(context)
    except TaskDeferred as deferred:
        return resume(deferred, context, **arguments)


BOTH = pytest.mark.parametrize("deferrable", [True, False])
