"""
The one table of a connection's fields: metadata, form and settings are made from it.

This module and `form` are imported while Airflow itself still is, for the provider's metadata: they must not import
Airflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BASE_URL = "https://api.smspartner.fr/v1"
CONN_TYPE = "smspartner"
HOOK_NAME = "SMS Partner"
DEFAULT_CONN_ID = "smspartner_default"

MAXIMUM = 1_000_000
"""Of every setting: beyond any use, and small enough for the sockets, pools and clocks that are given it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraField:
    """
    One setting in a connection's extra.

    :param name: its key in extra.
    :param label: its name in the form.
    :param description: its help text in the form.
    :param default: the value where the setting is left out; its type is the setting's type.
    :param minimum: the least value allowed.
    """

    name: str
    label: str
    description: str
    default: int | float
    minimum: int | float

    @property
    def json_type(self) -> str:
        """The setting's type, in the words of JSON Schema."""
        return "integer" if isinstance(self.default, int) else "number"

    def read(self, raw: object) -> int | float:
        """
        Coerce a value that may have arrived as text, as it does from a connection URI.

        :raises ValueError: names the field, the value's fault, and what would be right.
        """
        if raw is None or raw == "":
            return self.default
        number = _to_number(raw)
        is_kind = self.json_type == "number" or number.is_integer()
        if not (is_kind and self.minimum <= number <= MAXIMUM):
            kind = "a whole number" if self.json_type == "integer" else "a number"
            raise ValueError(
                f"The connection's extra field {self.name!r} must be {kind} from {self.minimum} to {MAXIMUM}."
            )
        return type(self.default)(number)


def _to_number(raw: object) -> float:
    """Return a number given as such or as text; NaN for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return math.nan
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return math.nan


EXTRA_FIELDS = (
    ExtraField(
        name="timeout",
        label="Timeout",
        description="Seconds that connecting and each wait for data may take.",
        default=10.0,
        minimum=0.001,
    ),
    ExtraField(
        name="max_attempts",
        label="Attempts",
        description="Tries of one request, the first included.",
        default=5,
        minimum=1,
    ),
    ExtraField(
        name="requests_per_minute",
        label="Requests per minute",
        description="Ceiling for one process, spread evenly; 0 for none.",
        default=300,
        minimum=0,
    ),
    ExtraField(
        name="max_connections",
        label="Connections",
        description="Requests in flight at once.",
        default=4,
        minimum=1,
    ),
)

HIDDEN_FIELDS = ("login", "extra")
RELABELING = {"password": "API key", "schema": "Scheme"}
# Airflow orders the standard fields by itself, and marks none of them as required: only words can.
PLACEHOLDERS = {
    "password": "required: the key of your SMS Partner account",
    "host": BASE_URL,
    # No value: a scheme without a host is an error.
    "schema": "leave empty",
    **{extra.name: f"{extra.default:g}" for extra in EXTRA_FIELDS},
}
