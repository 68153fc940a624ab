"""What kept a request from its answer: one classification of the errors of both HTTP libraries."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_smspartner._http.proxies import proxy_for

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings


class Failure(Enum):
    """
    Kinds of failure: what happened, and what to do next where that helps.

    A text begins with what was asked: ``{target}`` is the API or the proxy, with host and port.
    """

    NAME = (
        "{target} could not be reached: its name was not found. "
        "Check the host for a typing error, and the DNS of the machine that asks."
    )
    REFUSED = (
        "{target} could not be reached: the connection was refused. "
        "Check the port, and that no firewall is in the way."
    )
    NO_ROUTE = (
        "{target} could not be reached: there is no route to it. "
        "Check the network of the machine that asks, and whether it needs a proxy (HTTPS_PROXY)."
    )
    NO_CONNECTION = (
        "{target} could not be reached: no connection could be made{why}. "
        "Check the host, its port, and what the machine that asks allows."
    )
    CONNECT_TIMEOUT = (
        "{target} could not be reached: connecting took longer than {timeout:g} s. "
        "Check that no firewall drops the packets, and whether a proxy is needed (HTTPS_PROXY)."
    )
    READ_TIMEOUT = (
        "{target} was reached, but sent nothing for {timeout:g} s. "
        "If that happens often, raise the connection's timeout."
    )
    OUT_OF_TIME = (
        "{target} was asked, but the whole of the answer did not come within the {total:g} s of a call."
    )
    NOT_ASKED_IN_TIME = (
        "{target} was not asked: there was no connection to it within the {total:g} s of a call."
    )
    RESET = "{target} was reached, but the connection was reset before the whole of the answer came."
    CLOSED = "{target} was reached, but closed the connection without an answer."
    BROKE_OFF = "{target} was reached, but its answer broke off or was not valid HTTP."
    MALFORMED = (
        "{target} was reached, but its answer was not valid HTTP. "
        "Check that host and port are those of the API, not of something else."
    )
    EXPIRED = (
        "{target} was not trusted: its TLS certificate has expired, or is not valid yet. "
        "Check the clock of the machine that asks; otherwise the server's owner must renew the certificate."
    )
    WRONG_HOST = (
        "{target} was not trusted: its TLS certificate is for another host. "
        "Check the host, and whether a proxy or a firewall answers in its place."
    )
    UNKNOWN_AUTHORITY = (
        "{target} was not trusted: its TLS certificate is from an unknown authority. "
        "If a proxy or a firewall inspects TLS here, name a file with its authority in REQUESTS_CA_BUNDLE."
    )
    CERTIFICATE = "{target} was not trusted: its TLS certificate could not be verified."
    TLS = (
        "{target} was reached, but TLS could not be agreed on. "
        "Check that the port speaks https, and that nothing on the way interferes with TLS."
    )
    PROXY_REFUSED = (
        "{target} could not be reached: the proxy refused to connect to it. "
        "Check what the proxy allows, and its user and password in HTTPS_PROXY."
    )
    OTHER = "{target} could not be reached, or broke off."


def describe(fault: BaseException, settings: Settings, *, total: float, surely_unsent: bool) -> str:
    """
    Return what happened to a request, and what to do next, in words of our own.

    :param fault: an error of requests, urllib3, aiohttp, ssl or the operating system; its text may hold the URL
        and the key, and is not read.
    :param settings: say which host and port were asked.
    :param total: seconds that a call may take.
    :param surely_unsent: whether no byte of the request can have gone out.
    """
    failure = classify(fault)
    if failure is Failure.OUT_OF_TIME and surely_unsent:
        failure = Failure.NOT_ASKED_IN_TIME
    proxy = _proxy(settings) if failure in _OF_THE_NEXT_HOP else None
    url, name = (proxy, "The proxy") if proxy else (settings.base_url, "SMS Partner")
    target = f"{name} at {_address(url)}"
    return failure.value.format(target=target, timeout=settings.timeout, total=total, why=_why(fault))


def _why(fault: BaseException) -> str:
    """Return the name of the operating system's error in brackets, if there is one."""
    names = (errno.errorcode.get(layer.errno or 0) for layer in _layers(fault) if isinstance(layer, OSError))
    return next((f" ({name})" for name in names if name), "")


def classify(fault: BaseException) -> Failure:
    """
    Return the kind of a failure: the libraries wrap the errors of the operating system in several layers of theirs.

    :param fault: as caught.
    """
    if type(fault) is TimeoutError:
        # Only the two clients raise it: the libraries raise subclasses, and wrap the sockets' errors.
        return Failure.OUT_OF_TIME
    layers = list(_layers(fault))
    if any(isinstance(layer, ssl.SSLCertVerificationError) for layer in layers):
        # aiohttp's own error is one as well, but has no code.
        codes = (getattr(layer, "verify_code", None) for layer in layers)
        return next((_OF_VERIFY_CODE[code] for code in codes if code in _OF_VERIFY_CODE), Failure.CERTIFICATE)
    if any(isinstance(layer, ssl.SSLError) for layer in layers):
        return Failure.TLS
    if any(isinstance(layer, socket.gaierror) for layer in layers):
        return Failure.NAME
    for layer in layers:
        number = layer.errno if isinstance(layer, OSError) else None
        if number in _OF_ERRNO:
            return _OF_ERRNO[number]
    names = {name for layer in layers for name in _names(layer)}
    return next((failure for name, failure in _OF_NAME.items() if name in names), Failure.OTHER)


_OF_THE_NEXT_HOP = {
    Failure.NAME,
    Failure.REFUSED,
    Failure.NO_ROUTE,
    Failure.NO_CONNECTION,
    Failure.CONNECT_TIMEOUT,
}

# X509_V_ERR_… of OpenSSL's x509_vfy.h, which Python gives no names.
_OF_VERIFY_CODE = {
    2: Failure.UNKNOWN_AUTHORITY,
    9: Failure.EXPIRED,
    10: Failure.EXPIRED,
    18: Failure.UNKNOWN_AUTHORITY,
    19: Failure.UNKNOWN_AUTHORITY,
    20: Failure.UNKNOWN_AUTHORITY,
    21: Failure.UNKNOWN_AUTHORITY,
    62: Failure.WRONG_HOST,
    64: Failure.WRONG_HOST,
}

_OF_ERRNO: dict[int | None, Failure] = {
    errno.ECONNREFUSED: Failure.REFUSED,
    errno.ENETUNREACH: Failure.NO_ROUTE,
    errno.EHOSTUNREACH: Failure.NO_ROUTE,
    errno.ENETDOWN: Failure.NO_ROUTE,
    errno.EHOSTDOWN: Failure.NO_ROUTE,
    errno.EADDRNOTAVAIL: Failure.NO_ROUTE,
    errno.ETIMEDOUT: Failure.CONNECT_TIMEOUT,
    errno.ECONNRESET: Failure.RESET,
    errno.ECONNABORTED: Failure.RESET,
    errno.EPIPE: Failure.RESET,
}

# By name, so that neither half has to import the other's library; the first that is among the layers decides.
_OF_NAME = {
    "aiohttp.ClientHttpProxyError": Failure.PROXY_REFUSED,
    "aiohttp.ConnectionTimeoutError": Failure.CONNECT_TIMEOUT,
    "urllib3.NameResolutionError": Failure.NAME,
    "aiohttp.ClientConnectorDNSError": Failure.NAME,
    # A ConnectTimeoutError as well, though nobody has waited.
    "urllib3.NewConnectionError": Failure.NO_CONNECTION,
    "aiohttp.ClientConnectorError": Failure.NO_CONNECTION,
    "urllib3.ConnectTimeoutError": Failure.CONNECT_TIMEOUT,
    "urllib3.ReadTimeoutError": Failure.READ_TIMEOUT,
    "aiohttp.ServerTimeoutError": Failure.READ_TIMEOUT,
    "urllib3.ProxyError": Failure.PROXY_REFUSED,
    "builtins.TimeoutError": Failure.READ_TIMEOUT,
    "http.RemoteDisconnected": Failure.CLOSED,
    "aiohttp.ServerDisconnectedError": Failure.CLOSED,
    "urllib3.IncompleteRead": Failure.BROKE_OFF,
    "http.IncompleteRead": Failure.BROKE_OFF,
    "aiohttp.ClientPayloadError": Failure.BROKE_OFF,
    "builtins.ConnectionError": Failure.RESET,
    "http.HTTPException": Failure.MALFORMED,
    "urllib3.InvalidHeader": Failure.MALFORMED,
    "aiohttp.HttpProcessingError": Failure.MALFORMED,
    "aiohttp.ClientResponseError": Failure.MALFORMED,
    "urllib3.ProtocolError": Failure.BROKE_OFF,
    "urllib3.DecodeError": Failure.BROKE_OFF,
}


def _layers(fault: BaseException) -> Iterator[BaseException]:
    """
    Yield an error and all that it wraps, in whichever way its library does.

    ``__context__`` is left out. Behind it may stand an error that the caller was handling when it asked, which says
    nothing about this request (`tests/http/test_repeating.py`).
    """
    pending, seen = [fault], set[int]()
    while pending:
        layer = pending.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        wrapped = [
            *layer.args,
            layer.__cause__,
            *(getattr(layer, name, None) for name in ("reason", "original_error")),
        ]
        pending += [error for error in wrapped if isinstance(error, BaseException)]


def _names(layer: BaseException) -> Iterator[str]:
    for kind in type(layer).__mro__:
        yield f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _proxy(settings: Settings) -> str | None:
    try:
        return proxy_for(settings)
    except ValueError:
        return None  # it has become unusable since the client was made


def _address(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
