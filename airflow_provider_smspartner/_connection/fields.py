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
SANDBOX = "sandbox"

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
    :param minimum: the least number allowed; a boolean has none.
    """

    name: str
    label: str
    description: str
    default: bool | int | float
    minimum: int | float | None = None

    @property
    def json_type(self) -> str:
        """The setting's type, in the words of JSON Schema."""
        return _JSON_TYPES[type(self.default)]

    @property
    def bounds(self) -> dict[str, int | float]:
        """The least and the greatest number allowed, in the words of JSON Schema; nothing for a boolean."""
        return {} if self.minimum is None else {"minimum": self.minimum, "maximum": MAXIMUM}

    @property
    def placeholder(self) -> str:
        """The default as the form shows it in an empty field."""
        return f"{self.default:g}"

    def read(self, raw: object) -> bool | int | float:
        """
        Coerce a value that may have arrived as text, as it does from a connection URI.

        :raises ValueError: names the field, the value's fault, and what would be right.
        """
        if raw is None or raw == "":
            return self.default
        value = _to_flag(raw) if self.minimum is None else self._to_number(raw, self.minimum)
        if value is None:
            raise ValueError(f"The connection's extra field {self.name!r} must be {self._what_is_right}.")
        return value

    @property
    def _what_is_right(self) -> str:
        if self.minimum is None:
            return "true or false"
        kind = "a whole number" if self.json_type == "integer" else "a number"
        return f"{kind} from {self.minimum} to {MAXIMUM}"

    def _to_number(self, raw: object, minimum: float) -> int | float | None:
        number = _to_float(raw)
        is_kind = self.json_type == "number" or number.is_integer()
        return type(self.default)(number) if is_kind and minimum <= number <= MAXIMUM else None


_JSON_TYPES = {bool: "boolean", int: "integer", float: "number"}


def _to_float(raw: object) -> float:
    """Return a number given as such or as text; NaN for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return math.nan
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return math.nan


_FLAGS = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}


def _to_flag(raw: object) -> bool | None:
    """Return a boolean given as such, as 0 or 1, or as the text of either; None for anything else."""
    if isinstance(raw, str):
        return _FLAGS.get(raw.strip().lower())
    return _FLAGS.get(raw) if isinstance(raw, int) else None


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
    ExtraField(
        name=SANDBOX,
        label="Sandbox",
        description="All that is sent through this connection is neither delivered nor charged.",
        default=False,
    ),
)

HIDDEN_FIELDS = ("login", "extra")
RELABELING = {"password": "API key", "schema": "Scheme"}
# Airflow orders the standard fields by itself, and marks none of them as required: only words can.
PLACEHOLDERS = {
    "password": "required: the key of your SMS Partner account",
    "host": BASE_URL,
    # No values: a scheme or a port without a host is an error.
    "schema": "leave empty",
    # There the button sends 0 for an empty port, which is not the one that is stored: "Bad Request" [airflow 73298].
    "port": "empty, or 443 with the Host above: Airflow 3.3's Test button needs both",
    **{extra.name: extra.placeholder for extra in EXTRA_FIELDS if extra.json_type != "boolean"},
}
