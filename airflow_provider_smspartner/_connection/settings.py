"""What a connection says, checked and typed."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_smspartner._connection.base_url import base_url, is_loopback
from airflow_provider_smspartner._connection.fields import EXTRA_FIELDS, SANDBOX

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

log = logging.getLogger(__name__)

_EXTRA_NAMES = [extra.name for extra in EXTRA_FIELDS]


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
    :param sandbox: whether whatever is sent is neither delivered nor charged.
    """

    base_url: str
    api_key: str = field(repr=False)
    timeout: float
    max_attempts: int
    requests_per_minute: int
    max_connections: int
    sandbox: bool = False

    @property
    def is_https(self) -> bool:
        """Whether the API's certificate is to be checked."""
        return self.base_url.startswith("https:")

    @property
    def is_loopback(self) -> bool:
        """Whether the API is on this machine, as the double is."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    @classmethod
    def of(cls, connection: Connection) -> Settings:
        """
        Return what a connection says.

        :param connection: of type ``smspartner``.
        :raises SMSPartnerCredentialsError: if there is no API key.
        :raises ValueError: names the field and its fault.
        """
        from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError

        if not connection.password:
            raise SMSPartnerCredentialsError(
                f'The connection {connection.conn_id!r} has no API key: enter it in the form\'s field "API key", '
                "which is the connection's password."
            )
        if not isinstance(connection.password, str):
            # The secrets backend has read digits as a number, and a zero before them is lost.
            raise SMSPartnerCredentialsError(
                f"The connection {connection.conn_id!r} has a number for an API key: put it in quotes where it is kept."
            )
        extra = _read_extra(connection.extra)
        _check_names(connection.conn_id, tuple(name for name in extra if name not in _EXTRA_NAMES))
        values = {known.name: known.read(extra.get(known.name)) for known in EXTRA_FIELDS}
        return cls(
            base_url=base_url(connection.host, connection.schema, connection.port),
            api_key=connection.password,
            timeout=float(values["timeout"]),
            max_attempts=int(values["max_attempts"]),
            requests_per_minute=int(values["requests_per_minute"]),
            max_connections=int(values["max_connections"]),
            sandbox=bool(values["sandbox"]),
        )


def _read_extra(extra: object) -> Mapping[str, object]:
    # Not Connection.extra_dejson: it calls the supervisor to mask secrets, which may deadlock on an event loop, and
    # nothing in this extra is secret.
    if not extra:
        return {}
    if isinstance(extra, Mapping):  # a secrets backend's own
        return {str(name): value for name, value in extra.items()}
    try:
        decoded = json.loads(extra)  # type: ignore[arg-type]  # or else it is no object
    except (TypeError, ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise ValueError("The connection's extra must be a JSON object.")
    return decoded


def _check_names(conn_id: str, unknown: tuple[str, ...]) -> None:
    for name in unknown:
        if _means_sandbox(name):
            from airflow_provider_smspartner.exceptions import SMSPartnerInputError

            raise SMSPartnerInputError(
                f"The connection {conn_id!r} has an extra field {name[:40]!r}, which would have no effect: what is "
                "sent would be delivered and charged. Write it 'sandbox', or remove it."
            )
    _warn_of_unknown(conn_id, unknown)


def _means_sandbox(name: str) -> bool:
    """Return whether a name is meant for "sandbox": spelt otherwise, misspelt, or with other words beside it."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name[:100]).casefold())
    whole = "".join(words)
    return SANDBOX in whole or bool(get_close_matches(SANDBOX, [whole, *words], n=1, cutoff=0.75))


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
