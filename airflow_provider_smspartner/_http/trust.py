"""Which certificate authorities both clients trust."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""What may name a file or folder of authorities: the first that is set and not empty counts."""


def authorities() -> Path:
    """
    Return the file or folder of trusted authorities; where the environment names none, that of requests.

    :raises ValueError: if the environment names one that can't be used; names the variable, not its value.
    """
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    variable = next((name for name in VARIABLES if os.environ.get(name)), None)
    if variable is None:
        return Path(DEFAULT_CA_BUNDLE_PATH)
    bundle = Path(os.environ[variable])
    try:
        _load(bundle)
    except FileNotFoundError:
        raise ValueError(f"{variable} names a file or folder that is not there.") from None
    except OSError:  # ssl.SSLError is one as well
        raise ValueError(
            f"{variable} names a file that can't be read, or that holds no certificate authorities in PEM form."
        ) from None
    return bundle


def tls_context() -> ssl.SSLContext:
    """
    Return a context that trusts the authorities and verifies host names.

    :raises ValueError: as `authorities` does.
    """
    return _load(authorities())


def _load(bundle: Path) -> ssl.SSLContext:
    found = bundle.stat()
    # A file may be replaced under its name, for example when an authority is renewed.
    return _loaded(bundle, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=1)
def _loaded(bundle: Path, version: tuple[int, int, int]) -> ssl.SSLContext:  # noqa: ARG001 - part of the cache's key
    if bundle.is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
