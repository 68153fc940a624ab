"""Importing: what a DAG file waits for beyond Airflow itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.measure import ROOT, Result

ROUNDS = 11
MILLISECONDS = 30
HEAVY = ("requests", "aiohttp", "pyarrow")

IMPORT = f"""
import json, sys, time
import airflow.sdk
before = set(sys.modules)
began = time.perf_counter()
import airflow_provider_smspartner.sensors.smspartner
import airflow_provider_smspartner.operators.smspartner
import airflow_provider_smspartner.hooks.smspartner
seconds = time.perf_counter() - began
print(json.dumps([seconds * 1000, [name for name in {HEAVY} if name in set(sys.modules) - before]]))
"""


def measure() -> Iterator[Result]:
    """Measure all of it."""
    times, heavy = [], set()
    for _ in range(ROUNDS):
        output = subprocess.run([sys.executable, "-c", IMPORT], cwd=ROOT, check=True, capture_output=True)
        took, found = json.loads(output.stdout.splitlines()[-1])
        times.append(took)
        heavy.update(found)
    loaded = f"loads {', '.join(sorted(heavy))}" if heavy else f"loads none of {', '.join(HEAVY)}"
    yield Result(
        what="import of the sensor, operator and hook modules",
        baseline="`import airflow.sdk`, before it in the same process",
        measured=f"{median(times):.0f} ms more ({min(times):.0f}-{max(times):.0f}); {loaded}",
        goal=f"at most {MILLISECONDS} ms more",
        reached=median(times) <= MILLISECONDS and not heavy,
    )
