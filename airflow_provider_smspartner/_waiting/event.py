"""What the trigger tells the sensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_smspartner._waiting.goal import Verdict
from airflow_provider_smspartner.models import DeliveryStatus, counts_from_json, counts_to_json


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the trigger fires: a verdict and counts, never rows.

    :param verdict: any but "not yet".
    :param counts: messages by status, or None if the last poll failed.
    :param code: the vendor's code of a refusal, or None.
    :param http_status: the HTTP status of a refusal, or None.
    :param error: what the trigger failed with, in words of our own, or None.
    :param is_bad_input: whether that is about an argument or a file of the user's.
    """

    verdict: Verdict
    counts: Mapping[DeliveryStatus, int] | None = None
    code: int | None = None
    http_status: int | None = None
    error: str | None = None
    is_bad_input: bool = False

    def payload(self) -> dict[str, Any]:
        """Return the event in plain JSON types, for `read`."""
        payload: dict[str, Any] = {"verdict": self.verdict.value}
        if self.counts is not None:
            payload["counts"] = counts_to_json(self.counts)
        if self.verdict is Verdict.REFUSED:
            payload |= {"code": self.code, "http_status": self.http_status}
        if self.verdict is Verdict.FAILED:
            payload |= {"error": self.error, "is_bad_input": self.is_bad_input}
        return payload

    @classmethod
    def read(cls, payload: object) -> Event:
        """
        Read a payload.

        :param payload: as Airflow hands it to the sensor.
        :raises ValueError: if it is not one that `payload` returned.
        """
        if not isinstance(payload, Mapping):
            raise ValueError("The trigger's event is empty.")
        try:
            counts = payload.get("counts")
            event = cls(
                verdict=Verdict(str(payload.get("verdict"))),
                counts=None if counts is None else counts_from_json(counts),
                code=payload.get("code"),
                http_status=payload.get("http_status"),
                error=payload.get("error"),
                is_bad_input=bool(payload.get("is_bad_input")),
            )
        except (AttributeError, TypeError, ValueError):
            event = cls(verdict=Verdict.NOT_YET)
        if event.verdict is Verdict.NOT_YET:
            raise ValueError("The trigger's event says nothing that this version of the sensor knows.")
        return event
