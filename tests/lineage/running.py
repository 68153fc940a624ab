"""Runs the DAG of tests/dags/lineage.py in a folder that the command line names, against the caller's double."""

from __future__ import annotations

import sys

from harness import run_dag

if __name__ == "__main__":
    run = run_dag("lineage", conf={"folder": sys.argv[1]})
    sys.exit(run.state != "success")
