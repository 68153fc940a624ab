"""`make demo`: a real Airflow sends SMS and awaits them, with the API double in the vendor's place."""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import LocalAirflow, LocalAirflowError, stop_when_asked

DAG_ID = "smspartner_send_and_await"
DAG_FILE = Path("example_dags/send_and_await.py")
HOME = Path(".airflow/demo")
STARTED = time.monotonic()
# Sent in two calls, for one takes 500.
RECIPIENTS = [f"+3363998{n:04}" for n in range(720)]
SETTLE_SECONDS = 5.0

MEANING = {
    "deferred": "waits for the delivery reports in the triggerer, and takes no worker slot",
    "up_for_retry": "failed, will be tried again",
}
NOISE = {"scheduled", "queued", "running"}

NEXT_STEPS = f"""
The DAG:           {DAG_FILE}
Play with it:      make up
On the real API:   airflow connections add smspartner_default --conn-type smspartner \\
                       --conn-password "$SMSPARTNER_API_KEY" --conn-extra '{{"sandbox": true}}'
                   In the sandbox nothing is delivered or charged; take it out of the connection to send.
"""


def main() -> int:
    """Run the demo; return the exit code."""
    stop_when_asked()
    try:
        run_demo()
    except LocalAirflowError as error:
        say(f"The demo failed. {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted")
        return 130
    print(NEXT_STEPS)
    return 0


def run_demo() -> None:
    """Start everything, run the DAG, show its table, stop everything."""
    with SMSPartnerDouble(api_key="demo-key", settle_seconds=SETTLE_SECONDS) as double:
        say(f"The double of the SMS Partner API answers on {double.url}; nothing leaves this machine")
        # Nothing begins by itself beside it: examples with a schedule would.
        env = {**double.connection_env(), "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False"}
        airflow = LocalAirflow(HOME, dags=DAG_FILE.parent, env=env)
        say(f"Airflow {version('apache-airflow')} starts in {HOME}, and logs to {airflow.log}")
        with airflow:
            airflow.wait_until_ready()
            say(f"Airflow is ready; running {DAG_ID} with {len(RECIPIENTS)} made-up phone numbers")
            run = airflow.trigger(DAG_ID, {"recipients": RECIPIENTS})
            state = run.follow(say_state, seconds=120)
            started = [task["task_id"] for task in run.tasks() if task["try_number"]]
            for line in chain.from_iterable(map(run.printed, started)):
                print(f"           {line}")
            if state != "success":
                raise LocalAirflowError(f"The DAG run ended as {state}; its logs are in {HOME / 'logs'}")
            say(what_arrived(double))
            say("The DAG run is a success; stopping Airflow")


def what_arrived(double: SMSPartnerDouble) -> str:
    """Say how many SMS the double was given, in how many calls, and whether a number got two."""
    numbers = [sms.phone_number for sms in double.sent]
    calls = len({sms.message_id for sms in double.sent})
    twice = len(numbers) - len(set(numbers))
    return f"The double was given {len(numbers)} SMS in {calls} calls; {twice or 'nobody'} got a second one"


def say(text: str) -> None:
    """Print what happens, and when."""
    print(f"[{time.monotonic() - STARTED:5.1f} s]  {text}", flush=True)


def say_state(task_id: str, state: str) -> None:
    """Print a task's new state, if it tells something."""
    if state not in NOISE:
        say(f"  {task_id}: {state}" + (f" ({MEANING[state]})" if state in MEANING else ""))


if __name__ == "__main__":
    sys.exit(main())
