"""A local file, written and read through Airflow's ObjectStoragePath."""

from __future__ import annotations

import tempfile
from pathlib import Path

if __name__ == "__main__":
    try:
        from airflow.sdk import ObjectStoragePath
    except ImportError:  # Airflow 2
        from airflow.io.path import ObjectStoragePath  # type: ignore[no-redef]

    with tempfile.TemporaryDirectory() as folder:
        path = ObjectStoragePath(Path(folder).as_uri()) / "probe.txt"
        path.write_text("fine")
        assert path.read_text() == "fine"
