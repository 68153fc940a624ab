"""A task that does nothing, run by Airflow: exits with 1 if the run fails."""

from __future__ import annotations

import subprocess
import sys

from airflow.sdk import dag, task


@dag(schedule=None)
def probe() -> None:
    @task
    def nothing() -> None: ...

    nothing()


probe()

if __name__ == "__main__":
    for command in (["db", "migrate"], ["dags", "test", "probe"]):
        done = subprocess.run([sys.executable, "-m", "airflow", *command], check=False)
        if done.returncode:
            sys.exit(1)
