"""
Send to the people in a CSV file that a colleague has saved from a spreadsheet.

Such a file has semicolons, a byte order mark, phone numbers in all notations, and a header in the colleague's own
words. The provider reads the first three as they are. It looks for the columns ``phone_number`` and ``message``: a
task writes both, and leaves the colleague's file alone.

The file is read and checked whole before anything is sent. A row with a phone number that cannot be read fails the
task, and the error names the line and its fault, never the number: correct the file, and run the DAG again.

This sends through the connection ``smspartner_default``. The phone numbers are of a range that is kept for fiction. To
try it on a real account, switch the connection's sandbox on: then nothing is delivered or charged.

Trigger it with ``{"folder": "s3://conn_id@bucket/sms"}``, or with any other storage that all workers reach.
"""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath, Param, dag, get_current_context, task

from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

PARAMS = {"folder": Param(Path(gettempdir(), "smspartner").as_uri(), type="string")}

# As Excel saves "CSV UTF-8" in France.
SAVED = (
    "\ufeffPrénom;Téléphone mobile;Rendez-vous\r\n"
    "Zoé;06 39 98 02 00;lundi à 9:00\r\n"
    "Anaïs;+33 (0)6 39 98 02 01;lundi à 9:30\r\n"
    'René;0033639980202;"mardi à 14:00; salle 2"\r\n'
    "Zoé;06.39.98.02.00;lundi à 9:00\r\n"
)


@dag(schedule=None, params=PARAMS, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_csv_from_a_colleague() -> None:
    def file_of_run(ending: str) -> ObjectStoragePath:
        context = get_current_context()
        # A run id has colons and a plus sign: not every storage takes them in a name.
        run = re.sub(r"[^\w-]", "-", context["run_id"])
        folder = ObjectStoragePath(context["params"]["folder"]) / "appointments"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{run}{ending}"

    @task
    def receive_file() -> str:
        # Stands in for the folder where the colleague puts the file.
        path = file_of_run(".csv")
        with path.open("wb") as file:
            file.write(SAVED.encode())
        return str(path)

    @task
    def write_texts(saved: str) -> str:
        with ObjectStoragePath(saved).open("rb") as file:
            table = file.read().decode("utf-8-sig")  # without the byte order mark
        texts = file_of_run(".ndjson")
        with texts.open("w") as file:
            for row in csv.DictReader(StringIO(table, newline=""), delimiter=";"):
                text = f"Bonjour {row['Prénom']}, votre rendez-vous : {row['Rendez-vous']}."
                file.write(json.dumps({"phone_number": row["Téléphone mobile"], "message": text}) + "\n")
        return str(texts)

    send = SMSPartnerSendOperator(
        task_id="send", recipients=write_texts(receive_file()), tag="appointments", retries=2
    )

    @task
    def report(sent: dict[str, Any]) -> None:
        print(f"{sent['accepted']} of {sent['recipients']} recipients accepted, {sent['refused']} refused")

    report(send.output["summary"])


smspartner_csv_from_a_colleague()
