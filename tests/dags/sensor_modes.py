"""
One DAG for each mode of the sensor, with the same cases in each: tests/sensors/test_modes.py compares how they end.

Each case has a double of its own behind a connection of its own, so that its answers are the same in every mode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "spring"
PHONE_NUMBERS = [f"+3363998{n:04}" for n in range(4)]
MESSAGES = [(phone_number, 1000 + n) for n, phone_number in enumerate(PHONE_NUMBERS)]
MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """
    A campaign as the vendor answers it, and how waiting for it must end.

    :param arrange: prepares the double.
    :param sensor: the sensor's arguments.
    :param state: the task's final state.
    :param tries: how many the task needed; every case has a retry left.
    :param statuses: of the rows in XCom, or None where there is no XCom.
    """

    arrange: Callable[[SMSPartnerDouble], None]
    sensor: dict[str, Any] = field(default_factory=lambda: {"tag": TAG})
    state: str
    tries: int = 1
    statuses: list[str] | None = None


def answering(*by_message: list[str], tag: str | None = TAG) -> Callable[[SMSPartnerDouble], None]:
    """Arrange messages, each with the statuses that it has at its first, second, … ask."""

    def arrange(double: SMSPartnerDouble) -> None:
        for (phone_number, message_id), statuses in zip(MESSAGES, by_message, strict=False):
            double.add_message(phone_number, str(message_id), *statuses, tag=tag)

    return arrange


def failing(fault: Fault, times: int | None, then: Callable[[SMSPartnerDouble], None]) -> Any:
    """Arrange faults before the answers."""

    def arrange(double: SMSPartnerDouble) -> None:
        then(double)
        double.misbehave(fault, times=times)

    return arrange


def refused_at_the_second_poll(double: SMSPartnerDouble) -> None:
    """Arrange credentials that are refused once the first poll was answered."""
    answering(WAITING)(double)
    double.misbehave(Fault.total(1), times=1)
    double.misbehave(Fault.error(96), times=None)


def nothing(double: SMSPartnerDouble) -> None:
    """Arrange an API that knows no message."""


WAITING = ["Waiting"]
DELIVERED = ["Delivered"]
LATER = ["Waiting", "Waiting", "Delivered"]
LATER_FAILED = ["Waiting", "Not delivered"]
NO_GRACE = {"not_found_grace": timedelta(0)}
SHORT = {"timeout": 0.3}

CASES = {
    "tag settles": Case(
        arrange=answering(LATER, LATER_FAILED, ["ko"]),
        state="success",
        statuses=["Delivered", "Not delivered", "KO"],
    ),
    "list settles": Case(
        arrange=answering(LATER, LATER_FAILED, DELIVERED, tag=None),
        sensor={"messages": MESSAGES[:3]},
        state="success",
        statuses=["Delivered", "Not delivered", "Delivered"],
    ),
    "ratio reached": Case(
        arrange=answering(LATER, DELIVERED, DELIVERED, WAITING),
        sensor={"tag": TAG, "settled_ratio": 0.75},
        state="success",
        statuses=["Delivered", "Delivered", "Delivered", "Waiting"],
    ),
    "total reached": Case(
        arrange=answering(DELIVERED, DELIVERED),
        sensor={"tag": TAG, "expected_total": "2"},
        state="success",
        statuses=["Delivered", "Delivered"],
    ),
    "total not reached": Case(
        arrange=answering(DELIVERED, DELIVERED),
        sensor={"tag": TAG, "expected_total": 3, **SHORT},
        state="failed",
    ),
    "unknown status": Case(
        arrange=answering(["Waiting", "Teleported"], DELIVERED),
        state="success",
        statuses=["Unknown", "Delivered"],
    ),
    "tag found within grace": Case(
        arrange=failing(Fault.error(4), 1, answering(LATER)),
        state="success",
        statuses=["Delivered"],
    ),
    "tag not found": Case(arrange=nothing, sensor={"tag": TAG, **NO_GRACE}, state="failed"),
    "message not found": Case(
        arrange=answering(DELIVERED, tag=None), sensor={"messages": MESSAGES[:2], **NO_GRACE}, state="failed"
    ),
    "timed out": Case(arrange=answering(WAITING), sensor={"tag": TAG, **SHORT}, state="failed"),
    "trouble until the deadline": Case(
        arrange=failing(Fault.status(503), None, answering(DELIVERED)),
        sensor={"tag": TAG, **SHORT},
        state="failed",
    ),
    "trouble passes": Case(
        arrange=failing(Fault.html(), 2, answering(LATER)), state="success", statuses=["Delivered"]
    ),
    "incomplete passes": Case(
        arrange=failing(Fault.total(99), 2, answering(LATER)), state="success", statuses=["Delivered"]
    ),
    "badly delivered": Case(
        arrange=answering(LATER, LATER_FAILED),
        sensor={"tag": TAG, "min_delivery_rate": 0.6},
        state="failed",
        statuses=["Delivered", "Not delivered"],
    ),
    "well delivered": Case(
        arrange=answering(LATER, LATER_FAILED),
        sensor={"tag": TAG, "min_delivery_rate": 0.5},
        state="success",
        statuses=["Delivered", "Not delivered"],
    ),
    "credentials refused": Case(arrange=failing(Fault.error(10), None, nothing), state="failed"),
    "request refused": Case(arrange=failing(Fault.error(90), None, nothing), state="failed"),
    "credentials refused later": Case(
        arrange=refused_at_the_second_poll,
        state="failed",
    ),
    "bad tag": Case(arrange=nothing, sensor={"tag": "{{ 'two words' }}"}, state="failed", tries=1),
    "no messages": Case(arrange=nothing, sensor={"messages": set()}, state="failed", tries=1),
}
SKIPPED = (
    "tag not found",
    "message not found",
    "timed out",
    "trouble until the deadline",
    "badly delivered",
    "credentials refused",
    "request refused",
    "credentials refused later",
)
for name in SKIPPED:
    case = CASES[name]
    for flag in ("soft_fail", "never_fail"):
        CASES[f"{name}, {flag}"] = Case(
            arrange=case.arrange, sensor={**case.sensor, flag: True}, state="skipped", statuses=case.statuses
        )
CASES["bad tag, never_fail"] = Case(
    arrange=nothing, sensor={"tag": "{{ 'two words' }}", "never_fail": True}, state="skipped"
)


def task_id_of(name: str) -> str:
    """Return a case's task id, which with the mode is its connection id as well."""
    return name.replace(",", "").replace(" ", "_")


for mode, arguments in MODES.items():
    with DAG(f"sensor_mode_{mode}", schedule=None):
        for name, case in CASES.items():
            SMSPartnerCampaignSensor(
                task_id=task_id_of(name),
                smspartner_conn_id=f"{mode}_{task_id_of(name)}",
                poke_interval=0.1,
                retries=1,
                retry_delay=timedelta(0),
                # `dag.test()` comes back to a rescheduled task after all others: on a slow machine, a minute later.
                **{"timeout": 300.0, **case.sensor, **arguments},
            )
