"""The notifier called by hand, synchronously and asynchronously, against the double."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import DAG
from loopback import connect, timeout_for
from told import Capture, assert_nothing_in, captured, told_by

from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCreditError,
    SMSPartnerError,
    SMSPartnerInputError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.notifications.smspartner import (
    SMSPartnerNotifier,
    send_smspartner_notification,
)
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

NUMBER = "+33639980001"
OTHER = "+33639980002"
TEXT = "A text of the team"

Notify = Callable[[SMSPartnerNotifier, Any], None]


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """Keep all that is logged, also what Airflow prints past the standard library's logging."""
    monkeypatch.setattr(SMSPartnerNotifier, "log", logging.getLogger("airflow.task"))
    yield from captured(monkeypatch)


def now(notifier: SMSPartnerNotifier, context: Any) -> None:
    notifier.notify(context)


def later(notifier: SMSPartnerNotifier, context: Any) -> None:
    asyncio.run(notifier.async_notify(context))


both_ways = pytest.mark.parametrize("notify", [now, later])


def notifier(**arguments: Any) -> SMSPartnerNotifier:
    return SMSPartnerNotifier(**{"recipients": NUMBER, "message": TEXT, **arguments})


def rendered(made: SMSPartnerNotifier, **context: Any) -> SMSPartnerNotifier:
    with DAG("alerts", schedule=None) as dag:
        made.render_template_fields(cast("Any", {"dag": dag, **context}))
    return made


def variables_of(error: BaseException) -> list[str]:
    """Return the package's variables that a traceback has: some Airflows print them beside it."""
    return [
        repr(value)
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if "airflow_provider_smspartner" in frame.f_code.co_filename
        for value in frame.f_locals.values()
    ]


def reached(double: SMSPartnerDouble) -> list[str]:
    return [sms.phone_number for sms in double.sent]


def test_the_alias_is_the_class() -> None:
    assert send_smspartner_notification is SMSPartnerNotifier


@both_ways
@pytest.mark.parametrize(
    ("recipients", "numbers"),
    [
        (NUMBER, [NUMBER]),
        ("06 39 98 00 01", [NUMBER]),
        (f"{NUMBER},{OTHER}", [NUMBER, OTHER]),
        (f" {NUMBER} ;\n{OTHER},\n", [NUMBER, OTHER]),
        ([NUMBER, OTHER, NUMBER], [NUMBER, OTHER]),
        ((OTHER, {"phone_number": NUMBER}), [OTHER, NUMBER]),
    ],
    ids=["one", "French", "commas", "other signs", "list", "mapping"],
)
def test_recipients_may_be_given_in_many_ways(
    double: SMSPartnerDouble, notify: Notify, recipients: Any, numbers: list[str]
) -> None:
    notify(notifier(recipients=recipients, tag="alert", sender="Airflow"), {})

    assert reached(double) == numbers
    assert {(sms.text, sms.tag, sms.sender) for sms in double.sent} == {(TEXT, "alert", "Airflow")}


@both_ways
def test_recipients_may_be_in_a_file(double: SMSPartnerDouble, notify: Notify, tmp_path: Path) -> None:
    path = tmp_path / "on, call.csv"
    path.write_text(f"name;phone_number\nA;{NUMBER}\nB;{OTHER}\n")

    notify(notifier(recipients=str(path)), {})

    assert reached(double) == [NUMBER, OTHER]


@both_ways
@pytest.mark.parametrize(("length", "sent"), [(1530, 1530), (1531, 1530), (100_000, 1530)])
def test_a_text_that_is_too_long_is_cut(
    double: SMSPartnerDouble,
    notify: Notify,
    length: int,
    sent: int,
    capture: Capture,
) -> None:
    notify(notifier(message="x" * length), {})

    (sms,) = double.sent
    assert (len(sms.text), sms.parts) == (sent, 10)
    said = f"The text has {length} characters and is cut to {sent}, the most that 10 SMS hold."
    assert (said in capture.texts) == (length > sent)
    assert_nothing_in(capture.texts)
    assert not any("xxx" in text for text in capture.texts)


@both_ways
def test_it_stays_in_the_sandbox_of_its_connection(
    double: SMSPartnerDouble, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in double.connection_env("other", sandbox=True).items():
        monkeypatch.setenv(name, value)

    notify(notifier(smspartner_conn_id="other"), {})
    notify(notifier(), {})

    assert [sms.sandbox for sms in double.sent] == [True, False]


# Faults, how many SMS have left, and how the notifier ends.
FAULTS: dict[str, tuple[Fault, int, type[SMSPartnerError] | None]] = {
    **{
        name: (fault, 0, SMSPartnerAmbiguousSendError)
        for name, fault in {
            "reset": Fault.reset(),
            "reset unread": Fault.reset_unread(),
            "hang": Fault.hang(5),
            "truncated": Fault.truncated(),
            "html": Fault.html(),
            "fake success": Fault.fake_success(),
            "502": Fault.status(502),
            "503": Fault.status(503),
            "code 500": Fault.error(500),
        }.items()
    },
    **{
        f"{name} after": (fault.after_processing(), 1, SMSPartnerAmbiguousSendError)
        for name, fault in {
            "reset": Fault.reset(),
            "hang": Fault.hang(5),
            "truncated": Fault.truncated(),
            "503": Fault.status(503),
        }.items()
    },
    "429 once": (Fault.status(429, retry_after=0), 1, None),
    "no credit": (Fault.error(11), 0, SMSPartnerCreditError),
    "bad sender": (Fault.error(44), 0, SMSPartnerRequestError),
}


@both_ways
@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS)
def test_it_sends_at_most_once_and_tells_no_number_and_no_text(
    double: SMSPartnerDouble,
    notify: Notify,
    case: tuple[Fault, int, type[SMSPartnerError] | None],
    monkeypatch: pytest.MonkeyPatch,
    capture: Capture,
) -> None:
    fault, left, error = case
    connect(monkeypatch, double, timeout=timeout_for(fault))
    double.misbehave(fault)
    told: list[str] = []

    if error is None:
        notify(notifier(), {})
    else:
        with pytest.raises(error) as raised:
            notify(notifier(), {})
        told += [*told_by(raised.value), *variables_of(raised.value)]

    assert len(double.sent) == left
    assert len(double.requests) == (2 if error is None else 1)
    assert_nothing_in([*told, *capture.texts])
    assert not any(TEXT in text for text in (*told, *capture.texts))


@both_ways
def test_nothing_is_sent_where_nobody_is_there(double: SMSPartnerDouble, notify: Notify) -> None:
    with double.down(), pytest.raises(SMSPartnerUnavailableError):
        notify(notifier(), {})

    assert double.sent == []


def test_all_arguments_are_templated(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in double.connection_env("other", sandbox=True).items():
        monkeypatch.setenv(name, value)
    made = notifier(
        recipients="{{ people | join(',') }}",
        message="{{ dag.dag_id }} has failed",
        tag="{{ kind }}",
        sender="{{ team }}",
        smspartner_conn_id="{{ conn_id }}",
    )

    context = {
        "dag": DAG("alerts", schedule=None),
        "people": [NUMBER, OTHER],
        "kind": "alert",
        "team": "Airflow",
        "conn_id": "other",
    }
    made(context)

    assert reached(double) == [NUMBER, OTHER]
    (said,) = {(sms.text, sms.tag, sms.sender, sms.sandbox) for sms in double.sent}
    assert said == ("alerts has failed", "alert", "Airflow", True)
    # Airflow prints contexts: the arguments do not go into it.
    assert set(context) == {"dag", "people", "kind", "team", "conn_id"}


@pytest.mark.parametrize("recipients", [NUMBER, [NUMBER], "{{ people }}"])
def test_numbers_stay_text_where_a_dag_renders_native_objects(
    double: SMSPartnerDouble, recipients: Any
) -> None:
    with DAG("alerts", schedule=None, render_template_as_native_obj=True) as dag:
        made = notifier(recipients=recipients)

    made({"dag": dag, "people": [NUMBER]})

    assert reached(double) == [NUMBER]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"recipients": [NUMBER, "{{ 1 / 0 }}"]}, r"`recipients` cannot be rendered \(ZeroDivisionError\)"),
        ({"message": TEXT + "{{ a.b.c }}"}, r"`message` cannot be rendered \(UndefinedError\)"),
        ({"message": TEXT + "{{ '" + NUMBER}, r"`message` cannot be rendered \(TemplateSyntaxError\)"),
    ],
)
def test_a_template_that_fails_is_not_shown(arguments: Any, fault: str, capture: Capture) -> None:
    with pytest.raises(SMSPartnerInputError, match=fault) as raised:
        rendered(notifier(**arguments))

    told = [str(raised.value), repr(raised.value), *variables_of(raised.value), *capture.texts]
    assert_nothing_in(told)
    assert not any(TEXT in text for text in told)
    assert raised.value.__suppress_context__


@both_ways
@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"recipients": "{{ '' }}"}, "`recipients` is empty"),
        ({"recipients": "{{ ' , ' }}"}, "`recipients` is empty"),
        ({"recipients": f"{NUMBER}, {OTHER}{{{{ 0 }}}}"}, r"recipients\[1\]: phone_number is neither"),
        ({"recipients": "{{ ['" + NUMBER + "'] }}"}, r"recipients\[0\]: phone_number is neither"),
        ({"message": "{{ '' }}"}, "`message` is empty"),
        ({"tag": "two {{ 'words' }}"}, "SMSPartnerNotifier: tag must not contain white space"),
        ({"sender": "{{ 'ab' }}"}, "SMSPartnerNotifier: `sender` must be 3 to 11"),
        ({"smspartner_conn_id": "{{ '' }}"}, "`smspartner_conn_id` must name an Airflow connection"),
    ],
)
def test_what_templates_give_is_checked_before_anything_is_sent(
    double: SMSPartnerDouble, notify: Notify, arguments: Any, fault: str
) -> None:
    made = rendered(notifier(**arguments))

    with pytest.raises(SMSPartnerInputError, match=fault) as raised:
        notify(made, {})

    assert_nothing_in([*told_by(raised.value), *variables_of(raised.value)])
    assert double.requests == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"recipients": "+3363998000"}, r"recipients\[0\]: phone_number is neither"),
        ({"recipients": f"{NUMBER}, x"}, r"recipients\[1\]: phone_number is neither"),
        ({"recipients": ["{{ a }}", NUMBER, "x"]}, r"recipients\[2\]: phone_number is neither"),
        ({"recipients": "s3://bucket/numbers.xlsx"}, "'s3://bucket/numbers.xlsx' must end in one of"),
        ({"recipients": []}, "`recipients` is empty"),
        ({"recipients": ""}, "`recipients` is empty"),
        ({"recipients": None}, "`recipients` must be a list"),
        ({"recipients": 33639980001}, "`recipients` must be a list"),
        ({"message": None}, "`message` must be text"),
        ({"message": 33639980001}, "`message` must be text"),
        ({"message": " "}, "`message` is empty"),
        ({"tag": "two words"}, "tag must not contain white space"),
        ({"sender": "É"}, "`sender` must be 3 to 11"),
        ({"smspartner_conn_id": None}, "`smspartner_conn_id` must be text"),
    ],
)
def test_literal_mistakes_are_told_when_the_dag_is_parsed(arguments: Any, fault: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=f"^SMSPartnerNotifier: {fault}") as raised:
        notifier(**arguments)

    assert "63998" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"recipients": "{{ var.value.team }}"},
        {"recipients": "{{ var.json.team | join(', ') }}"},
        {"recipients": ["{{ a }}", NUMBER]},
        {"recipients": "s3://bucket/numbers.csv"},
        {"message": "x" * 5000},
        # The DAG may give Jinja markers of its own: a notifier is made before it is known.
        {"recipients": "[[ a ]]", "tag": "<% a b %>", "sender": "${ a }"},
    ],
)
def test_what_may_be_right_is_not_refused_when_the_dag_is_parsed(arguments: Any) -> None:
    notifier(**arguments)


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TypeError):
        notifier(mesage=TEXT)


def test_it_holds_no_event_loop_up(double: SMSPartnerDouble) -> None:
    goes_on = threading.Event()

    async def once_the_loop_goes_on(request: Any, proceed: Any, _: object) -> Any:
        await asyncio.to_thread(goes_on.wait, 60)
        return proceed(request)

    async def main() -> None:
        sending = asyncio.ensure_future(
            notifier(recipients=[f"+336399{n:05}" for n in range(1_000)]).async_notify({})
        )
        while not double.requests and not sending.done():  # noqa: ASYNC110 - the double is the only witness
            await asyncio.sleep(0.01)
        goes_on.set()
        await sending

    double.misbehave(Fault("once the loop goes on", once_the_loop_goes_on))
    try:
        asyncio.run(main())
    finally:
        goes_on.set()
    assert len(double.sent) == 1_000


def deadline_trigger(**arguments: Any) -> Any:
    """Return Airflow's trigger of a deadline's asynchronous callback, where it has any."""
    for module, name in (("callback", "CallbackTrigger"), ("deadline", "DeadlineCallbackTrigger")):
        try:
            trigger = getattr(importlib.import_module(f"airflow.triggers.{module}"), name)
        except ImportError:
            continue
        path = f"{SMSPartnerNotifier.__module__}.{SMSPartnerNotifier.__qualname__}"
        context = {"dag_run": {"dag_id": "nightly"}}
        return trigger(path, {"recipients": NUMBER, "message": TEXT, "context": context, **arguments})
    pytest.skip("this Airflow has no deadline alerts")


def test_a_missed_deadline_tells_by_sms(double: SMSPartnerDouble) -> None:
    trigger = deadline_trigger(message="{{ dag_run.dag_id }} is late")

    async def states() -> list[str]:
        return [str(event.payload["state"]) async for event in trigger.run()]

    assert [state.rpartition(".")[2].lower() for state in asyncio.run(states())] == ["running", "success"]
    (sms,) = double.sent
    assert (sms.phone_number, sms.text) == (NUMBER, "nightly is late")
