"""A double of the SMS Partner API for tests and demonstrations: a real HTTP server on 127.0.0.1."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_smspartner.testing.campaigns import Campaign
    from airflow_provider_smspartner.testing.double import SMSPartnerDouble
    from airflow_provider_smspartner.testing.exchange import RecordedRequest
    from airflow_provider_smspartner.testing.faults import Fault
    from airflow_provider_smspartner.testing.sending import SentSMS

__all__ = ["Campaign", "Fault", "RecordedRequest", "SMSPartnerDouble", "SentSMS"]

_HOMES = {
    "Campaign": "campaigns",
    "Fault": "faults",
    "RecordedRequest": "exchange",
    "SMSPartnerDouble": "double",
    "SentSMS": "sending",
}


def __getattr__(name: str) -> Any:
    # Every pytest run of whoever installed the package imports this module, through the plug-in:
    # aiohttp is loaded only by those who use the double.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
