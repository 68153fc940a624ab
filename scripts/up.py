"""`make up`: Airflow standalone with the API double, a connection to it and the example DAGs, for the browser."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import LocalAirflow, LocalAirflowError, port_is_free, stop_when_asked

DAGS = Path("example_dags")
HOME = Path(".airflow/up")
CONN_ID = "smspartner_default"


def main(port: int) -> int:
    """Run until interrupted; return the exit code."""
    stop_when_asked()
    if not port_is_free(port):
        print(f"Port {port} is taken; choose another one: make up PORT={port + 1}")
        return 1
    logging.basicConfig(format="%(asctime)s  double: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("airflow_provider_smspartner.testing").setLevel(logging.INFO)
    try:
        run(port)
    except LocalAirflowError as error:
        print(error)
        return 1
    except KeyboardInterrupt:
        print("\nStopped")
    return 0


def run(port: int) -> None:
    """Start everything, say where it is, and wait."""
    double = SMSPartnerDouble(api_key="demo-key", auto_campaigns=True, settle_seconds=30)
    airflow = LocalAirflow(HOME, dags=DAGS, port=port)
    print(f"Airflow starts in {HOME}, and logs to {airflow.log}", flush=True)
    with double, airflow:
        airflow.wait_until_ready()
        # Where the UI shows it; the double's port is another one each time.
        airflow.store_connection(CONN_ID, double)
        print(
            f"Airflow:     {airflow.url}  (no login needed)\n"
            f"Connection:  {CONN_ID}, to the double of the SMS Partner API on {double.url}\n"
            f"             (Admin, Connections, Edit, Test)\n"
            f"DAGs:        {DAGS}/; smspartner_send_and_await sends SMS and awaits them\n"
            "             Nothing leaves this machine: the double keeps all SMS, and lets them settle in 30 s\n"
            "Ctrl+C stops everything. What the double is asked:",
            flush=True,
        )
        while True:
            airflow.check_alive()
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(port=int(sys.argv[1])))
