"""The operator that sends, against the double."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from clocks import FakeClock
from dags.sends import NUMBERS
from harness import KEEPS_TASK_STATE, new_context, run_dag
from killing import held, killed, slowly
from state_store import StateStore

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._http.throttle import Throttle
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerError,
)
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

ANNE, BOB, CLEO = NUMBERS[:3]
keeps_task_state = pytest.mark.skipif(
    not KEEPS_TASK_STATE, reason="Airflow keeps nothing for a task's next try"
)


def sender(**arguments: Any) -> SMSPartnerSendOperator:
    given = {"recipients": [ANNE, BOB], "message": "Hello", "max_recipients": 2_000, **arguments}
    return SMSPartnerSendOperator(task_id="send", **given)


def test_gives_what_the_sensor_takes_and_a_summary(double: SMSPartnerDouble) -> None:
    context = new_context()

    rows = sender(recipients=NUMBERS, tag="spring").execute(context)

    assert rows == [{"phone_number": sms.phone_number, "message_id": sms.message_id} for sms in double.sent]
    assert [row["phone_number"] for row in rows] == NUMBERS
    assert Counter(row["message_id"] for row in rows).most_common() == [
        (rows[0]["message_id"], 500),
        (rows[500]["message_id"], 500),
        (rows[1000]["message_id"], 203),
    ]
    assert context["ti"].xcoms["summary"] == {
        "tag": "spring",
        "recipients": 1_203,
        "accepted": 1_203,
        "refused": 0,
        "sms": 1_203,
        "cost": "45.714",
        "currency": "EUR",
        "calls": 3,
    }


@pytest.mark.parametrize("recipients", [[], set(), "nobody.csv"], ids=str)
def test_nobody_to_send_to_is_a_skip(double: SMSPartnerDouble, recipients: Any, tmp_path: Path) -> None:
    (path := tmp_path / "nobody.csv").write_text("phone_number\n")
    context = new_context()

    with pytest.raises(AirflowSkipException, match="nobody to send to"):
        sender(recipients=str(path) if recipients == path.name else recipients).execute(context)

    summary = context["ti"].xcoms.pop("summary")
    assert (summary["recipients"], summary["sms"], summary["calls"]) == (0, 0, 0)
    assert (double.requests, context["ti"].xcoms) == ([], {})


def test_sends_each_its_own_text_and_counts_who_is_refused(double: SMSPartnerDouble, tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(f"phone_number,message\n{ANNE},Hello Anne\n{BOB},Hello Bob\n{CLEO},Hello Cleo\n")
    double.refuse(BOB, 13)
    context = new_context()

    rows = sender(recipients=str(path), message=None).execute(context)

    assert [(each.phone_number, each.text) for each in double.sent] == [
        (ANNE, "Hello Anne"),
        (CLEO, "Hello Cleo"),
    ]
    assert [row["phone_number"] for row in rows] == [ANNE, CLEO]
    summary = context["ti"].xcoms["summary"]
    assert (summary["recipients"], summary["accepted"], summary["refused"]) == (3, 2, 1)


def test_options_reach_the_vendor(double: SMSPartnerDouble) -> None:
    sender(
        tag="spring",
        sender="Shop",
        scheduled_at="2099-07-01T09:01:00+02:00",
        stop_notice=True,
        unicode=True,
        sandbox=True,
    ).execute(new_context())

    (sms, _) = double.sent
    assert (sms.tag, sms.sender, sms.stop_notice, sms.unicode, sms.sandbox) == (
        "spring",
        "Shop",
        True,
        True,
        True,
    )
    assert sms.scheduled_for == datetime.fromisoformat("2099-07-01T09:05:00+02:00")


# Airflow's scheduler and API run in this process, with warnings of their own.
in_airflow = pytest.mark.filterwarnings("default")


@in_airflow
def test_maps_over_groups_and_renders_templates(double: SMSPartnerDouble, metadata_database: None) -> None:
    run = run_dag("send_mapped")

    assert run.state == "success"
    assert {(sms.phone_number, sms.text, sms.tag) for sms in double.sent} == {
        (ANNE, "Hello Anne", "first"),
        (BOB, "Hello Anne", "first"),
        (CLEO, "Hello Anne", "second"),
    }
    assert [len(run.xcom("send", map_index=index)) for index in range(2)] == [2, 1]


@in_airflow
def test_a_task_may_return_what_the_hook_gives(
    double: SMSPartnerDouble, metadata_database: None, capfd: pytest.CaptureFixture[str]
) -> None:
    double.add_stop(BOB)

    run = run_dag("send_in_a_task")

    (sms,) = double.sent
    assert run.state == "success"
    assert run.xcom("send") == [
        {
            "message_id": sms.message_id,
            "accepted": [ANNE],
            "refused": {BOB: 14},
            "sms": 1,
            "cost": "0.038",
            "currency": "EUR",
        }
    ]
    assert run.xcom("list_messages") == [{"phone_number": ANNE, "message_id": sms.message_id}]
    # Airflow logs what a task returns.
    assert BOB not in "".join(capfd.readouterr())


@in_airflow
def test_a_second_try_goes_on_where_airflow_keeps_a_ledger_and_sends_nothing_where_not(
    double: SMSPartnerDouble, metadata_database: None, tell: Callable[[str], None]
) -> None:
    # The first call is made, and at the second the account has no credit for once.
    double.misbehave(slowly(0))
    double.misbehave(Fault.error(11))

    run = run_dag("send_again")

    task = run.task("send")
    received = Counter(sms.phone_number for sms in double.sent)
    tell(
        f"{task.state} at try {task.try_number}; {len(double.requests)} calls, {received.total()} SMS to "
        f"{len(received)} numbers"
    )
    # Two tries were made of three, the second of which sends the rest or nothing.
    assert task.try_number == 2
    if KEEPS_TASK_STATE:
        assert str(task.state) == "success"
        assert received == dict.fromkeys(NUMBERS, 1)
        assert len(double.requests) == 4
        assert len(run.xcom("send")) == 1_203
        assert run.xcom("send", key="summary")["calls"] == 3
    else:
        assert str(task.state) == "failed"
        assert received == dict.fromkeys(NUMBERS[:500], 1)
        assert len(double.requests) == 2


@pytest.mark.parametrize(
    "raises",
    [
        pytest.param(False, id="as Airflow 3"),
        # A process that imports Airflow takes long.
        pytest.param(True, id="as Airflow 2, the handler raises", marks=pytest.mark.nightly),
    ],
)
def test_a_terminated_send_makes_no_further_call(double: SMSPartnerDouble, raises: bool) -> None:
    is_handled = threading.Event()
    double.misbehave(slowly(0))
    double.misbehave(held(is_handled))

    told, later = killed(
        double,
        "SMSPartnerSendOperator",
        {"recipients": NUMBERS, "message": "Hello", "max_recipients": 2_000},
        raises=raises,
        when=lambda: len(double.requests) == 2,
        then=is_handled.set,
    )

    assert told["outcome"].startswith("Terminated" if raises else "SMSPartnerError: The task was terminated")
    assert told["xcoms"] == {}
    assert later == 0
    assert max(Counter(sms.phone_number for sms in double.sent).values()) == 1


@keeps_task_state
def test_the_call_under_way_is_noted_before_a_terminated_send_ends(double: SMSPartnerDouble) -> None:
    store = StateStore()
    context = new_context() | {"task_state_store": store}
    operator = sender(recipients=NUMBERS)

    async def terminate(request: Any, proceed: Any, _: object) -> Any:
        await asyncio.to_thread(operator.on_kill)
        return proceed(request)

    double.misbehave(slowly(0))
    double.misbehave(Fault("terminate", terminate))

    with pytest.raises(SMSPartnerError, match="terminated while it was sending") as raised:
        operator.execute(context)

    assert len(double.sent) == 1_000
    assert [len(receipt.accepted) for receipt in raised.value.receipts] == [500, 500]
    assert store.get("smspartner_send_call_1")["state"] == "made"
    assert store.get("smspartner_send_call_2") is None
    assert len(operator.execute(context)) == 1_203
    assert len(double.sent) == 1_203


def test_a_terminated_send_that_is_ambiguous_stays_so(double: SMSPartnerDouble) -> None:
    operator = sender()

    async def terminate(request: Any, proceed: Any, transport: asyncio.Transport) -> None:
        proceed(request)
        await asyncio.to_thread(operator.on_kill)
        transport.abort()

    double.misbehave(Fault("terminate", terminate))

    with pytest.raises(SMSPartnerAmbiguousSendError):
        operator.execute(new_context())


def test_a_send_that_is_terminated_while_it_waits_for_its_turn_makes_no_further_call(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Calls are a second apart.
    for name, value in double.connection_env(requests_per_minute=59).items():
        monkeypatch.setenv(name, value)
    operator = sender(recipients=NUMBERS)
    take_turn = Throttle.take_turn

    def take_turn_and_be_terminated(throttle: Throttle) -> float:
        # Here the wait has begun for certain; a thread that kills after some time may come too late.
        if double.requests:
            operator.on_kill()
        return take_turn(throttle)

    monkeypatch.setattr(Throttle, "take_turn", take_turn_and_be_terminated)

    with pytest.raises(SMSPartnerError, match="terminated while it was sending"):
        operator.execute(new_context())

    assert len(double.requests) == 1


@keeps_task_state
def test_a_send_that_is_terminated_between_two_tries_of_a_call_does_not_make_it(
    double: SMSPartnerDouble, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StateStore()
    context = new_context() | {"task_state_store": store}
    operator = sender(recipients=NUMBERS)
    double.misbehave(slowly(0))
    double.misbehave(Fault.status(429, retry_after=60))

    def kill_then_pass(seconds: float) -> None:
        if not clock.pauses:
            operator.on_kill()
        clock.sleep(seconds)

    # A signal's handler runs in the midst of a pause.
    monkeypatch.setattr(_clock, "sleep", kill_then_pass)

    with pytest.raises(SMSPartnerError, match="terminated while it was sending") as raised:
        operator.execute(context)

    assert len(double.sent) == 500
    assert [len(receipt.accepted) for receipt in raised.value.receipts] == [500]
    # Airflow would not wait for the end of the pause.
    assert len(clock.pauses) == 1
    # The call was not made, and the next try makes it.
    assert store.get("smspartner_send_call_1") is None
    assert len(operator.execute(context)) == 1_203
    assert len(double.sent) == 1_203
