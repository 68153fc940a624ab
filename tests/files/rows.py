"""Status rows to land: some by hand, any number by formula, and any at all by hypothesis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from airflow_provider_smspartner.models import DeliveryStatus, StatusRow

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


# NUL is no text to most readers of CSV.
_texts = st.one_of(
    st.sampled_from(
        ["a,b", 'say "no"', "two\nlines", "two\r\nlines", "\r", NASTY, "null", "NA", "true", "1"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
)
_dates = st.integers(0, 7 * 10**15).map(
    lambda n: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)
)
_numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True) | _texts

any_rows: st.SearchStrategy[list[Any]] = st.lists(
    st.builds(
        dict,
        phone_number=_numbers,
        message_id=st.none() | st.from_regex(r"[0-9A-Za-z]{1,20}", fullmatch=True),
        status=st.sampled_from([str(status) for status in DeliveryStatus]),
        raw_status=st.none() | _texts,
        date=st.none()
        | st.one_of(_dates, _dates.map(lambda d: d.replace(microsecond=0))).map(datetime.isoformat),
        stop_sms=st.none() | st.booleans(),
        is_spam=st.none() | st.booleans(),
        code=st.none() | st.integers(-(2**31), 2**31 - 1),
    ),
    min_size=1,
    max_size=12,
)
