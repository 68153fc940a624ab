"""Run the check against a double, and look at what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_smspartner.testing import Campaign, SMSPartnerDouble

TAG = "printemps-secret"


@dataclass
class Checked:
    """What a run printed, and how it ended."""

    exit_code: int
    out: str
    err: str

    def seen(self, probe: str) -> str:
        return str(next(each["seen"] for each in self.probes() if each["probe"] == probe))

    def differing(self) -> set[str]:
        return {each["probe"] for each in self.probes() if each["differs"]}

    def probes(self) -> Any:
        return json.loads(self.out)["probes"]


Check = Callable[..., Checked]


def as_csv(campaign: Campaign) -> str:
    rows = [f"{each['phone_number']},{each['message_id']}\n" for each in campaign.messages[:4]]
    return "".join(["phone_number,message_id\n", *rows])


def about(
    double: SMSPartnerDouble, folder: Path, *, size: int = 120, settle_seconds: int = 0
) -> Iterator[str]:
    """Yield the arguments that name a new campaign, and some of its messages."""
    campaign = double.add_campaign(TAG, size=size, settle_seconds=settle_seconds)
    (folder / "sent.csv").write_text(as_csv(campaign))
    yield from ("--tag", TAG, "--messages", str(folder / "sent.csv"))
