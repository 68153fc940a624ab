"""What imports what: a parsed DAG file loads little, and no room imports one above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import airflow_provider_smspartner

HEAVY = {
    "aiohttp",
    "airflow.providers.common.sql.hooks.sql",
    "airflow_provider_smspartner._sql",
    "airflow_provider_smspartner.triggers.smspartner",
    "flask_appbuilder",
    "fsspec",
    "phonenumbers",
    "pyarrow",
    "requests",
    "sqlalchemy",
    "tenacity",
    "urllib3",
    "wtforms",
}


def test_parsing_a_dag_loads_nothing_that_only_running_needs() -> None:
    script = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator\n"
        "from airflow.providers.common.compat.notifier import BaseNotifier\n"
        # What Airflow loads with the first operator is not ours.
        "BaseOperator(task_id='plain')\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_smspartner.hooks.smspartner\n"
        "import airflow_provider_smspartner.notifications.smspartner\n"
        "from airflow_provider_smspartner.operators.smspartner import *\n"
        "from airflow_provider_smspartner.sensors.smspartner import *\n"
        "import airflow_provider_smspartner.transfers.smspartner_to_sql\n"
        "messages = [('+33639980001', 5)]\n"
        "SMSPartnerMultiStatusOperator(task_id='a', messages=messages, output_path='s3://b/c.parquet')\n"
        "SMSPartnerMultiStatusOperator(task_id='b', messages='s3://b/c.csv')\n"
        "SMSPartnerCampaignSensor(task_id='c', tag='spring')\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    loaded = set(done.stdout.split())
    assert {
        f"airflow_provider_smspartner.{room}.smspartner" for room in ("sensors", "notifications")
    } <= loaded
    assert not loaded & HEAVY


# From the top floor down, as CONTRIBUTING draws it; what stands on one floor does not import each other.
FLOORS = (
    {"sensors", "operators", "transfers", "notifications", "check"},
    {"_tasks"},
    {"triggers"},
    {"_shared_polls", "hooks"},
    {"_http", "_sending"},
    {"_waiting", "protocol"},
    {"_messages", "_sql"},
    {"_files", "provider_info", "_pseudonyms"},
    {"models", "_connection"},
    {"exceptions", "links", "_metrics", "_phone_numbers"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports() -> Iterator[tuple[str, str]]:
    """Yield which room imports which, imports inside of functions included."""
    root = Path(airflow_provider_smspartner.__file__).parent
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        if parts == ("__init__",) or parts[0] == "testing":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                package, _, module = node.module.partition(".")
                rooms = [module.partition(".")[0]] if module else [alias.name for alias in node.names]
                yield from ((parts[0], room) for room in rooms if package == root.name and room in FLOOR_OF)


def test_rooms_import_only_what_stands_below_them() -> None:
    found = set(imports())

    assert {("sensors", "_tasks"), ("_http", "protocol"), ("models", "_phone_numbers")} <= found
    upward = {(room, used) for room, used in found if room != used and FLOOR_OF[room] >= FLOOR_OF[used]}
    assert not upward
