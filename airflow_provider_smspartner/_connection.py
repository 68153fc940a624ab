"""An Airflow connection of type ``smspartner``: one table of its fields, its form in the UI, its typed settings."""

from __future__ import annotations

import ipaddress
import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

# This module is imported while Airflow itself still is, for the provider's metadata: it must not import Airflow.

log = logging.getLogger(__name__)

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
        """Name the setting's type as JSON Schema does."""
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

_EXTRA_NAMES = [extra.name for extra in EXTRA_FIELDS]

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


def connection_type(hook_class_name: str) -> dict[str, Any]:
    """Describe the connection's type and form as a provider's metadata does (Airflow 3.2 and later)."""
    return {
        "connection-type": CONN_TYPE,
        "hook-class-name": hook_class_name,
        "hook-name": HOOK_NAME,
        "ui-field-behaviour": {
            "hidden-fields": list(HIDDEN_FIELDS),
            "relabeling": RELABELING,
            "placeholders": PLACEHOLDERS,
        },
        "conn-fields": {
            extra.name: {
                "label": extra.label,
                "description": extra.description,
                "schema": {
                    # The null makes the field optional in the form.
                    "type": [extra.json_type, "null"],
                    "default": extra.default,
                    "minimum": extra.minimum,
                    "maximum": MAXIMUM,
                },
            }
            for extra in EXTRA_FIELDS
        },
    }


def form_widgets() -> dict[str, Any]:
    """Build the form's extra fields as Airflow up to 3.1 wants them."""
    # Only Airflow's web server up to 3.1 is sure to have these.
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import FloatField, IntegerField
    from wtforms.validators import NumberRange, Optional

    field_classes = {"integer": IntegerField, "number": FloatField}
    return {
        extra.name: field_classes[extra.json_type](
            lazy_gettext(extra.label),
            description=extra.description,
            default=extra.default,
            validators=[Optional(), NumberRange(min=extra.minimum, max=MAXIMUM)],
            widget=BS3TextFieldWidget(),
        )
        for extra in EXTRA_FIELDS
    }


def ui_field_behaviour() -> dict[str, Any]:
    """Describe the form's standard fields as Airflow up to 3.1 wants them."""
    return {
        "hidden_fields": list(HIDDEN_FIELDS),
        "relabeling": dict(RELABELING),
        "placeholders": dict(PLACEHOLDERS),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    What a connection says, checked and typed.

    :param base_url: without a trailing slash.
    :param api_key: never shown.
    :param timeout: seconds to connect, and seconds to wait for data.
    :param max_attempts: tries of one request.
    :param requests_per_minute: ceiling for this process, 0 for none.
    :param max_connections: requests in flight at once.
    """

    base_url: str
    api_key: str = field(repr=False)
    timeout: float
    max_attempts: int
    requests_per_minute: int
    max_connections: int

    @property
    def is_https(self) -> bool:
        """Tell whether the API's certificate is to be checked."""
        return self.base_url.startswith("https:")

    @property
    def is_loopback(self) -> bool:
        """Tell whether the API is on this machine, as the double is."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")

    @classmethod
    def of(cls, connection: Connection) -> Settings:
        """
        Read a connection.

        :raises SMSPartnerCredentialsError: if there is no API key.
        :raises ValueError: names the field and its fault.
        """
        if not connection.password:
            from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError

            raise SMSPartnerCredentialsError(
                f'The connection {connection.conn_id!r} has no API key: enter it in the form\'s field "API key", '
                "which is the connection's password."
            )
        extra = _read_extra(connection.extra)
        _warn_of_unknown(connection.conn_id, tuple(name for name in extra if name not in _EXTRA_NAMES))
        numbers = {known.name: known.read(extra.get(known.name)) for known in EXTRA_FIELDS}
        return cls(
            base_url=_base_url(connection.host, connection.schema, connection.port),
            api_key=connection.password,
            timeout=float(numbers["timeout"]),
            max_attempts=int(numbers["max_attempts"]),
            requests_per_minute=int(numbers["requests_per_minute"]),
            max_connections=int(numbers["max_connections"]),
        )


def _read_extra(extra: str | None) -> Mapping[str, object]:
    # Not Connection.extra_dejson: it calls the supervisor to mask secrets, which may deadlock on an event loop, and
    # nothing in this extra is secret.
    if not extra:
        return {}
    try:
        decoded = json.loads(extra)
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise ValueError("The connection's extra must be a JSON object.")
    return decoded


# Once for each connection and process, however many tasks of it look the connection up.
@lru_cache(maxsize=256)
def _warn_of_unknown(conn_id: str, names: tuple[str, ...]) -> None:
    """Warn of extra fields that are none: by their names only, for a value may be a secret."""
    for name in names[:10]:
        closest = get_close_matches(name[:40], _EXTRA_NAMES, n=1)
        log.warning(
            "The connection %r has an extra field %r that is not known and has no effect: %s.",
            conn_id,
            name[:40],
            f"did you mean {closest[0]!r}" if closest else f"there are {', '.join(_EXTRA_NAMES)}",
        )


_HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?")


def _base_url(host: str | None, scheme: str | None, port: int | None) -> str:
    """Compose the base URL of a full URL, a bare host, or host, scheme and port."""
    host = (host or "").strip().rstrip("/")
    scheme = (scheme or "").strip().lower()
    if scheme not in ("", "https", "http"):
        raise ValueError("The connection's Scheme must be https or http.")
    if not host:
        if scheme or port:
            raise ValueError(
                "The connection has a Scheme or a Port but no Host: enter a Host as well, or leave all three empty."
            )
        return BASE_URL
    url = _split(host, scheme)
    hostname = url.hostname or ""
    if scheme and scheme != url.scheme:
        raise ValueError("The connection's Host and its Scheme name different schemes: leave Scheme empty.")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(hostname)):
        raise ValueError(
            "The connection's Host must be reached by https: the API key would travel in clear. "
            "Plain http is allowed for loopback addresses only."
        )
    bracketed = f"[{hostname}]" if ":" in hostname else hostname
    return f"{url.scheme}://{bracketed}{_at_port(url.port, port)}{url.path or '/v1'}"


def _split(host: str, scheme: str) -> SplitResult:
    # As Airflow reads it from a connection URI, where it stood in brackets.
    if isinstance(_ip_address(host), ipaddress.IPv6Address):
        host = f"[{host}]"
    try:
        url = urlsplit(host if "://" in host else f"{scheme or 'https'}://{host}")
        hostname, _ = url.hostname or "", url.port
    except ValueError:
        raise ValueError("The connection's Host is not a valid URL or host name.") from None
    if url.query or url.fragment or url.username is not None:
        raise ValueError(
            "The connection's Host must be a host name or a base URL without user, query or fragment; "
            "the API key belongs in the field API key."
        )
    if not (_HOST_NAME.fullmatch(hostname) or _ip_address(hostname)) or url.netloc.endswith(":"):
        raise ValueError("The connection's Host is not a valid URL or host name.")
    return url


def _at_port(*named: int | None) -> str:
    ports = {port for port in named if port is not None}
    if len(ports) > 1:
        raise ValueError("The connection's Host and its Port name different ports: leave Port empty.")
    if not all(1 <= port < 2**16 for port in ports):
        raise ValueError("The connection's Port must be from 1 to 65535.")
    return "".join(f":{port}" for port in ports)


def _is_loopback(hostname: str) -> bool:
    address = _ip_address(hostname)
    return hostname == "localhost" or (address is not None and address.is_loopback)


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _to_number(raw: object) -> float:
    """Read a number or its text; anything else is not a number."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return math.nan
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return math.nan
