"""What the sensor says: what it waits for, why it ends, and which argument to turn."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout
from harness import new_context

from airflow_provider_smspartner._waiting import wait
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerNotFoundError
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def sensor(**arguments: Any) -> SMSPartnerCampaignSensor:
    given = {"tag": "spring", "poke_interval": 0.02, "timeout": 30, "deferrable": False, **arguments}
    return SMSPartnerCampaignSensor(task_id="await_campaign", **given)


def logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    # Airflow 3 logs past logging; Airflow 2 logs through it, and to the console as well.
    out = capfd.readouterr().out
    return caplog.text if "ampaign" in caplog.text else out


def test_says_at_the_start_what_it_waits_for_and_until_when(
    double: SMSPartnerDouble, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    double.add_message("+33639980001", "1", "Waiting", "Waiting", "Delivered", tag="spring")

    sensor(settled_ratio=0.95, expected_total=1).execute(new_context())

    text = logged(capfd, caplog)
    assert re.search(
        r"Waiting for campaign 'spring' until 95% of its messages have settled \(`settled_ratio`\) and 1 are known "
        rf"\(`expected_total`\)\. Polls every 0\.02 s \(`poke_interval`\), since {MOMENT}\. "
        rf"Gives up at {MOMENT} \(`timeout`\); for messages that SMS Partner does not know, at {MOMENT} "
        r"\(`not_found_grace`\)\.",
        text,
    )
    assert text.count("Waiting for campaign") == 1


def test_the_end_names_the_argument_to_turn(double: SMSPartnerDouble) -> None:
    double.add_message("+33639980001", "1", "Waiting", tag="spring")

    with pytest.raises(
        AirflowSensorTimeout, match=r"timed out after .*`timeout`.*`settled_ratio` is 0\.9\.$"
    ):
        sensor(timeout=0, settled_ratio=0.9).execute(new_context())
    with pytest.raises(AirflowSensorTimeout, match=r"`settled_ratio` is 1 and `expected_total` is 5\.$"):
        sensor(timeout=0, expected_total=5).execute(new_context())


def test_a_campaign_that_is_still_unknown_raises_an_error_of_a_public_name(double: SMSPartnerDouble) -> None:
    with pytest.raises(SMSPartnerNotFoundError, match="`not_found_grace`") as raised:
        sensor(not_found_grace=timedelta(0)).execute(new_context())

    assert isinstance(raised.value, AirflowFailException)
    last = traceback.format_exception_only(raised.value)[-1]
    assert last.startswith(
        "airflow_provider_smspartner.exceptions.SMSPartnerNotFoundError: Campaign 'spring'"
    )
    assert type(raised.value).__name__ == "SMSPartnerNotFoundError"


def test_a_failed_poll_is_a_warning_and_its_end_is_told(
    double: SMSPartnerDouble,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    for name, value in double.connection_env(requests_per_minute=0, max_attempts=1).items():
        monkeypatch.setenv(name, value)
    double.add_message("+33639980001", "1", "Delivered", tag="spring")
    double.misbehave(Fault.status(503), times=2)

    sensor().execute(new_context())

    text = logged(capfd, caplog)
    assert "; poll failed, the 2nd in a row since " in text
    assert re.search(r"(?i)warning.*poll failed", text)
    assert "Campaign 'spring': polls are answered again, after 2 failed polls in 0:00:0" in text


def change_key(double: SMSPartnerDouble) -> None:
    double.api_key = "new-key"
    object.__setattr__(double._vendor, "api_key", "new-key")


def test_goes_on_with_a_key_that_was_changed_between_polls(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.add_message("+33639980001", "1", "Waiting", "Delivered", tag="spring")
    waiting = sensor()
    between_polls: Callable[..., float] = waiting._get_next_poke_interval

    def change(*arguments: Any) -> float:
        change_key(double)
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        return between_polls(*arguments)

    monkeypatch.setattr(waiting, "_get_next_poke_interval", change)

    assert [row["status"] for row in waiting.execute(new_context())] == ["Delivered"]


def test_ends_at_once_where_refused_credentials_are_unchanged(double: SMSPartnerDouble) -> None:
    change_key(double)

    with pytest.raises(SMSPartnerCredentialsError):
        sensor().execute(new_context())

    assert len(double.requests) == 1


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A double whose tag "endless" takes half a minute to read, and "long" less than a second."""
    monkeypatch.setattr(wait, "OVERTIME_SECONDS", 0.1)
    with SMSPartnerDouble(api_key="key", page_size=1, latency=0.03) as started:
        for name, value in started.connection_env(requests_per_minute=0, max_connections=1).items():
            monkeypatch.setenv(name, value)
        for tag, pages in (("endless", 1_000), ("long", 30)):
            for number in range(pages):
                started.add_message(f"+336399{number:05}", f"{tag}{number}", "Delivered", tag=tag)
        yield started


def test_a_poll_ends_with_the_time_of_its_wait(slow: SMSPartnerDouble) -> None:
    began = time.monotonic()

    with pytest.raises(AirflowSensorTimeout, match="The time was over before"):
        sensor(tag="endless", timeout=0.3).execute(new_context())

    assert time.monotonic() - began < 15
    assert len(slow.requests) < 500


def test_the_last_reading_of_a_campaign_that_is_done_is_not_cut(slow: SMSPartnerDouble) -> None:
    done = {"verdict": "done", "counts": {"Delivered": 30}}

    rows = sensor(tag="long", timeout=0, deferrable=True).execute_complete(new_context(), event=done)

    assert len(rows) == 30
