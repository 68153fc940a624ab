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
from combinations import in_turn
from environment import API_KEY
from files.rows import ENDINGS
from harness import new_context
from sensors.waits import MESSAGES, TAG, add, finish
from told import Capture, captured

from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

capture = pytest.fixture(captured)

KEY = "a-key-of-pseudonyms-that-is-long"
CONN_ID = "pseudonyms"
VARIABLE = f"AIRFLOW_CONN_{CONN_ID.upper()}"
NUMBERS = [number for number, _ in MESSAGES]


FORMS: dict[str, Callable[[str], str]] = {
    "keep": lambda number: number,
    "mask": lambda number: f"{number[:3]}*******{number[-2:]}",
    "hmac": lambda number: hmac.new(KEY.encode(), number.encode(), hashlib.sha256).hexdigest(),
}

Fetch = Callable[..., Any]


def by(kind: Any, **subject: Any) -> Fetch:
    return lambda **arguments: kind(task_id="fetch", **subject, **arguments).execute(new_context())


def awaited(**subject: Any) -> Fetch:
    return lambda **arguments: finish(new_context(), **subject, **arguments)


by_tag = by(SMSPartnerStatusByTagOperator, tag=TAG)
by_list = by(SMSPartnerMultiStatusOperator, messages=MESSAGES)
WAYS: dict[str, Fetch] = {
    "by tag": by_tag,
    "by list": by_list,
    "stop list": by(SMSPartnerStopListOperator),
    "sensor of a tag": awaited(deferrable=False),
    "sensor of a list": awaited(deferrable=False, messages=MESSAGES),
    "deferrable sensor of a tag": awaited(deferrable=True),
    "deferrable sensor of a list": awaited(deferrable=True, messages=MESSAGES),
}


@pytest.fixture(autouse=True)
def campaign(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign that settles at its second poll, its stop list, and the connection with the key of the pseudonyms."""
    add(double, ["Waiting", "Delivered"], ["Delivered"], ["Not delivered"])
    for number in NUMBERS:
        double.add_stop(number)
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "generic", "password": KEY}))


def released(phone_numbers: str) -> dict[str, Any]:
    return {"phone_numbers": phone_numbers, "pseudonym_conn_id": CONN_ID if phone_numbers == "hmac" else None}


@in_turn(way=WAYS, phone_numbers=[*FORMS])
def test_xcom_has_them_in_the_form_that_was_asked_for(way: Fetch, phone_numbers: str) -> None:
    rows = way(**released(phone_numbers))

    assert [row["phone_number"] for row in rows] == [FORMS[phone_numbers](number) for number in NUMBERS]


@in_turn(way=WAYS, ending=ENDINGS)
def test_pseudonyms_land_in_a_file_and_nothing_tells_a_number_or_the_key(
    way: Fetch, ending: str, tmp_path: Path, capture: Capture, capfd: pytest.CaptureFixture[str]
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")

    landed = way(output_path=f"{tmp_path}/rows{ending}", **released("hmac"))

    assert landed["rows"] == 3
    content = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    if ending in {".ndjson", ".csv"}:
        assert all(FORMS["hmac"](number).encode() in content for number in NUMBERS)
    told = [content.decode(errors="replace"), *capture.texts, *capfd.readouterr()]
    assert not [text for text in told if KEY in text or any(number[1:] in text for number in NUMBERS)]


@pytest.mark.parametrize("way", ["by tag", "by list", "sensor of a tag", "deferrable sensor of a list"])
@pytest.mark.parametrize("phone_numbers", FORMS)
def test_words_of_the_vendor_that_quote_a_number_do_not_leave(
    double: SMSPartnerDouble, way: str, phone_numbers: str
) -> None:
    def quote(rows: list[Any]) -> list[Any]:
        quoting = [{**row, "status": f"no {row['phoneNumber'][1:]} with {API_KEY}"} for row in rows[1:]]
        return [{**rows[0], "status": "DELIVRD"}, *quoting]

    double.misbehave(Fault.rows(quote), times=None)

    rows = WAYS[way](**released(phone_numbers))

    kept = [f"no {number[1:]} with ***" if phone_numbers == "keep" else None for number in NUMBERS[1:]]
    assert [row["raw_status"] for row in rows] == ["DELIVRD", *kept]
    assert [row["status"] for row in rows] == ["Delivered", "Unknown", "Unknown"]


def test_what_is_asked_does_not_change(double: SMSPartnerDouble) -> None:
    by_list(**released("hmac"))

    (asked,) = double.requests
    assert asked.body is not None
    assert [pair["phoneNumber"] for pair in asked.body["SMSStatut_List"]] == NUMBERS


@pytest.mark.parametrize("way", ["by tag", "by list", "stop list", "deferrable sensor of a tag"])
def test_a_key_that_is_not_there_is_reported_before_anything_is_asked(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "generic"}))

    with pytest.raises(SMSPartnerInputError, match="there is no key: it is the password"):
        WAYS[way](**released("hmac"))

    assert double.requests == []


@pytest.mark.usefixtures("metadata_database")
def test_a_connection_that_is_not_there_is_reported_before_anything_is_asked(
    double: SMSPartnerDouble,
) -> None:
    with pytest.raises(AirflowException, match="no_such_connection"):
        by_tag(phone_numbers="hmac", pseudonym_conn_id="no_such_connection")

    assert double.requests == []


def test_a_short_key_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "generic", "password": "abc"}))

    rows = by_tag(**released("hmac"))

    assert rows[0]["phone_number"] == hmac.new(b"abc", NUMBERS[0].encode(), hashlib.sha256).hexdigest()
    assert "has fewer than 16 characters" in capfd.readouterr().out + caplog.text
