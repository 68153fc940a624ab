"""What is kept of the outcomes of answers that are gone."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.protocol import Answer

PHONE = "+33639980000"


def _read(**facts: Any) -> dict[str, Any]:
    row = {"phoneNumber": PHONE, "messageId": 1, "status": "Delivered", "code": 200, **facts}
    body = json.dumps({"success": True, "code": 200, "StatutResponse_List": [row]}).encode()
    (status,) = next(protocol.multi_status([(PHONE, 1)])).read(Answer(200, {}, body))
    return dict(status.as_row())


@pytest.mark.parametrize("member", ["status", "date", "stopSms", "isSpam", "success", "code"])
def test_long_texts_of_answers_are_not_kept(member: str) -> None:
    _read()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(300):
            _read(**{member: f"{number:03}" + "x" * 20_000})
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert kept < 1_000_000  # of 6 million characters


def test_huge_integers_of_answers_are_not_kept() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1000):
            _read(date=10**4000 + number)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert kept < 500_000  # of 1.7 MB


def test_a_row_has_the_whole_text_all_the_same() -> None:
    assert _read(status="Expired " * 1000)["raw_status"] == "Expired " * 1000
