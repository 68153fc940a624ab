"""Which certificate authorities both clients trust."""

from __future__ import annotations

import os
from pathlib import Path


def authorities() -> Path:
    """
    Find the file or folder of trusted authorities where requests finds it.

    :raises ValueError: if the environment names one that is not there.
    """
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    bundle = Path(named or DEFAULT_CA_BUNDLE_PATH)
    if not bundle.exists():
        raise ValueError("REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file or folder that is not there.")
    return bundle
