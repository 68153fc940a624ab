"""
Send each recipient a text of their own, from a file that an upstream task writes.

The file has a row for each recipient: a phone number and a text. NDJSON is written here; CSV and Parquet do as well. It
is read and checked whole before anything is sent. Airflow's database holds its path alone, and no phone number or text
until the operator returns what was accepted, which has no texts. A retry reads the file again: leave it as it is until
the task has ended, for with other recipients or texts a retry sends nothing.

This sends through the connection ``smspartner_default``. The phone numbers are of a range that is kept for fiction. To
try it on a real account, switch the connection's sandbox on: then nothing is delivered or charged.

Trigger it with ``{"folder": "s3://conn_id@bucket/sms"}``, or with any other storage that all workers reach.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath, Param, dag, get_current_context, task

from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

PARAMS = {"folder": Param(Path(gettempdir(), "smspartner").as_uri(), type="string")}


@dag(schedule=None, params=PARAMS, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_personalised_texts() -> None:
    @task
    def write_texts() -> str:
        # Stands in for a query of who is to be reminded of what.
        appointments = [(f"+336399801{n:02}", f"{8 + n // 4}:{n % 4 * 15:02}") for n in range(24)]
        context = get_current_context()
        # A run id has colons and a plus sign: not every storage takes them in a name.
        run = re.sub(r"[^\w-]", "-", context["run_id"])
        folder = ObjectStoragePath(context["params"]["folder"]) / "texts"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{run}.ndjson").open("w") as file:
            for phone_number, at in appointments:
                text = f"Your appointment is tomorrow at {at}."
                file.write(json.dumps({"phone_number": phone_number, "message": text}) + "\n")
        return str(folder / f"{run}.ndjson")

    send = SMSPartnerSendOperator(
        task_id="send", recipients=write_texts(), tag="reminders", sender="MyClinic", retries=2
    )

    @task
    def report(sent: dict[str, Any]) -> None:
        print(f"{sent['accepted']} of {sent['recipients']} recipients accepted, {sent['refused']} refused")
        print(f"{sent['sms']} SMS for {sent['cost']} {sent['currency']}")

    report(send.output["summary"])


smspartner_personalised_texts()
