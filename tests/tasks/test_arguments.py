"""Arguments: what is wrong is reported when the DAG is parsed or when the task starts, and how they are rendered."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    TaskDeferred,
    task,
)
from combinations import in_turn
from harness import AIRFLOW_3, new_context, run_dag
from told import Capture, assert_nothing_in, captured, told_by

from airflow_provider_smspartner._tasks import arguments
from airflow_provider_smspartner._tasks.arguments import MAX_PARSED_MESSAGES
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerInputError
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import SMSPartnerDouble
from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

TAG = "spring-sale"
NUMBER = "+33639980001"
MESSAGES = [(NUMBER, "1001"), ("+33639980002", "1002")]

KINDS: dict[Any, dict[str, Any]] = {
    SMSPartnerStatusByTagOperator: {"tag": TAG},
    SMSPartnerMultiStatusOperator: {"messages": MESSAGES},
    SMSPartnerStopListOperator: {},
    SMSPartnerSendOperator: {"recipients": [NUMBER], "message": "Hello"},
    SMSPartnerCampaignSensor: {"tag": TAG, "deferrable": False, "poke_interval": 0.02, "timeout": 5},
    SMSPartnerStatusToSqlOperator: {"tag": TAG, "table": "statuses", "sql_conn_id": "warehouse"},
}
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def make(kind: Any, **arguments: Any) -> Any:
    given = {**KINDS[kind], **arguments}
    if "messages" in arguments and "tag" not in arguments:
        given.pop("tag", None)
    return kind(**{"task_id": "fetch", **given})


by_tag = partial(make, SMSPartnerStatusByTagOperator)
by_list = partial(make, SMSPartnerMultiStatusOperator)
stop_list = partial(make, SMSPartnerStopListOperator)
send = partial(make, SMSPartnerSendOperator)
sensor = partial(make, SMSPartnerCampaignSensor)


def arguments_of(kind: Any) -> set[str]:
    """Return the arguments that a class of this package takes, without those of every operator."""
    classes = [each for each in kind.__mro__ if each.__module__.startswith("airflow_provider_smspartner")]
    return {
        name
        for each in classes
        if "__init__" in vars(each)
        for name, parameter in inspect.signature(each.__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def refusal(act: Callable[[], object]) -> str:
    """Return what an action is refused with, or an empty text."""
    try:
        act()
    except SMSPartnerInputError as error:
        return str(error)
    return ""


def made(kind: Any, *, native: bool = False, **arguments: Any) -> Any:
    """Return a task whose DAG renders to text or to native objects."""
    with DAG("templates", schedule=None, render_template_as_native_obj=native):
        return make(kind, **arguments)


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Any:
    yield from captured(monkeypatch)


def with_value(operator: Any, name: str, value: object) -> Any:
    """Let a template have given an argument."""
    if name == "messages" and hasattr(operator, "tag"):
        operator.tag = None
    setattr(operator, name, value)
    return operator


@each_kind
def test_every_literal_is_checked_when_the_dag_is_parsed(kind: Any) -> None:
    # No argument may be a negative fraction.
    refused = {name: refusal(partial(make, kind, **{name: -5.5})) for name in arguments_of(kind)}

    assert refused
    assert not [name for name, why in refused.items() if name not in why]


@each_kind
def test_every_template_is_checked_before_anything_is_asked(double: SMSPartnerDouble, kind: Any) -> None:
    refused = {
        name: refusal(partial(with_value(make(kind), name, -5.5).execute, new_context()))
        for name in kind.template_fields
    }

    assert not [name for name, why in refused.items() if name not in why]
    assert double.requests == []


@each_kind
def test_no_template_and_no_output_of_a_task_is_judged_when_the_dag_is_parsed(kind: Any) -> None:
    with DAG("upstream", schedule=None):

        @task
        def upstream() -> Any:
            return None

        given: Any = upstream()
        templates = ("{{ params.a }}", "{% if ds %}a b{% endif %}", "{# no #}*.csv", given)
        for number, (name, value) in enumerate(product(kind.template_fields, templates)):
            make(kind, task_id=f"fetch_{number}", **{name: value})


# One for each check.
MISTAKES: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "a tag of two words": (by_tag, {"tag": "two words"}, "^Task 'fetch': tag must not contain white space"),
    "a switch as text": (by_tag, {"allow_empty": "false"}, "`allow_empty` must be True or False"),
    "an unknown format": (by_tag, {"output_path": "rows.xlsx"}, "must end in one of"),
    "several files": (by_tag, {"output_path": "s3://bucket/*.csv"}, "must name one file"),
    "no connection": (by_tag, {"smspartner_conn_id": ""}, "must name an Airflow connection"),
    "a limit as switch": (by_tag, {"max_xcom_rows": True}, "`max_xcom_rows` must be"),
    "an unknown form": (by_tag, {"phone_numbers": "sha256"}, "must be one of 'keep', 'mask', 'hmac'; it is"),
    "no key": (by_tag, {"phone_numbers": "hmac"}, "must name the Airflow connection whose password is"),
    "no number": (by_list, {"messages": [*MESSAGES, {"id": 5}]}, r"messages\[2\]: .*phone_number"),
    "a wrong id": (by_list, {"messages": [(NUMBER, 5.5)]}, r"messages\[0\]: message_id"),
    "messages as a text": (by_list, {"messages": "two words"}, "neither a template nor the path of a file"),
    "no messages": (by_list, {"messages": None}, "`messages` must be a list of messages"),
    "nothing to wait for": (sensor, {"messages": []}, "`messages` is empty"),
    "tag and messages": (sensor, {"tag": TAG, "messages": MESSAGES}, "exactly one of `tag` and `messages`"),
    "neither": (sensor, {"tag": None}, "exactly one of `tag` and `messages`"),
    "a total in words": (sensor, {"expected_total": "many"}, "`expected_total` must be"),
    "a ratio of 0": (sensor, {"settled_ratio": 0}, "`settled_ratio` must be above 0"),
    "no ratio at all": (sensor, {"settled_ratio": float("nan")}, "`settled_ratio` must be above 0"),
    "a rate in percent": (sensor, {"min_delivery_rate": 95}, "`min_delivery_rate` must be from 0"),
    "a negative grace": (sensor, {"not_found_grace": timedelta(seconds=-1)}, "`not_found_grace` must be a"),
    "a grace beyond all time": (sensor, {"not_found_grace": 10**300}, "`not_found_grace` must be a"),
    "an empty text": (send, {"message": " "}, "`message` is empty"),
    "a wrong number": (send, {"recipients": [NUMBER, "+3363998000"]}, r"recipients\[1\]: phone_number"),
    "beside a template": (send, {"recipients": ["{{ a }}", "+3363998000"]}, r"recipients\[1\]: phone_number"),
    "too many": (send, {"recipients": ["0639980003", NUMBER], "max_recipients": 1}, "more than 1 recipients"),
}


@pytest.mark.parametrize(("make", "arguments", "fault"), MISTAKES.values(), ids=MISTAKES)
def test_a_literal_mistake_is_reported_when_the_dag_is_parsed(
    make: Callable[..., Any], arguments: dict[str, Any], fault: str
) -> None:
    with pytest.raises(SMSPartnerInputError, match=fault) as raised:
        make(**arguments)

    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, AirflowFailException)  # uses up no retries
    assert "3998" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("make", "name", "value", "fault"),
    [
        pytest.param(stop_list, "phone_numbers", "hmac", "`pseudonym_conn_id` must name", id="no connection"),
        pytest.param(by_list, "messages", [*MESSAGES, (NUMBER,)], r"messages\[2\]", id="half a message"),
        pytest.param(send, "recipients", "['+33639980003']", "A Jinja template renders to text", id="a text"),
        pytest.param(send, "recipients", [NUMBER] * 5 + ["+3363998000"], r"recipients\[5\]: ", id="a number"),
        pytest.param(send, "message", " ", "`message` is empty", id="an empty text"),
        pytest.param(send, "scheduled_at", "2020-11-27T09:00:00+01:00", "is past", id="a time that is past"),
    ],
)
def test_what_a_template_gives_is_checked_before_anything_is_asked(
    double: SMSPartnerDouble, make: Callable[..., Any], name: str, value: object, fault: str
) -> None:
    with pytest.raises(SMSPartnerInputError, match=fault) as raised:
        with_value(make(), name, value).execute(new_context())

    assert double.requests == []
    assert "3998" not in str(raised.value)


NO_MISTAKES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "no messages, where nothing waits": (by_list, {"messages": []}),
    "templates in a pair": (by_list, {"messages": [("{{ params.phone }}", "{{ params.id }}")]}),
    "a template in a mapping": (by_list, {"messages": [{"phone_number": "{{ a }}", "message_id": 5}]}),
    "an iterator": (by_list, {"messages": iter([("nobody", "knows")])}),
    "a file of messages": (by_list, {"messages": "s3://bucket/rows.parquet"}),
    "a message far down": (sensor, {"messages": [(NUMBER, 5)] * MAX_PARSED_MESSAGES + [("wrong", "")]}),
    "a total as text": (sensor, {"expected_total": "12"}),
    "what may be left out": (send, {"sender": None, "scheduled_at": None, "sandbox": None}),
    "a file of recipients": (send, {"recipients": "s3://bucket/numbers.csv"}),
    "a template in a text": (send, {"recipients": [(NUMBER, "Hello {{ ds }}")], "message": None}),
    "a number far down": (send, {"recipients": [NUMBER] * MAX_PARSED_MESSAGES + ["wrong"]}),
}


@pytest.mark.parametrize(("make", "arguments"), NO_MISTAKES.values(), ids=NO_MISTAKES)
def test_what_may_be_right_is_not_refused_when_the_dag_is_parsed(
    make: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    make(**arguments)


def test_outputs_of_tasks_in_a_list_and_in_mapped_tasks_are_not_judged() -> None:
    with DAG("upstream", schedule=None):

        @task
        def upstream() -> Any:
            return None

        sent: Any = upstream()
        for number, messages in enumerate([sent["messages"], [sent], [(sent, 5)]]):
            SMSPartnerMultiStatusOperator(task_id=f"fetch_{number}", messages=messages)
        SMSPartnerCampaignSensor.partial(task_id="wait_mapped").expand(tag=sent)
        SMSPartnerStatusByTagOperator.partial(task_id="fetch_mapped", tag=TAG).expand(output_path=sent)


@pytest.mark.parametrize(
    ("make", "arguments"), [(by_tag, {"tag": "two words"}), (sensor, {"messages": []})], ids=["tag", "list"]
)
def test_a_mapped_task_is_checked_when_it_executes(
    double: SMSPartnerDouble, make: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    # As Airflow makes it when it starts: `soft_fail` of the sensor counts from `execute` on only.
    mapped = make(**arguments, _airflow_from_mapped=True)

    with pytest.raises(SMSPartnerInputError):
        mapped.execute(new_context())

    assert double.requests == []


def test_a_dag_with_jinja_markers_of_its_own_is_not_refused() -> None:
    with DAG("own", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        by_tag(tag="[[ params.tag ]]")


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@each_kind
def test_what_was_given_is_never_taken_for_not_given(
    kind: Any, native: bool, double: SMSPartnerDouble
) -> None:
    for name in kind.template_fields:
        task = deepcopy(made(kind, native=native, **{name: "{{ nothing }}"}))
        task.render_template_fields({"nothing": None})

        with pytest.raises(SMSPartnerInputError, match=f"`{name}` was given, but"):
            task.execute(new_context())

    assert double.requests == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"message": "'{{ t }}' # 1"}, "'Hello' # 1"),
        ({"message": "{{ day }}"}, "20261127"),
        ({"message": "{% set x %}1_000{% endset %}{{ x }}"}, "1_000"),
        ({"message": "No template\r\n"}, "No template\r\n"),
        ({"recipients": "{{ numbers }}"}, [NUMBER]),
        ({"recipients": "['{{ numbers[0] }}']"}, [NUMBER]),
        ({"recipients": "{{ numbers[0] }}, {{ numbers[0] }}"}, f"{NUMBER}, {NUMBER}"),
        ({"recipients": ["{{ numbers[0] }}"]}, [NUMBER]),
        ({"recipients": [("{{ numbers[0] }}", "{{ day }}")], "message": None}, [(NUMBER, "20261127")]),
        ({"recipients": [{"phone_number": NUMBER, "message": "{{ day }}"}], "message": None}, "20261127"),
    ],
    ids=str,
)
def test_texts_stay_texts_and_lists_lists_where_a_dag_renders_native_objects(
    arguments: Any, expected: Any
) -> None:
    task = made(SMSPartnerSendOperator, native=True, **arguments)

    task.render_template_fields({"numbers": [NUMBER], "day": "20261127", "t": "Hello"})

    (name, *_) = arguments
    rendered = getattr(task, name)
    assert (rendered[0]["message"] if isinstance(rendered[0], dict) else rendered) == expected


def test_a_subclass_may_add_arguments_and_fill_in_the_recipients(
    double: SMSPartnerDouble,
) -> None:
    class Picked(SMSPartnerSendOperator):
        template_fields = (*SMSPartnerSendOperator.template_fields, "rows", "least")

        def __init__(self, *, rows: Any, least: Any, **kwargs: Any) -> None:
            super().__init__(recipients=[], message="Hello", **kwargs)
            self.rows, self.least = rows, least

        def execute(self, context: Any) -> list[dict[str, str]]:
            self.recipients = self.rows[0]
            return super().execute(context)

    with DAG("added", schedule=None, render_template_as_native_obj=True):
        picked: Any = Picked(task_id="pick", rows=["{{ rows }}"], least="{{ none }}")
    picked.render_template_fields({"rows": [NUMBER]})
    picked.execute(new_context())

    assert (picked.least, [sms.phone_number for sms in double.sent]) == (None, [NUMBER])


def fails() -> None:
    raise OSError("the text of " + NUMBER)


@pytest.mark.parametrize(
    ("kind", "name", "template", "error"),
    [
        (SMSPartnerSendOperator, "message", "A text {#42", "TemplateSyntaxError"),
        (SMSPartnerSendOperator, "recipients", [NUMBER, "{{ 1 / 0 }}"], "ZeroDivisionError"),
        (SMSPartnerCampaignSensor, "messages", [(NUMBER, "{{ absent.x }}")], "UndefinedError"),
        (SMSPartnerStatusToSqlOperator, "table", "A text {{ '" + NUMBER, "TemplateSyntaxError"),
        (SMSPartnerMultiStatusOperator, "messages", [(NUMBER, "{{ fails() }}")], "OSError"),
    ],
)
def test_a_template_that_fails_is_shown_nowhere(
    kind: Any, name: str, template: Any, error: str, capture: Capture
) -> None:
    task = made(kind, **{name: template})

    with pytest.raises(SMSPartnerError, match=rf"^Task 'fetch': .* `{name}` .* \({error}\)") as raised:
        task.render_template_fields({"fails": fails})

    # Trouble that may pass is tried again, and a mistake is not.
    assert isinstance(raised.value, SMSPartnerInputError) == (error != "OSError")
    told = [*told_by(raised.value), *capture.texts]
    assert_nothing_in(told)
    assert not any("A text" in text for text in told)


def test_the_grace_may_be_seconds() -> None:
    assert sensor(not_found_grace=600.0).not_found_grace == timedelta(minutes=10)


def test_arguments_from_default_args_are_checked() -> None:
    with (
        DAG("defaults", schedule=None, default_args={"settled_ratio": 2}),
        pytest.raises(SMSPartnerInputError, match="`settled_ratio`"),
    ):
        sensor()


def test_a_subclass_may_compose_its_arguments(double: SMSPartnerDouble) -> None:
    class Spring(SMSPartnerStatusByTagOperator):
        def __init__(self, *, year: int, **kwargs: Any) -> None:
            super().__init__(tag=f"spring-{year}", **kwargs)
            self.year = year

    double.add_campaign("spring-2026", size=3, settle_seconds=0)

    assert len(Spring(task_id="fetch", year=2026).execute(new_context())) == 3


@in_turn(make={"tag": by_tag, "list": by_list, "send": send, "sensor": sensor}, context=[{}, None])
def test_runs_without_a_task_instance(
    double: SMSPartnerDouble, make: Callable[..., Any], context: Any
) -> None:
    for message in MESSAGES:
        double.add_message(*message, "Delivered", tag=TAG)

    assert len(make().execute(context)) == (1 if make is send else 2)


def test_a_deferrable_sensor_runs_without_a_task_instance(double: SMSPartnerDouble) -> None:
    double.add_message(*MESSAGES[0], "Waiting", "Delivered", tag=TAG)
    waiting = sensor(deferrable=True, min_delivery_rate=0.5)

    with pytest.raises(TaskDeferred):
        waiting.execute({})

    assert len(waiting.execute_complete({}, event={"verdict": "done", "counts": {"Delivered": 1}})) == 1


def test_rescheduling_without_a_task_instance_says_what_to_do(double: SMSPartnerDouble) -> None:
    with pytest.raises(SMSPartnerInputError, match=r"`dag\.test\(\)`"):
        sensor(mode="reschedule").execute({})


@pytest.mark.parametrize(
    ("version", "interval", "warnings"), [((3, 3), 5, 1), ((3, 3), 6, 0), ((3, 4), 5, 0)], ids=str
)
def test_an_interval_that_airflow_3_3_cannot_keep_is_warned_about_once(  # noqa: PLR0917 - fixtures
    double: SMSPartnerDouble,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    version: tuple[int, int],
    interval: float,
    warnings: int,
) -> None:
    monkeypatch.setattr(arguments, "_airflow_version", lambda: version)
    monkeypatch.setattr(SMSPartnerCampaignSensor, "log", logging.getLogger("tests"))
    double.add_message(*MESSAGES[0], "Waiting", tag=TAG)
    waiting = sensor(deferrable=True, poke_interval=interval)
    assert not caplog.text

    with pytest.raises(TaskDeferred):
        waiting.execute(new_context())
    with pytest.raises(TaskDeferred):
        waiting.execute_complete(new_context(), event={"verdict": "done", "counts": {}})

    assert caplog.text.count("issue 71580 of apache/airflow") == warnings


def test_the_version_of_airflow_is_read() -> None:
    assert arguments._airflow_version() >= ((3, 0) if AIRFLOW_3 else (2, 11))


@pytest.mark.filterwarnings("default")
def test_in_a_real_airflow_what_is_meant_is_sent(
    double: SMSPartnerDouble,
    metadata_database: None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run = run_dag("arguments")

    ended = {(each.task_id, each.map_index): str(each.state) for each in run.dag_run.get_task_instances()}
    assert ended == {
        **{(name, -1): "success" for name in ("texts", "rows", "send")},
        **{(name, -1): "skipped" for name in ("skipped", "nobody")},
        **{(name, -1): "failed" for name in ("lost", "lost_by_subclass", "broken")},
        **{(name, 0): "failed" for name in ("mapped", "mapped_rows")},
        **{(name, 1): "success" for name in ("mapped", "mapped_rows")},
        ("mapped_literals", 0): "success",
    }
    told: dict[str, list[Any]] = {}
    for sms in double.sent:
        told.setdefault(sms.text, []).append((sms.phone_number[-1], sms.tag))
    assert told == {
        "'arguments' # 1 (( x ))": [("1", "20261127"), ("2", "20261127")],
        "012send": [("1", None)],
        "One of texts": [("1", None)],
        "One of rows": [("1", None)],
        "An internal note": [("1", "notes")],
    }
    logged = " ".join((caplog.text + "".join(capfd.readouterr())).split())
    assert "`message` was given, but has come to None" in logged
    assert "the template of `message` cannot be rendered (TemplateSyntaxError)" in logged
    assert_nothing_in([logged])
    assert "A text of the team" not in logged
