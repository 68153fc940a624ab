"""The list of those who answered STOP [stop-list]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, TypedDict

import msgspec

from airflow_provider_smspartner.protocol.answers import (
    MAX_FIGURE,
    Envelope,
    read_envelope,
    taken,
    unavailable,
)
from airflow_provider_smspartner.protocol.codes import STOP_LIST
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request
from airflow_provider_smspartner.protocol.rows import StopRow, cut_key, to_date, to_int, to_phone_number


class StopListRow(TypedDict):
    """One entry of the stop list in plain JSON types."""

    phone_number: str
    created_at: str | None


class StopListEntry(msgspec.Struct, frozen=True, gc=False):
    """
    Somebody who answered STOP.

    :param phone_number: E.164, or as the vendor wrote it where it is no phone number.
    :param created_at: when it was put on the list, aware, in UTC; None where that cannot be read.
    """

    phone_number: str
    created_at: datetime | None

    def __repr__(self) -> str:
        """Return the entry without its phone number, which no log may hold."""
        return f"StopListEntry(phone_number='***', created_at={self.created_at!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the same to rich, which otherwise shows every field in a traceback."""
        return [("phone_number", "***"), ("created_at", self.created_at)]

    def as_row(self) -> StopListRow:
        """Return the entry in plain JSON types."""
        return {
            "phone_number": self.phone_number,
            "created_at": None if self.created_at is None else self.created_at.isoformat(),
        }


class StopListAnswer(Envelope):
    """An answer with the stop list, and members by which the answer to another call is recognised."""

    row_decoders: ClassVar[Mapping[str, msgspec.json.Decoder[Any]]] = {"data": msgspec.json.Decoder(StopRow)}

    data: list[StopRow] | msgspec.UnsetType = msgspec.UNSET
    count: Any = msgspec.field(default=None, name="nbData")
    rows: Any = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")
    credits: Any = msgspec.UNSET


_decoder = msgspec.json.Decoder(StopListAnswer)


def stop_list() -> Call[list[StopListEntry]]:
    """Return the call for all who answered STOP [stop-list]: they come in one answer, without pages."""
    return Call(Request("GET", "/stop-sms/list", may_repeat=True), _read_stop_list)


def _read_stop_list(answer: Answer) -> list[StopListEntry]:
    envelope = read_envelope(answer, _decoder, STOP_LIST)
    # `success` alone proves nothing: the gateway once answered it to everything [observed].
    if isinstance(envelope.data, msgspec.UnsetType):
        raise unavailable(answer, "it claims success without `data`")
    if envelope.rows is not msgspec.UNSET or envelope.credits is not msgspec.UNSET:
        raise unavailable(answer, "it is the answer to another call, about messages or the account")
    count = to_int(envelope.count, at_most=MAX_FIGURE)
    if count is None:
        raise unavailable(answer, "its `nbData` is not a plausible number of entries")
    if count != len(envelope.data):
        # Who is missing from the list would be sent advertisements against the law.
        raise unavailable(answer, f"it announces {count} entries and has {len(envelope.data)}")
    if not all(row.phone_number for row in envelope.data):
        raise unavailable(answer, "an entry has no phoneNumber")
    cut_key(envelope.data, answer.key)
    return [
        # The vendor's local time, as the page shows it: "2015-07-20 10:19:45" [stop-list, inferred].
        StopListEntry(to_phone_number(row.phone_number), to_date(row.created_at))
        for row in taken(envelope.data)
    ]
