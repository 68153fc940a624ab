"""A task in a process of its own, which is told to end while it asks a slow double."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from commands import environment_of_the_tests, killed_after
from waits_for import wait_until

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

_TASK = """
import json, os, signal, sys
import environment
from harness import new_context
from airflow_provider_smspartner.operators.smspartner import *
from airflow_provider_smspartner.operators import smspartner as operators
from airflow_provider_smspartner.sensors import smspartner as sensors
from airflow_provider_smspartner.transfers import smspartner_to_sql as transfers

class Terminated(BaseException):
    pass

wanted = json.loads(sys.stdin.readline())
(kind,) = {getattr(module, wanted["kind"], None) for module in (operators, sensors, transfers)} - {None}
task = kind(task_id="task", **wanted["arguments"])
ends = []
task.on_kill()  # does no harm before

def handler(*_):
    # What Airflow 3 does; then `execute` goes on. Airflow 2 raises.
    task.on_kill()
    task.on_kill()
    os.write(1, b"on_kill has run\\n")  # print could be what was interrupted
    if wanted["raises"]:
        raise Terminated

signal.signal(signal.SIGTERM, handler)
context = new_context()
print("begun", flush=True)
try:
    task.execute(context)
    outcome = "returned"
except BaseException as error:
    outcome = f"{type(error).__name__}: {error}"
task.on_kill()  # nor afterwards
print("told:", json.dumps({"outcome": outcome, "xcoms": context["ti"].xcoms}), flush=True)
"""


def slowly(seconds: float) -> Fault:
    """Answer as ever, but later."""

    async def apply(request: Any, proceed: Any, _: object) -> Any:
        await asyncio.sleep(seconds)
        return proceed(request)

    return Fault("slowly", apply)


def held(until: threading.Event) -> Fault:
    """Answer as ever, but not before an event."""

    async def apply(request: Any, proceed: Any, _: object) -> Any:
        await asyncio.to_thread(until.wait, 300)
        return proceed(request)

    return Fault("held", apply)


def killed(
    double: SMSPartnerDouble,
    kind: str,
    arguments: dict[str, Any],
    *,
    raises: bool,
    when: Callable[[], bool],
    send: signal.Signals = signal.SIGTERM,
    then: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], int]:
    """
    Run a task, send its process a signal in its midst, and wait until it has ended by itself.

    :param raises: let the signal's handler raise after `on_kill`, as Airflow 2 does.
    :param when: whether the task is in its midst.
    :param then: called once the signal's handler has called `on_kill`.
    :return: how it ended, and how many requests began after the signal.
    """
    wanted = json.dumps({"kind": kind, "arguments": arguments, "raises": raises})
    with subprocess.Popen(
        [sys.executable, "-c", _TASK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment_of_the_tests(),
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(wanted + "\n")
            process.stdin.flush()
            wait_until(lambda: when() or process.poll() is not None, "the task to be in its midst", limit=300)
            before = len(double.requests)
            process.send_signal(send)
            output = ""
            with killed_after(process, 300):
                for line in process.stdout:
                    output += line
                    if "on_kill has run" in line:
                        then()
        finally:
            process.kill()
    told = [line for line in output.splitlines() if "told: " in line]
    assert told, output
    return json.loads(told[-1].partition("told: ")[2]), len(double.requests) - before
