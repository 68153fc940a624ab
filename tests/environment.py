"""The Airflow home of the tests, set before Airflow is imported, for Airflow reads its settings as it is."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

# Characters that percent-encoding and JSON write differently, so that each form of the key can be looked for.
API_KEY = 'k+/=&é"secret%20'

EXAMPLE_DAGS = Path(__file__).parent.parent / "example_dags"
TEST_DAGS = Path(__file__).parent / "dags"


def bundles(**folders: Path) -> str:
    """Return the setting that has Airflow read DAGs from folders, each a bundle of the given name."""
    return json.dumps(
        [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(folder)},
            }
            for name, folder in folders.items()
        ]
    )


# Each worker of pytest-xdist has a home of its own, in that of the process which has started it: a worker that is
# killed leaves nothing behind.
_HOME = tempfile.mkdtemp(
    prefix="airflow-home-", dir=os.environ["AIRFLOW_HOME"] if "PYTEST_XDIST_WORKER" in os.environ else None
)
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
METADATA_DATABASE = Path(_HOME) / "airflow.db"
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
# `dag.test()` finds its DAG through the bundles.
os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = bundles(examples=EXAMPLE_DAGS, tests=TEST_DAGS)
