"""Which proxy both clients use: the one that the environment names, as requests reads it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings


def proxy_for(settings: Settings) -> str | None:
    """
    Return the URL of the proxy on the way to the API, or None.

    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY count, in upper and lower case. The URL may hold the proxy's own
    user and password: it must not be logged.

    :param settings: this machine's own addresses are never asked through a proxy.
    :raises ValueError: if the environment names a proxy that can't be used; names the variable, not its value.
    """
    if settings.is_loopback:
        return None
    # Takes tenths of a second the first time: on an event loop, call this on a thread.
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed

    scheme = urlsplit(settings.base_url).scheme
    named = get_environ_proxies(settings.base_url)
    proxy = named.get(scheme) or named.get("all")
    if not proxy:
        return None
    try:
        url = str(prepend_scheme_if_needed(proxy.strip(), "http"))  # type: ignore[no-untyped-call]
        parts = urlsplit(url)
        is_usable = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not any(character.isspace() for character in url)
            and "%" not in (parts.hostname or "")
            and bool((parts.hostname or "").encode("idna"))
        )
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(
            f"{_variable(proxy, scheme)} names a proxy that can't be used: "
            "it must be http or https, a host and a port, as in SCHEME://HOST:PORT."
        )
    return url


def _variable(proxy: str, scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name) == proxy), "The system's configuration")
