"""Where the API is: composed of a connection's host, scheme and port."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from airflow_provider_smspartner._connection.fields import BASE_URL

_PORT = re.compile(r"([0-9]{1,5})(\.0)?", re.ASCII)
_MAX_HOST_LENGTH = 254
"""With a dot at its end."""

_HOST_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?")


def base_url(host: object, scheme: object, port: object) -> str:
    """
    Return the base URL, without a trailing slash, of a full URL, a bare host, or host, scheme and port.

    :param host: a URL or a host name; the vendor's API if empty.
    :param scheme: ``https``, ``http`` or empty.
    :param port: 1 to 65535, a number or its text, or empty.
    :raises ValueError: names the field and its fault.
    """
    host = _text(host, "Host").rstrip("/")
    scheme = _text(scheme, "Scheme").lower()
    port = _number(port)
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
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(hostname)):
        raise ValueError(
            "The connection's Host must be reached by https: the API key would travel in clear. "
            "Plain http is allowed for loopback addresses only."
        )
    bracketed = f"[{hostname}]" if ":" in hostname else hostname
    return f"{url.scheme}://{bracketed}{_at_port(url.port, port)}{url.path or '/v1'}"


def _text(given: object, field: str) -> str:
    if not isinstance(given, str | None):
        raise ValueError(f"The connection's {field} must be text.")
    return (given or "").strip()


def _number(given: object) -> int | None:
    """Read a port: secrets backends keep it as text, and files of tables as a float."""
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    port = _PORT.fullmatch(text)
    if port is None:
        raise ValueError(_NO_PORT)
    return int(port[1])


_NO_PORT = "The connection's Port must be from 1 to 65535."


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
    if not (_is_host_name(hostname) or _ip_address(hostname)) or url.netloc.endswith(":"):
        raise ValueError("The connection's Host is not a valid URL or host name.")
    return url


def _is_host_name(text: str) -> bool:
    try:
        # What cannot be looked up: a label of more than 63 characters, or more than 253 in all.
        is_short = len(text.encode("idna")) <= _MAX_HOST_LENGTH
    except UnicodeError:
        return False
    return is_short and _HOST_NAME.fullmatch(text) is not None


def _at_port(*named: int | None) -> str:
    ports = {port for port in named if port is not None}
    if len(ports) > 1:
        raise ValueError("The connection's Host and its Port name different ports: leave Port empty.")
    if not all(1 <= port < 2**16 for port in ports):
        raise ValueError(_NO_PORT)
    return "".join(f":{port}" for port in ports)


def is_loopback(hostname: str) -> bool:
    """Return whether a host is this machine."""
    address = _ip_address(hostname)
    return hostname == "localhost" or (address is not None and address.is_loopback)


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
