"""What Airflow learns of this provider at discovery: the ``apache_airflow_provider`` entry point."""

from __future__ import annotations

from typing import Any

from airflow_provider_smspartner._connection.form import connection_type

_PACKAGE = "airflow_provider_smspartner"
_INTEGRATION = "SMS Partner"
_ASSET_URIS: dict[str, Any] = {
    "schemes": ["smspartner"],
    "handler": None,
    "to_openlineage_converter": f"{_PACKAGE}._tasks.lineage.convert_asset_to_openlineage",
}
"""Airflow reads no entry without a handler. None takes every URI as it is: what it names is the DAG author's choice."""


def get_provider_info() -> dict[str, Any]:
    """
    Return what Airflow is to know of the provider.

    .. seealso:: ``airflow/provider_info.schema.json`` and ``airflow/provider.yaml.schema.json`` in Airflow
    """
    return {
        # Airflow drops all providers if this is not exactly the distribution's name.
        "package-name": "airflow-provider-smspartner",
        "name": _INTEGRATION,
        "description": "Send SMS with `SMS Partner <https://www.smspartner.fr/>`__, await campaigns, fetch delivery "
        "statuses, and alert people when a DAG fails.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://www.docpartner.dev/en/api/sms-partner",
                "tags": ["service"],
            }
        ],
        **{kind: [_modules_of(kind)] for kind in ("hooks", "operators", "sensors", "triggers")},
        "transfers": [
            {
                "source-integration-name": _INTEGRATION,
                "target-integration-name": "Common SQL",
                "python-module": f"{_PACKAGE}.transfers.smspartner_to_sql",
            }
        ],
        "connection-types": [connection_type(f"{_PACKAGE}.hooks.smspartner.SMSPartnerHook")],
        "notifications": [f"{_PACKAGE}.notifications.smspartner.SMSPartnerNotifier"],
        # Airflow 2 reads them under their older name.
        **{kind: [_ASSET_URIS] for kind in ("asset-uris", "dataset-uris")},
        "extra-links": [f"{_PACKAGE}.links.smspartner.SMSPartnerAccountLink"],
    }


def _modules_of(kind: str) -> dict[str, Any]:
    return {"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.{kind}.smspartner"]}
