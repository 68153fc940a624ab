"""What tests of shared polls share: triggers on one event loop, and short pauses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from campaign_triggers import campaign_trigger

from airflow_provider_smspartner._shared_polls import connections
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

NewTrigger = Callable[..., SMSPartnerCampaignTrigger]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(connections, "_MAX_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(connections, "_FIRST_RECHECK_SECONDS", 0.05)


@pytest.fixture
def new_trigger() -> NewTrigger:
    """Make a trigger for a tag or for messages."""

    return campaign_trigger


async def payload(trigger: SMSPartnerCampaignTrigger) -> dict[str, Any]:
    """Run a trigger until it fires, and give its event's payload."""
    event = await asyncio.wait_for(anext(trigger.run()), timeout=40)
    assert isinstance(event.payload, dict)
    return event.payload


@pytest.fixture
def fire_all() -> Callable[..., list[dict[str, Any]]]:
    """Run triggers on one event loop, beside something that happens meanwhile, and give their events' payloads."""

    def fire(triggers: list[SMSPartnerCampaignTrigger], meanwhile: Any = None) -> list[dict[str, Any]]:
        async def main() -> list[dict[str, Any]]:
            others = [meanwhile()] if meanwhile else []
            payloads: list[dict[str, Any]] = await asyncio.gather(*map(payload, triggers), *others)
            return payloads[: len(triggers)]

        return asyncio.run(main())

    return fire


@pytest.fixture
def log_lines(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[[], list[tuple[str, str]]]:
    """Return the levels and texts that were logged: through logging, or past it, as Airflow 3 does."""
    caplog.set_level("INFO")
    line = re.compile(r"^\S+ \[(\w+) *\] (.*?)(?: +\[[\w.]+\].*)?$", re.MULTILINE)

    def lines() -> list[tuple[str, str]]:
        ours = [
            (record.levelname.lower(), record.getMessage())
            for record in caplog.records
            if "double" not in record.name
        ]
        out = re.sub(r"\x1b\[[0-9;]*m", "", capfd.readouterr().out)
        return ours or [(level, text.rstrip()) for level, text in line.findall(out)]

    return lines


@pytest.fixture
def settle() -> Callable[[SMSPartnerDouble], None]:
    """Make the double answer Delivered for all messages."""

    def settle(double: SMSPartnerDouble) -> None:
        double.clear_faults()
        double.misbehave(
            Fault.rows(lambda rows: [{**row, "status": "Delivered"} for row in rows]), times=None
        )

    return settle
