"""In which form phone numbers leave: every task whose results hold them, into XCom and into files."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from files.rows import ENDINGS
from harness import new_context
from sensors.waits import MESSAGES, TAG, add, finish
from told import Capture, captured

from airflow_provider_smspartner._files.formats import ENDINGS as FORMATS
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import SMSPartnerDouble

capture = pytest.fixture(captured)

KEY = "a-key-of-pseudonyms-that-is-long"
CONN_ID = "pseudonyms"
NUMBERS = [number for number, _ in MESSAGES]


def pseudonym(number: str) -> str:
    return hmac.new(KEY.encode(), number.encode(), hashlib.sha256).hexdigest()


FORMS: dict[str, Callable[[str], str]] = {
    "keep": lambda number: number,
    "mask": lambda number: f"{number[:3]}*******{number[-2:]}",
    "hmac": pseudonym,
}

Fetch = Callable[..., Any]


def by_tag(**arguments: Any) -> Any:
    return SMSPartnerStatusByTagOperator(task_id="fetch", tag=TAG, **arguments).execute(new_context())


def by_list(**arguments: Any) -> Any:
    return SMSPartnerMultiStatusOperator(task_id="fetch", messages=MESSAGES, **arguments).execute(
        new_context()
    )


def stop_list(**arguments: Any) -> Any:
    return SMSPartnerStopListOperator(task_id="fetch", **arguments).execute(new_context())


def awaited_tag(*, deferrable: bool) -> Fetch:
    return lambda **arguments: finish(new_context(), deferrable=deferrable, **arguments)


def awaited_list(*, deferrable: bool) -> Fetch:
    return lambda **arguments: finish(new_context(), deferrable=deferrable, messages=MESSAGES, **arguments)


WAYS: dict[str, Fetch] = {
    "by tag": by_tag,
    "by list": by_list,
    "stop list": stop_list,
    "sensor of a tag": awaited_tag(deferrable=False),
    "sensor of a list": awaited_list(deferrable=False),
    "deferrable sensor of a tag": awaited_tag(deferrable=True),
    "deferrable sensor of a list": awaited_list(deferrable=True),
}


@pytest.fixture(autouse=True)
def campaign(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign that settles at its second poll, its stop list, and the connection with the key of the pseudonyms."""
    add(double, ["Waiting", "Delivered"], ["Delivered"], ["Not delivered"])
    for number in NUMBERS:
        double.add_stop(number)
    monkeypatch.setenv(
        f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps({"conn_type": "generic", "password": KEY})
    )


def released(phone_numbers: str) -> dict[str, Any]:
    return {"phone_numbers": phone_numbers, "pseudonym_conn_id": CONN_ID if phone_numbers == "hmac" else None}


@pytest.mark.parametrize("phone_numbers", FORMS)
@pytest.mark.parametrize("way", WAYS)
def test_xcom_has_them_in_the_form_that_was_asked_for(way: str, phone_numbers: str) -> None:
    rows = WAYS[way](**released(phone_numbers))

    assert [row["phone_number"] for row in rows] == [FORMS[phone_numbers](number) for number in NUMBERS]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("way", WAYS)
def test_a_file_has_them_in_the_form_that_was_asked_for(way: str, ending: str, tmp_path: Path) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"rows{ending}"

    landed = WAYS[way](output_path=str(path), **released("hmac"))

    assert landed["rows"] == 3
    content = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    if ending in {".ndjson", ".csv"}:
        assert all(pseudonym(number).encode() in content for number in NUMBERS)
    assert not any(number[1:].encode() in content for number in NUMBERS)
    assert ending in FORMATS


def test_what_is_asked_does_not_change(double: SMSPartnerDouble) -> None:
    by_list(**released("hmac"))

    (asked,) = double.requests
    assert asked.body is not None
    assert [pair["phoneNumber"] for pair in asked.body["SMSStatut_List"]] == NUMBERS


@pytest.mark.parametrize("way", WAYS)
def test_nothing_else_tells_a_number_or_the_key(
    way: str, capture: Capture, capfd: pytest.CaptureFixture[str]
) -> None:
    WAYS[way](**released("hmac"))

    told = [*capture.texts, *capfd.readouterr()]
    assert not [text for text in told if KEY in text or any(number[1:] in text for number in NUMBERS)]


@pytest.mark.parametrize(
    "operator", [SMSPartnerStatusByTagOperator, SMSPartnerMultiStatusOperator, SMSPartnerCampaignSensor]
)
def test_the_default_is_to_keep_them(operator: Any) -> None:
    subject = {"messages": MESSAGES} if operator is SMSPartnerMultiStatusOperator else {"tag": TAG}
    task = operator(task_id="fetch", **subject)

    assert (task.phone_numbers, task.pseudonym_conn_id) == ("keep", None)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            {"phone_numbers": "sha256"},
            "`phone_numbers` must be one of 'keep', 'mask', 'hmac'; it is 'sha256'",
        ),
        ({"phone_numbers": None}, "`phone_numbers` must be one of"),
        ({"phone_numbers": "hmac"}, "`pseudonym_conn_id` must name the Airflow connection whose password"),
        (
            {"phone_numbers": "hmac", "pseudonym_conn_id": " "},
            "`pseudonym_conn_id` must name an Airflow conn",
        ),
    ],
)
def test_a_mistake_is_told_before_anything_is_asked(
    double: SMSPartnerDouble, way: str, arguments: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        WAYS[way](**arguments)

    assert double.requests == []


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_is_not_there_is_told_before_anything_is_asked(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps({"conn_type": "generic"}))

    with pytest.raises(SMSPartnerInputError, match="there is no key: it is the password"):
        WAYS[way](**released("hmac"))

    assert double.requests == []


@pytest.mark.usefixtures("metadata_database")
def test_a_connection_that_is_not_there_is_told_before_anything_is_asked(double: SMSPartnerDouble) -> None:
    with pytest.raises(AirflowException, match="no_such_connection"):
        by_tag(phone_numbers="hmac", pseudonym_conn_id="no_such_connection")

    assert double.requests == []


def test_a_short_key_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(
        f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps({"conn_type": "generic", "password": "abc"})
    )

    rows = by_tag(**released("hmac"))

    assert rows[0]["phone_number"] == hmac.new(b"abc", NUMBERS[0].encode(), hashlib.sha256).hexdigest()
    assert "has fewer than 16 characters" in capfd.readouterr().out + caplog.text
