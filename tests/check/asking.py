"""Run the check against a double, and look at what it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_smspartner.check.__main__ import main
from airflow_provider_smspartner.testing import Campaign, SMSPartnerDouble

TAG = "printemps-secret"
MESSAGE_ID = re.compile(r"(?<!\d)1[01]\d\d(?!\d)")
"""An id of the double's campaigns."""


@dataclass
class Checked:
    """What a run printed, and how it ended."""

    exit_code: int
    out: str
    err: str

    @property
    def report(self) -> Any:
        return json.loads(self.out)

    def finding(self, name: str) -> Any:
        (found,) = (each for each in self.report["assumptions"] if each["what"] == name)
        return found

    def verdicts(self) -> dict[str, str]:
        return {each["what"]: each["verdict"] for each in self.report["assumptions"]}

    def failing(self) -> set[str]:
        return {name for name, verdict in self.verdicts().items() if verdict == "DOES NOT HOLD"}


Check = Callable[..., Checked]


def checking(capfd: pytest.CaptureFixture[str]) -> Check:
    """Return a function that runs the command in this process: much faster than one of its own."""

    def check(*arguments: str) -> Checked:
        capfd.readouterr()
        exit_code = main(arguments)
        return Checked(exit_code, *capfd.readouterr())

    return check


def about(campaign: Campaign, *, messages: int = 4) -> Iterator[str]:
    """Yield the arguments that name a campaign and some of its messages."""
    yield from ("--tag", campaign.tag)
    for each in campaign.messages[:messages]:
        yield from ("--message", f"{each['phone_number']}:{each['message_id']}")


def campaign_of(double: SMSPartnerDouble, size: int = 120, *, settle_seconds: float = 0) -> Campaign:
    return double.add_campaign(TAG, size=size, settle_seconds=settle_seconds)
