"""What a DAG file that is only parsed does not wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors"])
def test_importing_loads_nothing_that_only_running_needs(kind: str) -> None:
    script = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator\n"
        "before = set(sys.modules)\n"
        f"import airflow_provider_smspartner.{kind}.smspartner\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    loaded = set(done.stdout.split())
    assert f"airflow_provider_smspartner.{kind}.smspartner" in loaded
    assert not loaded & HEAVY
