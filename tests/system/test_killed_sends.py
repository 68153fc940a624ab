"""A send whose task process is killed at every step: after Airflow's retry nobody has got an SMS twice."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import KEEPS_TASK_STATE
from killing import slowly
from told import PHONE_NUMBER, without_ids

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from local_airflow import DagRun, LocalAirflow

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not KEEPS_TASK_STATE, reason="Airflow keeps nothing for a task's next try"),
]

DAG_ID = "system_send"
TASK = "send"
NUMBERS = [f"+3363998{n:04}" for n in range(1_203)]
# Longer than it takes to kill each of them on a busy machine, and less than a call may take.
UNTIL_KILLED = 240.0
# Airflow 3.3 keeps a task's state when the task is cleared; whoever wants to send anew deletes it, too.
CLEARING_FORGETS = tuple(int(part) for part in version("apache-airflow").split(".")[:2]) >= (3, 4)
ENDED = {"success", "failed"}


@dataclass(frozen=True, kw_only=True)
class Kill:
    """
    A step at which the first try is killed, and what the vendor has seen in the end.

    :param fault: what the double does with a call, and with which.
    :param pause: where the first try stops by itself: before its calls, after them, or once one of them is noted.
    """

    fault: tuple[int, Fault] | None = None
    pause: str = ""
    is_due: Callable[[Victim], bool]
    calls: int = 3
    sms: int = len(NUMBERS)

    @property
    def is_ambiguous(self) -> bool:
        return self.fault is not None


@dataclass(frozen=True)
class Victim:
    """A run of the send, with the double that it sends to."""

    airflow: LocalAirflow
    run: DagRun
    double: SMSPartnerDouble

    def task(self) -> dict[str, Any]:
        return self.run.task(TASK)

    def has_noted(self, calls: int) -> bool:
        """Whether a number of calls is done and noted, and no other has begun."""
        stored = self.run.state_of(TASK)
        noted = [stored.get(f"smspartner_send_call_{n}", {}).get("state") for n in range(3)]
        return noted == ["made"] * calls + [None] * (3 - calls)

    def kill(self) -> None:
        """Kill the process that runs the task, and nothing of what watches it."""
        process = psutil.Process(self.task()["pid"])
        assert self.airflow.process_id("scheduler") in [parent.pid for parent in process.parents()]
        process.kill()

    def log(self, attempt: int) -> str:
        (path,) = (self.airflow.home / "logs").rglob(
            f"*{self.run.run_id}*/task_id={TASK}/attempt={attempt}.log"
        )
        return path.read_text()


def made_without_the_client() -> Fault:
    """Make the call once the client is gone: what had reached the vendor is still acted upon."""

    async def apply(request: Any, proceed: Any, _: object) -> None:
        try:
            await asyncio.sleep(UNTIL_KILLED)
        except asyncio.CancelledError:
            proceed(request)
            raise

    return Fault("made without the client", apply)


# tests/sending/test_never_twice.py has each step of each call.
CASES = {
    "before call 1": Kill(pause="before", is_due=lambda victim: victim.task()["state"] == "running"),
    "during call 1, made": Kill(
        fault=(1, Fault.hang(UNTIL_KILLED).after_processing()),
        is_due=lambda victim: len(victim.double.sent) == 500,
        calls=1,
        sms=500,
    ),
    "between calls 1 and 2": Kill(pause="smspartner_send_call_0", is_due=lambda victim: victim.has_noted(1)),
    "during call 2, made after the kill": Kill(
        fault=(2, made_without_the_client()),
        is_due=lambda victim: len(victim.double.requests) == 2,
        calls=2,
        sms=1_000,
    ),
    "during call 3, not made": Kill(
        fault=(3, Fault.hang(UNTIL_KILLED)),
        is_due=lambda victim: len(victim.double.requests) == 3,
        calls=3,
        sms=1_000,
    ),
    "after call 3": Kill(pause="after", is_due=lambda victim: victim.has_noted(3)),
}


def file_of(folder: Path, numbers: list[str]) -> str:
    path = folder / "recipients.csv"
    path.write_text("\n".join(["phone_number", *numbers]))
    return str(path)


@pytest.fixture(scope="module")
def victims(airflow: LocalAirflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Victim]]:
    """All cases side by side, each killed once, and ended."""
    recipients = file_of(tmp_path_factory.mktemp("recipients"), NUMBERS)
    airflow.wait_until_parsed(DAG_ID)
    # No task begins before all that is to be written is: Airflow's API logs what it is asked to write on its event
    # loop, and stands still there for a minute if another writer holds the lock of SQLite.
    airflow.patch(f"dags/{DAG_ID}", {"is_paused": True})
    with ExitStack() as stack:
        victims = {}
        for name, case in CASES.items():
            double = stack.enter_context(SMSPartnerDouble())
            if case.fault is not None:
                position, fault = case.fault
                if position > 1:
                    double.misbehave(slowly(0), times=position - 1)
                double.misbehave(fault)
            conn_id = "killed_" + re.sub(r"\W+", "_", name)
            airflow.store_connection(conn_id, double, requests_per_minute=0, timeout=UNTIL_KILLED)
            params = {"conn_id": conn_id, "recipients": recipients, "pause": case.pause}
            victims[name] = Victim(airflow, airflow.trigger(DAG_ID, params), double)
        airflow.patch(f"dags/{DAG_ID}", {"is_paused": False})
        waiting = dict(victims)

        def all_killed() -> bool:
            for name, victim in list(waiting.items()):
                if CASES[name].is_due(victim):
                    victim.kill()
                    del waiting[name]
            return not waiting

        airflow.wait_for("every send to reach its step", all_killed, seconds=UNTIL_KILLED)
        airflow.wait_for(
            "every send to end",
            lambda: all(v.run.state in ENDED for v in victims.values()),
            seconds=UNTIL_KILLED,
        )
        yield victims


@pytest.mark.parametrize("name", CASES)
def test_nobody_gets_an_sms_twice(victims: dict[str, Victim], name: str, tell: Callable[[str], None]) -> None:
    case, victim = CASES[name], victims[name]
    task = victim.task()
    received = Counter(sms.phone_number for sms in victim.double.sent)
    calls = len(victim.double.requests)
    tell(
        f"{task['state']} at try {task['try_number']}; {calls} calls, {received.total()} SMS to {len(received)} "
        f"numbers, at most {max(received.values(), default=0)} each"
    )

    assert (calls, received.total(), len(received)) == (case.calls, case.sms, case.sms)
    # A third try was left.
    assert (task["state"], task["try_number"]) == ("failed" if case.is_ambiguous else "success", 2)
    if case.is_ambiguous:
        told = victim.log(2)
        assert f"while call {case.calls} was under way" in told
        # The calls before it, of 500 each, are answered.
        assert all(sms.message_id in told for sms in victim.double.sent[: 500 * (case.calls - 1)])
    else:
        assert set(received) == set(NUMBERS)
        assert victim.run.xcom(TASK) == [
            {"phone_number": sms.phone_number, "message_id": sms.message_id} for sms in victim.double.sent
        ]
        summary = victim.run.xcom(TASK, "summary")
        assert (summary["calls"], summary["accepted"], summary["sms"]) == (3, 1_203, 1_203)


def test_neither_what_airflow_keeps_for_the_tries_nor_a_log_holds_a_phone_number(
    victims: dict[str, Victim], airflow: LocalAirflow
) -> None:
    # A fingerprint and the id of a try are random: they hold any digits at times.
    kept = {name: without_ids(str(victim.run.state_of(TASK))) for name, victim in victims.items()}
    assert [name for name, text in kept.items() if "63998" in text] == []
    logs = [airflow.log, *(airflow.home / "logs").rglob("*.log")]
    texts = {path: without_ids(path.read_text(errors="replace")) for path in logs}
    assert [path for path, text in texts.items() if re.search(PHONE_NUMBER, text)] == []


@pytest.mark.nightly
def test_a_cleared_task_sends_anew_only_once_its_state_is_gone(airflow: LocalAirflow, tmp_path: Path) -> None:
    with SMSPartnerDouble() as double:
        airflow.store_connection("cleared", double)
        params = {"conn_id": "cleared", "recipients": file_of(tmp_path, NUMBERS[:3]), "pause": ""}
        victim = Victim(airflow, airflow.trigger(DAG_ID, params), double)

        def ended(attempt: int) -> bool:
            # Not the task alone: its run could end after it was cleared.
            return victim.run.state in ENDED and victim.task()["try_number"] == attempt

        airflow.wait_for("the send to end", lambda: ended(1), seconds=300)
        first = victim.run.xcom(TASK)
        victim.run.clear_task(TASK)
        airflow.wait_for("the cleared send to end", lambda: ended(2), seconds=300)
        if CLEARING_FORGETS:
            assert len(double.sent) == 6
            return
        assert victim.run.xcom(TASK) == first
        assert len(double.sent) == 3

        victim.run.forget_state(TASK)
        victim.run.clear_task(TASK)
        airflow.wait_for("the send to end anew", lambda: ended(3), seconds=300)
        assert victim.run.xcom(TASK) != first
        assert len(double.sent) == 6
