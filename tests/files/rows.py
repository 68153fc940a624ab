"""Status rows to land, any number of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from airflow_provider_smspartner.models import StatusRow

ENDINGS = [".ndjson", ".ndjson.gz", ".csv", ".csv.gz", ".parquet"]
_EPOCH = datetime(2026, 11, 21, tzinfo=UTC)

NASTY = 'Échoué, "numéro"\r\nde l\'été;\n\t😀 \r'


def row(number: int, **changes: object) -> StatusRow:
    status = "Delivered" if number % 20 else "Not delivered"
    made: StatusRow = {
        "phone_number": f"+336{number % 10**8:08d}",
        "message_id": str(number),
        "status": status,
        "raw_status": status,
        "date": (_EPOCH + timedelta(seconds=number)).isoformat(),
        "stop_sms": number % 100 == 0,
        "is_spam": None if number % 3 else False,
        "code": 200,
    }
    return {**made, **changes}  # type: ignore[typeddict-item]


def rows(count: int, first: int = 0) -> Iterator[StatusRow]:
    return (row(number) for number in range(first, first + count))
