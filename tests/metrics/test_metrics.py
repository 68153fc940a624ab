"""What is counted, as a StatsD server receives it."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from pathlib import Path

import pytest
from commands import environment_of_the_tests, output_of, run_python
from statsd_receiver import StatsdReceiver
from waits_for import wait_until

from airflow_provider_smspartner import _metrics
from airflow_provider_smspartner._metrics import METRICS, POLLS, REQUESTS, ROWS, WAITS, count
from airflow_provider_smspartner._waiting.goal import Verdict
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import DeliveryStatus
from airflow_provider_smspartner.testing import SMSPartnerDouble

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
WAITING = Path(__file__).with_name("waiting.py")


@pytest.fixture
def receiver() -> StatsdReceiver:
    pytest.importorskip("statsd", reason="Airflow sends its metrics with it")
    return StatsdReceiver()


def known_names() -> set[str]:
    """Return all names that there may be."""
    return {
        f"{metric.name}.{outcome}" if outcome else metric.name
        for metric in METRICS
        for outcome in metric.outcomes or [""]
    }


def wait_and_count(receiver: StatsdReceiver, mode: str, trouble: str) -> tuple[int, Counter[str]]:
    """Let a process wait for a campaign, and return how many requests that took, and what it has counted."""
    env = environment_of_the_tests() | receiver.env
    printed = output_of(run_python(str(WAITING), mode, trouble, env=env))
    counters = receiver.close()
    assert set(counters) <= known_names()
    return int(printed.rpartition("requests:")[2]), counters


@pytest.mark.parametrize(
    ("mode", "done"), [pytest.param("poke", 1, marks=pytest.mark.nightly), ("deferrable", 2)]
)
def test_a_wait_with_passing_trouble_is_counted(receiver: StatsdReceiver, mode: str, done: int) -> None:
    requests, counters = wait_and_count(receiver, mode, "passing")

    assert counters.pop("smspartner.seconds_waited.done") >= 0
    assert counters == {
        "smspartner.requests.answered": requests - 2,
        "smspartner.requests.failed": 2,
        "smspartner.retries": 2,
        "smspartner.polls.not_yet": 2,
        # A deferred wait is read once more by the worker that it resumes in.
        "smspartner.polls.done": done,
        "smspartner.rows.delivered": 1,
        "smspartner.rows.ko": 1,
        "smspartner.waits.done": 1,
    }


def test_a_refusal_is_counted(receiver: StatsdReceiver) -> None:
    requests, counters = wait_and_count(receiver, "poke", "refusal")

    assert counters.pop("smspartner.seconds_waited.refused") >= 0
    assert counters == {"smspartner.requests.refused": requests, "smspartner.waits.refused": 1}


def test_the_outcomes_are_those_of_the_code() -> None:
    assert ROWS.outcomes == tuple(status.name.lower() for status in DeliveryStatus)
    assert set(POLLS.outcomes) == {*Verdict, "failed"} - {Verdict.REFUSED}
    assert set(WAITS.outcomes) == {*Verdict} - {Verdict.NOT_YET, Verdict.FAILED}


def test_no_name_is_of_a_tag_or_a_number() -> None:
    assert all(re.fullmatch(r"smspartner(\.[a-z_]+){1,2}", name) for name in known_names())


def test_what_goes_wrong_with_a_count_stays_there(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, number: int) -> None:
        raise OSError("no such host")

    monkeypatch.setattr(_metrics, "_are_on", lambda: True)
    monkeypatch.setattr(_metrics, "_send", fail)
    double.add_message("+33639980001", "1001", "Delivered", tag="spring")

    assert len(SMSPartnerHook().get_status_by_tag("spring")) == 1
    assert len(asyncio.run(SMSPartnerHook().aget_status_by_tag("spring"))) == 1


def test_counting_does_not_hold_up_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: Counter[str] = Counter()
    looked_up = threading.Event()

    def look_up_a_host(name: str, number: int) -> None:
        if looked_up.wait(60):
            sent[name] += number

    async def work() -> None:
        for outcome in ("answered", "answered", "failed"):
            count(REQUESTS, outcome)

    monkeypatch.setattr(_metrics, "_are_on", lambda: True)
    monkeypatch.setattr(_metrics, "_send", look_up_a_host)
    asyncio.run(work())
    looked_up.set()

    wait_until(lambda: sent.total() == 3)
    assert sent == {"smspartner.requests.answered": 2, "smspartner.requests.failed": 1}


def test_the_docs_have_the_table_of_the_code() -> None:
    rows = re.findall(r"^\| `(smspartner\.[^`]*)` \| ([^|]*) \| (.*) \|$", DOCS.read_text(), re.MULTILINE)

    assert rows == [
        (metric.name, ", ".join(f"`{outcome}`" for outcome in metric.outcomes), metric.meaning)
        for metric in METRICS
    ]
