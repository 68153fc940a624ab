"""Where the blocks of a page run: a folder with files to read, a DAGs folder, and connections to the double."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

from commands import PACKAGE_ROOT, environment_of_a_user
from documentation.blocks import Block, Kind, all_blocks
from environment import EXAMPLE_DAGS

from airflow_provider_smspartner.testing import SMSPartnerDouble

API_KEY = "test-key"

_NUMBERS = [f"+3363998000{n}" for n in range(5)]
_NAMES = ["Ada", "Alan", "Grace", "Edsger", "Barbara"]
FILES = {
    "reminders.ndjson": "".join(
        json.dumps({"phone_number": number, "message": f"Your table is ready, {name}."}) + "\n"
        for number, name in zip(_NUMBERS, _NAMES, strict=True)
    ),
    "sent.csv": "phone_number,message_id\n"
    + "".join(f"{number},{500_000 + n}\n" for n, number in enumerate(_NUMBERS)),
}
"""What stands in /data."""


class Place:
    """
    A place of its own for a page.

    :param folder: its folder.
    :param page: the page.
    """

    def __init__(self, folder: Path, page: str) -> None:
        self.folder = folder
        # What the page calls /data; commands run in it.
        self.data = folder / "data"
        # The home of Airflow, where it is by default in a user's home.
        self.airflow = folder / "airflow"
        self.dags = self.airflow / "dags"
        self.temporary = folder / "tmp"
        self.tests = folder / "tests"
        self.blocks = [block for block in all_blocks() if block.page == page]

    def furnish(self) -> None:
        """Make the folders, and write the files that the page reads, and those of its DAGs that others use."""
        self.data.mkdir(parents=True)
        self.dags.mkdir(parents=True)
        self.tests.mkdir()
        self.temporary.mkdir()
        (self.data / "example_dags").symlink_to(EXAMPLE_DAGS)  # as in a clone
        for name, content in FILES.items():
            (self.data / name).write_text(content)
        for block in self.blocks:
            if block.kind is Kind.DAG and "dag" in block.marks and block.is_possible:
                self.write(block)

    def write(self, block: Block) -> Path:
        """Write a DAG file or a file of tests, and return its path."""
        path = (self.dags if block.kind is Kind.DAG else self.tests) / block.file_name
        path.write_text(self.here(block.text))
        return path

    def here(self, text: str) -> str:
        """Return a text with /data leading to this place."""
        return re.sub(r"(?<![\w.])/data(?=/)", str(self.data), text)

    def environment(self, double: SMSPartnerDouble) -> dict[str, str]:
        """Return variables that let connections lead to the double and to a database, and none to the vendor."""
        text = "\n".join(block.text for block in self.blocks)
        conn_ids = {"smspartner_default", *re.findall(r"""smspartner_conn_id=["'](\w+)["']""", text)}
        env = {"HTTPS_PROXY": "http://127.0.0.1:9", "SMSPARTNER_API_KEY": API_KEY}
        for conn_id in conn_ids:
            env |= double.connection_env(conn_id, requests_per_minute=0)
        others = {
            "pseudonyms": {"conn_type": "generic", "password": "a long random key of the tests"},
            "warehouse": {"conn_type": "sqlite", "host": str(self.folder / "warehouse.db")},
        }
        return env | {
            f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(fields) for conn_id, fields in others.items()
        }

    def environment_of_processes(self, double: SMSPartnerDouble, database: Path) -> dict[str, str]:
        """Return the environment of processes that have an Airflow of their own, and begin with a database."""
        shutil.copy(database, self.airflow / "airflow.db")
        return environment_of_a_user(
            self.airflow,
            env={
                "HOME": str(self.folder),
                "TMPDIR": str(self.temporary),
                "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                **self.environment(double),
                "PYTHONPATH": os.pathsep.join([str(self.dags), str(PACKAGE_ROOT)]),
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            },
        )


def vendor() -> SMSPartnerDouble:
    """Return a double that knows any campaign and any message, and lets all of them settle at once."""
    return SMSPartnerDouble(api_key=API_KEY, auto_campaigns=True, settle_seconds=0)
