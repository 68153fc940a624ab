"""Runs tasks that read and write files, and prints what Airflow's collector of lineage has been told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor

# Airflow collects nothing unless somebody reads it.
PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import HookLineageReader

class Reads(AirflowPlugin):
    name = "reads"
    hook_lineage_readers = [HookLineageReader]
"""

if __name__ == "__main__":
    folder = sys.argv[1]
    plugins = Path(os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"])
    plugins.mkdir()
    (plugins / "reads.py").write_text(PLUGIN)
    for task in (
        SMSPartnerSendOperator(task_id="send", recipients=f"{folder}/recipients.csv", message="Hello"),
        SMSPartnerMultiStatusOperator(
            task_id="fetch", messages=f"{folder}/messages.ndjson", output_path=f"{folder}/rows.csv"
        ),
        SMSPartnerStatusByTagOperator(task_id="plain", tag="spring"),
        SMSPartnerStatusByTagOperator(
            task_id="by_tag", tag="spring", output_path=f"file://conn@{folder}/é.ndjson"
        ),
        SMSPartnerCampaignSensor(
            task_id="wait", tag="spring", output_path=f"file://{folder}/campaign.ndjson", poke_interval=0.05
        ),
    ):
        task.execute({})  # type: ignore[arg-type, unused-ignore]
    collected = get_hook_lineage_collector().collected_assets
    told = {kind: [each.asset.uri for each in getattr(collected, kind)] for kind in ("inputs", "outputs")}
    sys.stdout.write(f"told: {json.dumps(told)}\n")
