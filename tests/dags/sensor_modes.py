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


@dataclass(frozen=True)
class Case:
    """
    A campaign as the vendor answers it, and how waiting for it must end.

    :param arrange: prepares the double.
    :param state: the task's final state; every case has a retry left, and none needs it.
    :param statuses: of the rows in XCom, or None where there is no XCom.
    :param sensor: the sensor's arguments.
    """

    arrange: Callable[[SMSPartnerDouble], None]
    state: str
    statuses: list[str] | None = None
    sensor: dict[str, Any] = field(default_factory=lambda: {"tag": TAG})


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


def at_the_second_poll(fault: Fault, tag: str | None) -> Any:
    """Arrange one odd answer once the first poll was answered."""

    async def usual(request: Any, proceed: Any, _: Any) -> Any:
        return proceed(request)

    def arrange(double: SMSPartnerDouble) -> None:
        answering(LATER, tag=tag)(double)
        double.misbehave(Fault("none", usual))
        double.misbehave(fault)

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
LATER = ["Waiting", "PENDING", "Delivered"]
LATER_FAILED = ["Waiting", "Not delivered"]
BOTH_ENDS = ["Delivered", "Not delivered"]
NO_GRACE = {"not_found_grace": timedelta(0)}
SHORT = {"timeout": 0.3}

LIST: dict[str, Any] = {"messages": MESSAGES[:3]}
ONE: dict[str, Any] = {"messages": MESSAGES[:1]}
SILENCE = Fault.body(b'{"success":true,"code":200,"total":0,"StatutResponse_List":[]}')

CASES = {
    "tag settles": Case(
        answering([*LATER[:2], "DELIVRD"], LATER_FAILED, ["ko"]),
        "success",
        ["Delivered", "Not delivered", "KO"],
    ),
    "list settles": Case(
        answering(LATER, LATER_FAILED, DELIVERED, tag=None),
        "success",
        ["Delivered", "Not delivered", "Delivered"],
        LIST,
    ),
    "ratio reached": Case(
        answering(LATER, DELIVERED, DELIVERED, WAITING),
        "success",
        ["Delivered", "Delivered", "Delivered", "Waiting"],
        {"tag": TAG, "settled_ratio": 0.75},
    ),
    "total reached": Case(
        answering(DELIVERED, DELIVERED), "success", ["Delivered"] * 2, {"tag": TAG, "expected_total": "2"}
    ),
    "total not reached": Case(
        answering(DELIVERED, DELIVERED), "failed", None, {"tag": TAG, "expected_total": 3, **SHORT}
    ),
    "unknown status": Case(
        answering(["Waiting", "Teleported"], DELIVERED), "success", ["Unknown", "Delivered"]
    ),
    "tag found within grace": Case(failing(Fault.error(4), 1, answering(LATER)), "success", DELIVERED),
    "tag not found": Case(nothing, "failed", None, {"tag": TAG, **NO_GRACE}),
    "message not found": Case(answering(DELIVERED, tag=None), "failed", None, {**LIST, **NO_GRACE}),
    "timed out": Case(answering(WAITING), "failed", None, {"tag": TAG, **SHORT}),
    "trouble until the deadline": Case(
        failing(Fault.status(503), None, answering(DELIVERED)), "failed", None, {"tag": TAG, **SHORT}
    ),
    # The grace is over with the first poll: what was known then is not given up for an answer that says nothing.
    "silence passes, tag": Case(
        at_the_second_poll(SILENCE, TAG), "success", DELIVERED, {"tag": TAG, **NO_GRACE}
    ),
    "silence passes, list": Case(
        at_the_second_poll(SILENCE, None), "success", DELIVERED, {**ONE, **NO_GRACE}
    ),
    "a code that nobody knows passes": Case(at_the_second_poll(Fault.error(777), TAG), "success", DELIVERED),
    "trouble passes": Case(failing(Fault.html(), 2, answering(LATER)), "success", DELIVERED),
    "incomplete passes": Case(failing(Fault.total(99), 2, answering(LATER)), "success", DELIVERED),
    "badly delivered": Case(
        answering(LATER, LATER_FAILED), "failed", BOTH_ENDS, {"tag": TAG, "min_delivery_rate": 0.6}
    ),
    "well delivered": Case(
        answering(LATER, LATER_FAILED), "success", BOTH_ENDS, {"tag": TAG, "min_delivery_rate": 0.5}
    ),
    "credentials refused": Case(failing(Fault.error(10), None, nothing), "failed"),
    "request refused": Case(failing(Fault.error(90), None, nothing), "failed"),
    "credentials refused later": Case(refused_at_the_second_poll, "failed"),
    "bad tag": Case(nothing, "failed", None, {"tag": "{{ 'two words' }}"}),
    "no messages": Case(nothing, "failed", None, {"messages": set()}),
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
    "bad tag",
)
# Each end that is no success, with one flag or the other: they differ in other errors alone.
for number, name in enumerate(SKIPPED):
    case, flag = CASES[name], ("soft_fail", "never_fail")[number % 2]
    CASES[f"{name}, {flag}"] = Case(case.arrange, "skipped", case.statuses, {**case.sensor, flag: True})


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
