"""Tasks that read and write files, for tests/lineage."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

with DAG("lineage", schedule=None, params={"folder": "/tmp"}):  # noqa: S108 - each run gets another
    folder = "{{ params.folder }}"
    send = SMSPartnerSendOperator(
        task_id="send", recipients=f"{folder}/recipients.csv", message="Hello", do_xcom_push=False
    )
    fetch = SMSPartnerMultiStatusOperator(
        task_id="fetch", messages=f"{folder}/messages.ndjson", output_path=f"{folder}/rows.csv"
    )
    wait = SMSPartnerCampaignSensor(
        task_id="wait",
        tag="spring",
        output_path=f"file://{folder}/campaign.ndjson.gz",
        outlets=[Asset("smspartner://spring")],
        deferrable=True,
        poke_interval=0.1,
    )
    stops = SMSPartnerStopListOperator(task_id="stops", output_path=f"{folder}/stops.ndjson")
    plain = SMSPartnerStatusByTagOperator(
        task_id="plain", tag="spring", outlets=[Asset("smspartner://spring")]
    )
    table = SMSPartnerStatusToSqlOperator(
        task_id="table", table="statuses", sql_conn_id="warehouse", tag="spring"
    )
    send >> fetch >> wait >> stops >> plain >> table
