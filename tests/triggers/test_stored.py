"""
Waits that an older version has deferred: what Airflow then has stored is still understood.

A release adds its file to `stored/`, and none is ever removed or changed: `python tests/triggers/test_stored.py` prints
what the version at hand stores, on the Airflow at hand.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import environment  # noqa: F401 - first: it sets the Airflow home
import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout
from harness import AIRFLOW_3, fire, new_context, restored, to_store

from airflow_provider_smspartner import __version__
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerNotFoundError
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

STORED = Path(__file__).parent / "stored"
MAJOR = 3 if AIRFLOW_3 else 2
VERSIONS = sorted(path.name.partition("-airflow")[0] for path in STORED.glob(f"*-airflow-{MAJOR}.json"))
ENDS = {
    "not found": SMSPartnerNotFoundError,
    "timed out": AirflowSensorTimeout,
    "timed out, down": AirflowSensorTimeout,
    "refused": SMSPartnerCredentialsError,
}
FOLDER = "/srv/sms"
MESSAGES = [["+33639980001", "1001"], ["+33639980002", "1002"]]


def in_store(version: str) -> Any:
    return json.loads((STORED / f"{version}-airflow-{MAJOR}.json").read_text())


def add_messages(double: SMSPartnerDouble) -> None:
    for phone_number, message_id in MESSAGES:
        double.add_message(phone_number, message_id, "Delivered", tag="spring")


def test_every_version_is_kept() -> None:
    assert __version__ in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "settled"), [("tag", {}), ("messages", {"KO": 1, "Not delivered": 3}), ("file", {})]
)
def test_a_wait_goes_on(
    double: SMSPartnerDouble, version: str, kind: str, settled: dict[str, int], tmp_path: Path
) -> None:
    add_messages(double)
    rows = "".join(f"{number},{id_}\n" for number, id_ in MESSAGES)
    (tmp_path / "messages.csv").write_text(f"phone_number,message_id\n{rows}")
    stored = in_store(version)["triggers"][kind]
    stored["arguments"] = stored["arguments"].replace(FOLDER, str(tmp_path))

    assert fire(restored(**stored)) == {"verdict": "done", "counts": {"Delivered": 2, **settled}}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_deadline_is_the_one_that_was_stored(double: SMSPartnerDouble, version: str) -> None:
    add_messages(double)
    double.misbehave(Fault.rows(lambda rows: [{**row, "status": "Waiting"} for row in rows]), times=None)
    event = fire(restored(**in_store(version)["triggers"]["passed"]))
    assert event == {"verdict": "timed_out", "counts": {"Waiting": 2}}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_that_was_fired_resumes_the_sensor(double: SMSPartnerDouble, version: str) -> None:
    add_messages(double)
    sensor = SMSPartnerCampaignSensor(task_id="sensor", tag="spring", deferrable=True)
    events = in_store(version)["events"]
    assert len(sensor.execute_complete(new_context(), events.pop("done"))) == 2
    for name, event in events.items():
        with pytest.raises(ENDS[name]):
            sensor.execute_complete(new_context(), event)


def made_by_this_version() -> dict[str, Any]:
    """Return what this version has Airflow store, with times that do not pass."""
    begun, never = datetime(2026, 11, 26, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)

    def kept(deadline: datetime = never, **watched: Any) -> dict[str, str]:
        trigger = SMSPartnerCampaignTrigger(
            **{
                "smspartner_conn_id": "smspartner_default",
                "tag": None,
                "messages": None,
                "settled": {},
                **watched,
            },
            goal={
                "settled_ratio": 1.0,
                "expected_total": 2,
                "started_at": begun,
                "deadline": deadline,
                "not_found_until": never,
            },
            rhythm={"poke_interval": 0.1, "exponential_backoff": True, "max_wait": 60.0, "seed": "dag#task"},
            next_poll_at=begun,
        )
        classpath, arguments = to_store(trigger)
        return {"classpath": classpath, "arguments": arguments}

    return {
        "triggers": {
            "tag": kept(tag="spring"),
            "messages": kept(messages=MESSAGES, settled={"KO": 1, "Not delivered": 3}),
            "file": kept(messages=f"{FOLDER}/messages.csv"),
            "passed": kept(tag="spring", deadline=begun),
        },
        "events": {
            "done": {"verdict": "done", "counts": {"Delivered": 2}},
            "not found": {"verdict": "not_found", "counts": {}},
            "timed out": {"verdict": "timed_out", "counts": {"Waiting": 2}},
            "timed out, down": {"verdict": "timed_out"},
            "refused": {"verdict": "refused", "code": 10, "http_status": 200},
        },
    }


if __name__ == "__main__":
    print(json.dumps(made_by_this_version(), indent=1))  # noqa: T201 - a command line
