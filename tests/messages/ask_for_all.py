"""Asks for all messages of two files, one after the other, and prints how much memory the second took more."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from pathlib import Path

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._messages.from_argument import read_pending
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef


def ask_for_all(path: str) -> int:
    asked = 0
    with closing(read_pending(path)) as pending, Tally(Campaign(tag=None, messages=pending)) as tally:
        for call in protocol.multi_status(pending, distinct=True):
            assert call.request.body is not None
            for pair in call.request.body["SMSStatut_List"]:
                tally.add(DeliveryStatus.DELIVERED, MessageRef(pair["phoneNumber"], pair["messageId"]))
                asked += 1
    assert not len(pending)
    return asked


def peak_kb() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    few, many = sys.argv[1:]
    ask_for_all(few)
    before = peak_kb()
    print(ask_for_all(many), (peak_kb() - before) // 1_000)  # noqa: T201 - its output is read
