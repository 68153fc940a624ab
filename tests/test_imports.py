"""What a DAG file that is only parsed does not wait for."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "aiohttp",
    "airflow_provider_smspartner.triggers.smspartner",
    "flask_appbuilder",
    "pyarrow",
    "requests",
    "tenacity",
    "urllib3",
    "wtforms",
}


def test_importing_loads_nothing_that_only_running_needs() -> None:
    script = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_smspartner.hooks.smspartner\n"
        "import airflow_provider_smspartner.operators.smspartner\n"
        "import airflow_provider_smspartner.sensors.smspartner\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    loaded = set(done.stdout.split())
    assert "airflow_provider_smspartner.sensors.smspartner" in loaded
    assert not loaded & HEAVY
