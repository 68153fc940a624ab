"""The readers that meet each fault: both operators, and the sensor in each of its modes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from faults.outcome import Outcome
from harness import AIRFLOW_3, fire, new_context, stored

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerStatusByTagOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

What = Literal["tag", "list"]
Task = Mapping[str, Any]
"""A task's arguments: what it reads, as `tag` or `messages`, and others."""

MAX_WAIT_SECONDS = 600.0
"""The sensor's `timeout` unless the task says otherwise: no fault that passes lasts that long."""

MAX_POLLS = 500


@dataclass(frozen=True)
class Ending:
    """How a reader has ended, and its error, if any."""

    outcome: Outcome
    error: Exception | None = None


Reader = Callable[[Task], Ending]
"""Does the task."""


class Sensor(SMSPartnerCampaignSensor):
    """Counts its polls."""

    polls = 0

    def poke(self, context: Any) -> Any:
        self.polls += 1
        return super().poke(context)


def _sensor(task: Task, **mode: Any) -> Sensor:
    return Sensor(
        task_id="await_campaign", poke_interval=0.02, **{"timeout": MAX_WAIT_SECONDS, **task, **mode}
    )


def _by_tag(task: Task) -> Ending:
    return _operator(SMSPartnerStatusByTagOperator(task_id="fetch", **task))


def _by_list(task: Task) -> Ending:
    return _operator(SMSPartnerMultiStatusOperator(task_id="fetch", **task))


def _operator(operator: Any) -> Ending:
    try:
        return Ending(Outcome.of_rows(operator.execute(new_context())))
    except SMSPartnerError as error:
        return Ending(Outcome.of_error(error), error)


def _poke(task: Task) -> Ending:
    sensor = _sensor(task, mode="poke", deferrable=False)
    return _end(lambda: sensor.execute(new_context()), lambda: sensor.polls > 1)


def _reschedule(task: Task) -> Ending:
    if not AIRFLOW_3:
        pytest.skip("there a rescheduling sensor asks the metadata database")
    context, began = new_context(), _clock.now()
    rescheduled = 0

    def poll_until_done() -> Any:
        nonlocal rescheduled
        for _ in range(MAX_POLLS):
            try:
                return _sensor(task, mode="reschedule", deferrable=False).execute(context)
            except AirflowRescheduleException:
                rescheduled += 1
                context["ti"].get_first_reschedule_date = lambda _: began
        raise AssertionError("the wait does not end")

    return _end(poll_until_done, lambda: rescheduled > 0)


def _deferrable(task: Task) -> Ending:
    context = new_context()
    deferrals = 0

    def defer_until_done() -> Any:
        nonlocal deferrals
        try:
            return _sensor(task, deferrable=True).execute(context)
        except TaskDeferred as first:
            deferred = first
        while deferrals < MAX_POLLS:
            deferrals += 1
            arguments = {**(deferred.kwargs or {}), "event": fire(stored(deferred.trigger))}
            try:
                return _sensor(task, deferrable=True).resume_execution(
                    deferred.method_name, arguments, context
                )
            except TaskDeferred as again:
                deferred = again
        raise AssertionError("the wait does not end")

    return _end(defer_until_done, lambda: deferrals > 0)


def _end(wait: Callable[[], Any], has_waited: Callable[[], bool]) -> Ending:
    try:
        rows = wait()
    except (SMSPartnerError, AirflowSensorTimeout, AirflowSkipException) as error:
        return Ending(Outcome.of_error(error, has_waited=has_waited()), error)
    return Ending(Outcome.of_rows(rows, has_waited=has_waited()))


OPERATORS: dict[str, tuple[What, Reader]] = {
    "by tag": ("tag", _by_tag),
    "by list": ("list", _by_list),
}
SENSORS: dict[str, Reader] = {
    "poke": _poke,
    "reschedule": _reschedule,
    "deferrable": _deferrable,
}
READERS = [*OPERATORS, *SENSORS]
