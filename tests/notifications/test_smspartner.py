"""The notifier called by hand, synchronously and asynchronously, against the double."""

from __future__ import annotations

import asyncio
import importlib
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import DAG
from combinations import in_turn
from told import Capture, assert_nothing_in, captured, told_by

from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCreditError,
    SMSPartnerError,
    SMSPartnerInputError,
    SMSPartnerRequestError,
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


BOTH = {"now": now, "later": later}


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


FILE = "on, call.csv"


@in_turn(
    recipients={
        "one": NUMBER,
        "commas": f"06 39 98 00 01,{OTHER}",
        "other signs": f" {NUMBER} ;\n{OTHER},\n",
        "list": [NUMBER, OTHER, NUMBER],
        "mapping": (NUMBER, {"phone_number": OTHER}),
        "file": FILE,
    },
    notify=BOTH,
)
def test_recipients_may_be_given_in_many_ways(
    double: SMSPartnerDouble, notify: Notify, recipients: Any, tmp_path: Path
) -> None:
    (path := tmp_path / FILE).write_text(f"name;phone_number\nA;{NUMBER}\nB;{OTHER}\n")

    notify(
        notifier(recipients=str(path) if recipients == FILE else recipients, tag="alert", sender="Airflow"),
        {},
    )

    assert reached(double) == ([NUMBER] if recipients == NUMBER else [NUMBER, OTHER])
    assert {(sms.text, sms.tag, sms.sender) for sms in double.sent} == {(TEXT, "alert", "Airflow")}


@in_turn(length=[1530, 1531, 100_000], notify=BOTH)
def test_a_text_that_is_too_long_is_cut(
    double: SMSPartnerDouble, notify: Notify, length: int, capture: Capture
) -> None:
    notify(notifier(message="x" * length), {})

    (sms,) = double.sent
    assert (len(sms.text), sms.parts) == (1530, 10)
    said = f"The text has {length} characters and is cut to 1530, the most that 10 SMS hold."
    assert (said in capture.texts) == (length > 1530)
    assert_nothing_in(capture.texts)
    assert not any("xxx" in text for text in capture.texts)


@in_turn(
    case={
        "line breaks": ("\r\n" * 2_000, "\n" * 759),
        "replaced": ("œ" * 2_000, "oe" * 764),
        "half a character": ("Failed: \udce9t\udce9", "Failed: ?t?"),
        "link": ("See http://a.example/~b.", "See http://a.example/%7Eb."),
    },
    notify=BOTH,
)
def test_an_alert_goes_out_whatever_is_in_its_text(
    double: SMSPartnerDouble, notify: Notify, case: tuple[str, str]
) -> None:
    message, read = case
    notify(rendered(notifier(message="A {{ what }}", tag="{{ tag }}"), what=message, tag="a\udce9"), {})

    (sms,) = double.sent
    assert (sms.text, sms.tag) == (f"A {read}", "a?")


# How it ends is in the table of tests/sending; here is what Airflow may print beside a traceback.
@in_turn(
    case={
        "reset": (Fault.reset(), 0, SMSPartnerAmbiguousSendError),
        "503, all was sent": (Fault.status(503).after_processing(), 1, SMSPartnerAmbiguousSendError),
        "bad sender": (Fault.error(44), 0, SMSPartnerRequestError),
        "no credit": (Fault.error(11), 0, SMSPartnerCreditError),
    },
    notify=BOTH,
)
def test_an_error_shows_no_number_and_no_text_not_even_in_its_variables(
    double: SMSPartnerDouble,
    notify: Notify,
    case: tuple[Fault, int, type[SMSPartnerError]],
    capture: Capture,
) -> None:
    fault, left, error = case
    double.misbehave(fault)

    with pytest.raises(error) as raised:
        notify(notifier(), {})

    assert (len(double.sent), len(double.requests)) == (left, 1)
    told = [*told_by(raised.value), *variables_of(raised.value), *capture.texts]
    assert_nothing_in(told)
    assert not any(TEXT in text for text in told)


def test_all_arguments_are_templated(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in double.connection_env("other", sandbox=True).items():
        monkeypatch.setenv(name, value)
    made = send_smspartner_notification(
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


@pytest.mark.parametrize("recipients", [NUMBER, "{{ people }}", "{{ people[0] }}, {{ people[0] }}"])
def test_what_a_native_dag_renders_stays_text_and_one_object_serves_several_callbacks(
    double: SMSPartnerDouble, recipients: Any
) -> None:
    with DAG("alerts", schedule=None, render_template_as_native_obj=True) as dag:
        made = notifier(recipients=recipients, message="{{ day }}", tag="{{ day }}")

    for day in ("20261127", "20261128"):
        made({"dag": dag, "people": [NUMBER], "day": day})

    assert [(sms.phone_number, sms.text, sms.tag) for sms in double.sent] == [
        (NUMBER, day, day) for day in ("20261127", "20261128")
    ]


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


@in_turn(
    case={
        "nobody": ({"recipients": "{{ ' , ' }}"}, "`recipients` is empty"),
        "no number": (
            {"recipients": f"{NUMBER}, {OTHER}{{{{ 0 }}}}"},
            r"recipients\[1\]: phone_number is neither",
        ),
        "a list as text": (
            {"recipients": "{{ ['" + NUMBER + "'] }}"},
            r"recipients\[0\]: phone_number is neither",
        ),
        "no text": ({"message": "{{ '' }}"}, "`message` is empty"),
        "a tag": ({"tag": "two {{ 'words' }}"}, "SMSPartnerNotifier: tag must not contain white space"),
        "a sender": ({"sender": "{{ 'ab' }}"}, "SMSPartnerNotifier: `sender` must be 3 to 11"),
    },
    notify=BOTH,
)
def test_what_templates_give_is_checked_before_anything_is_sent(
    double: SMSPartnerDouble, notify: Notify, case: tuple[dict[str, Any], str]
) -> None:
    arguments, fault = case
    made = rendered(notifier(**arguments))

    with pytest.raises(SMSPartnerInputError, match=fault) as raised:
        notify(made, {})

    assert_nothing_in([*told_by(raised.value), *variables_of(raised.value)])
    assert double.requests == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"recipients": f"{NUMBER}, x"}, r"recipients\[1\]: phone_number is neither"),
        ({"recipients": ["{{ a }}", NUMBER, "x"]}, r"recipients\[2\]: phone_number is neither"),
        ({"recipients": "s3://bucket/numbers.xlsx"}, "'s3://bucket/numbers.xlsx' must end in one of"),
        ({"recipients": ""}, "`recipients` is empty"),
        ({"recipients": 33639980001}, "`recipients` must be a list"),
        ({"message": None}, "`message` must be text"),
        ({"message": " "}, "`message` is empty"),
        ({"tag": "two words"}, "tag must not contain white space"),
        ({"sender": "É"}, "`sender` must be 3 to 11"),
        ({"smspartner_conn_id": None}, "`smspartner_conn_id` must be text"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_literal_mistakes_are_reported_when_the_dag_is_parsed(arguments: Any, fault: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=f"^SMSPartnerNotifier: {fault}") as raised:
        notifier(**arguments)

    assert "63998" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"recipients": "{{ var.json.team | join(', ') }}"},
        {"recipients": ["{{ a }}", NUMBER]},
        {"recipients": "s3://bucket/numbers.csv"},
        # The DAG may give Jinja markers of its own: a notifier is made before it is known.
        {"recipients": "[[ a ]]", "tag": "<% a b %>", "sender": "${ a }"},
    ],
    ids=str,
)
def test_what_may_be_right_is_not_refused_when_the_dag_is_parsed(arguments: Any) -> None:
    notifier(**arguments)


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
