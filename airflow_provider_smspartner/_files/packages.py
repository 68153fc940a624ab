"""Which package brings which storage to Airflow, for errors about one that is not installed."""

from __future__ import annotations

import importlib

from airflow_provider_smspartner.exceptions import SMSPartnerInputError

# The official providers with a file system, and what their `fs` modules need beside them.
_AMAZON = "apache-airflow-providers-amazon[s3fs]"
_GOOGLE = "apache-airflow-providers-google"
_AZURE = "apache-airflow-providers-microsoft-azure"
_SFTP = "apache-airflow-providers-sftp[sshfs]"
_PACKAGES = {
    "s3": _AMAZON,
    "s3a": _AMAZON,
    "gs": _GOOGLE,
    "gcs": _GOOGLE,
    "abfs": _AZURE,
    "abfss": _AZURE,
    "adl": _AZURE,
    "sftp": _SFTP,
    "ssh": _SFTP,
}


def why_missing(uri: str, fault: Exception) -> Exception | None:
    """
    Return the error that explains why Airflow finds no file system for a path.

    :param uri: the path.
    :param fault: what Airflow raised.
    :return: an error that says what to install or what is wrong with the path; None if that is not the reason.
    """
    scheme, separator, _ = uri.partition("://")
    if not separator or (_is_known(scheme) and not isinstance(fault, ImportError)):
        return None
    if package := _PACKAGES.get(scheme):
        return ImportError(f"{uri} needs {package}: pip install '{package}'")
    if _is_known(scheme):
        return None
    return SMSPartnerInputError(
        f"{uri}: Airflow knows no storage '{scheme}://': correct it, or install the Airflow provider that brings it"
    )


def _is_known(scheme: str) -> bool:
    try:
        has_fs = importlib.import_module("airflow.sdk.io").has_fs
    except (ImportError, AttributeError):  # Airflow up to 3.0
        has_fs = importlib.import_module("airflow.io").has_fs
    return bool(has_fs(scheme))
