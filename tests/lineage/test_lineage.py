"""What Airflow's collector of lineage and OpenLineage are told of the files that tasks read and write."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset
from commands import environment_of_the_tests, output_of, run_python
from environment import API_KEY, METADATA_DATABASE
from told import forms_of, without_ids

from airflow_provider_smspartner._tasks.lineage import Lineage, report_input, report_output
from airflow_provider_smspartner.operators.smspartner import SMSPartnerStopListOperator
from airflow_provider_smspartner.testing import SMSPartnerDouble

COLLECTING = Path(__file__).with_name("collecting.py")
RUNNING = Path(__file__).with_name("running.py")
NUMBERS = [f"+3363998{n:04}" for n in range(3)]


def arrange(double: SMSPartnerDouble, folder: Path) -> None:
    """Give the double a campaign, and write the files that the tasks read."""
    (folder / "recipients.csv").write_text("phone_number\n" + "\n".join(NUMBERS) + "\n")
    messages = [{"phone_number": number, "message_id": f"100{n}"} for n, number in enumerate(NUMBERS)]
    (folder / "messages.ndjson").write_text("\n".join(map(json.dumps, messages)) + "\n")
    for message in messages:
        double.add_message(message["phone_number"], message["message_id"], "Delivered")
    for n in range(4):
        double.add_message(f"+33639981{n:03}", f"200{n}", "Waiting", "Delivered", tag="spring")
    double.add_stop(NUMBERS[0])


def is_taken(uri: str) -> bool:
    """Return whether this Airflow takes a URI for an asset's."""
    try:
        Asset(uri=uri)
    except ValueError:
        return False
    return True


def completed(events: list[dict[str, Any]], task_id: str) -> dict[str, Any]:
    """Return the event of a task that has succeeded."""
    (event,) = (
        each
        for each in events
        if each["eventType"] == "COMPLETE" and each["job"]["name"] == f"lineage.{task_id}"
    )
    return event


def names(datasets: list[dict[str, Any]]) -> list[tuple[str, str, int | None]]:
    """Return the namespace, the name and the number of rows of each dataset."""
    statistics = [each.get("outputFacets", {}).get("outputStatistics", {}) for each in datasets]
    return [
        (each["namespace"], each["name"], facts.get("rowCount"))
        for each, facts in zip(datasets, statistics, strict=True)
    ]


@pytest.mark.nightly
def test_openlineage_shows_datasets_and_rows(
    double: SMSPartnerDouble, metadata_database: None, tmp_path: Path
) -> None:
    if find_spec("airflow.providers.openlineage") is None:
        pytest.skip("apache-airflow-providers-openlineage is not installed")
    arrange(double, tmp_path)
    log = tmp_path / "openlineage.ndjson"
    transport = {"type": "file", "log_file_path": str(log), "append": True}
    env = environment_of_the_tests() | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{METADATA_DATABASE}",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/warehouse.db"}),
    }

    output_of(run_python(str(RUNNING), str(tmp_path), env=env))

    events = [json.loads(line) for line in log.read_text().splitlines()]
    shown = {
        task_id: {kind: names(completed(events, task_id)[kind]) for kind in ("inputs", "outputs")}
        for task_id in ("send", "fetch", "wait", "stops", "plain", "table")
    }

    asset = ("smspartner", "spring", None)
    assert shown == {
        "send": {"inputs": [("file", f"{tmp_path}/recipients.csv", None)], "outputs": []},
        "fetch": {
            "inputs": [("file", f"{tmp_path}/messages.ndjson", None)],
            "outputs": [("file", f"{tmp_path}/rows.csv", 3)],
        },
        # It was deferred: the worker that it resumed in has written the file.
        "wait": {"inputs": [], "outputs": [("file", f"{tmp_path}/campaign.ndjson.gz", 4), asset]},
        "stops": {"inputs": [], "outputs": [("file", f"{tmp_path}/stops.ndjson", 1)]},
        "plain": {"inputs": [], "outputs": [asset]},
        "table": {
            "inputs": [],
            "outputs": [("sqlite://", f"{tmp_path}/warehouse.db/statuses".lstrip("/"), 4)],
        },
    }
    # Nothing else may be in them: neither key nor phone number.
    text = json.dumps(events)
    assert not re.search(r"3363998\d", without_ids(text))
    assert [form for form in forms_of(API_KEY) if form in text] == []


def test_the_collector_is_told_of_files(double: SMSPartnerDouble, tmp_path: Path) -> None:
    arrange(double, tmp_path)
    env = environment_of_the_tests() | {"AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins")}

    printed = output_of(run_python(str(COLLECTING), str(tmp_path), env=env))

    told = json.loads(printed.rpartition("told: ")[2])
    assert told["inputs"] == [f"file://{tmp_path}/recipients.csv", f"file://{tmp_path}/messages.ndjson"]
    # Some Airflows take ASCII alone: what they do not take is left out, and the task has succeeded.
    odd = [uri for uri in [f"file://{tmp_path}/é.ndjson"] if is_taken(uri)]
    assert told["outputs"] == [f"file://{tmp_path}/rows.csv", *odd, f"file://{tmp_path}/campaign.ndjson"]
    assert (tmp_path / "é.ndjson").exists()


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("s3://aws_default@bucket/sms/rows.csv", "s3://bucket/sms/rows.csv"),
        ("/data/rows.csv", "file:///data/rows.csv"),
        ("postgres://user:secret@db:5432/dwh/public/statuses", "postgres://db:5432/dwh/public/statuses"),
    ],
)
def test_a_uri_names_the_data_and_no_connection(given: str, plain: str) -> None:
    task = SMSPartnerStopListOperator(task_id="stops")

    report_input(task, given)
    report_output(task, given, rows=3)

    assert task._lineage == Lineage(inputs={plain: None}, outputs={plain: 3})
