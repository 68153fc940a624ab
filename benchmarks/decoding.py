"""
Compare ways to decode an answer of 500 rows: ``python -m benchmarks.decoding``.

The protocol decodes with msgspec: it is in every supported Airflow already, what it gives is typed, a wrong type is
found while decoding and named by its place, and it is the fastest here. The others do the same checks by hand on what
``json`` gives. A ratio compares medians over the rounds of one run, in which every way takes its turn, with a bare
``json.loads`` of the same bytes; the last two lines show what a whole answer costs up to its rows in XCom.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.protocol import Answer, answers

ROWS = 500
ROUNDS = 40
REPEATS = 5

TEXT_OR_INT = (str, int, type(None))
MEMBERS = ("success", "code", "phoneNumber", "messageId", "status", "date", "stopSms", "isSpam")


def main() -> None:
    """Time every way in turn, and print the table."""
    messages = [(f"+336{n:08}", 100_000 + n) for n in range(ROWS)]
    body = answer_to(messages)
    call = next(protocol.multi_status(messages))
    answer = Answer(200, {}, body)

    ways: dict[str, Callable[[], object]] = {
        "json.loads, nothing checked": lambda: json.loads(body),
        "json.loads, then checked": lambda: checked(json.loads(body)),
        "json.loads, then checked and built": lambda: built(json.loads(body)),
        "msgspec, decoded into types": lambda: answers.status_decoder.decode(body),
        "a whole answer read": lambda: call.read(answer),
        "a whole answer read, and made rows": lambda: [status.as_row() for status in call.read(answer)],
    }
    medians = {name: statistics.median(times) for name, times in timed(ways).items()}
    bare = next(iter(medians.values()))
    print(f"{f'{ROWS} rows, {len(body):,} bytes':36} {'ratio':>6} {'µs a row':>9}")
    for name, seconds in medians.items():
        print(f"{name:36} {seconds / bare:6.2f} {seconds / ROWS * 1e6:9.2f}")


def timed(ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the seconds that each way took in each round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            for _ in range(REPEATS):
                way()
            times[name].append((time.perf_counter() - start) / REPEATS)
    return times


def answer_to(messages: list[tuple[str, int]]) -> bytes:
    """Write an answer as the vendor's page on multi-status shows it."""
    rows = [
        {
            "success": True,
            "code": 200,
            "phoneNumber": phone_number,
            "messageId": message_id,
            "status": "Delivered",
            "date": str(1_517_934_416 + message_id),
            "stopSms": "0",
            "isSpam": "0",
        }
        for phone_number, message_id in messages
    ]
    return json.dumps({"success": True, "code": 200, "StatutResponse_List": rows}).encode()


def checked(envelope: Any) -> list[dict[str, Any]]:
    """Check by hand what msgspec checks while it decodes."""
    if not isinstance(envelope, dict) or not isinstance(envelope.get("StatutResponse_List"), list):
        raise TypeError("no list of rows")
    rows: list[dict[str, Any]] = envelope["StatutResponse_List"]
    for row in rows:
        if (
            not isinstance(row, dict)
            or not isinstance(row.get("phoneNumber"), TEXT_OR_INT)
            or not isinstance(row.get("messageId"), TEXT_OR_INT)
            or not isinstance(row.get("status"), str | None)
        ):
            raise TypeError("a row of the wrong types")
    return rows


class Row:
    """A row, as a class written by hand."""

    __slots__ = MEMBERS

    def __init__(self, row: dict[str, Any]) -> None:
        for name in MEMBERS:
            setattr(self, name, row.get(name))


def built(envelope: Any) -> list[Row]:
    """Check by hand, and build objects as msgspec does."""
    return [Row(row) for row in checked(envelope)]


if __name__ == "__main__":
    main()
