"""Mistakes in arguments: literal ones are told when the DAG is parsed, the others when the task starts."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, TaskDeferred, task
from harness import AIRFLOW_3, new_context

from airflow_provider_smspartner._tasks import arguments
from airflow_provider_smspartner._tasks.arguments import MAX_PARSED_MESSAGES
from airflow_provider_smspartner.exceptions import SMSPartnerInputError, SMSPartnerUnavailableError
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "spring-sale"
MESSAGES = [("+33639980001", "1001"), ("+33639980002", "1002")]

Make = Callable[..., Any]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[str], int]:
    """Count how often a text was logged: through logging, or past it, as Airflow 3 does."""
    caplog.set_level(logging.INFO)
    printed = ""

    def count(text: str) -> int:
        nonlocal printed
        printed += "".join(capfd.readouterr())
        # Airflow 2's own handlers may print once more what logging has caught.
        return caplog.text.count(text) or printed.count(text)

    return count


def by_tag(**arguments: Any) -> Any:
    return SMSPartnerStatusByTagOperator(task_id="fetch", **{"tag": TAG, **arguments})


def by_list(**arguments: Any) -> Any:
    return SMSPartnerMultiStatusOperator(task_id="fetch", **{"messages": MESSAGES, **arguments})


def sensor(**arguments: Any) -> Any:
    given = {"deferrable": False, "poke_interval": 0.02, "timeout": 5, **arguments}
    if "messages" not in given:
        given.setdefault("tag", TAG)
    return SMSPartnerCampaignSensor(task_id="fetch", **given)


def send(**arguments: Any) -> Any:
    given = {"recipients": ["+33639980001"], "message": "Hello", **arguments}
    return SMSPartnerSendOperator(task_id="fetch", **given)


def stop_list(**arguments: Any) -> Any:
    return SMSPartnerStopListOperator(task_id="fetch", **arguments)


BAD_TAGS = ["two words", "x" * 21, "", 5, b"spring", ["spring"], {"tag": "spring"}, True]
TAG_FAULTS = [({"tag": tag}, "tag must") for tag in BAD_TAGS]
PATH_FAULTS = [
    ({"output_path": "rows.xlsx"}, "must end in one of"),
    ({"output_path": "s3://bucket/*.csv"}, "must name one file"),
    ({"output_path": ""}, "must end in one of"),
    ({"output_path": 5}, "`output_path` must be text"),
    ({"output_path": "rows.csv", "output_conn_id": 5}, "`output_conn_id` must be text"),
    ({"smspartner_conn_id": ""}, "`smspartner_conn_id` must name an Airflow connection"),
    ({"smspartner_conn_id": 5}, "`smspartner_conn_id` must be text"),
]
LIST_FAULTS = [
    ({"messages": [*MESSAGES, {"phone": "+33639980003", "id": 5}]}, r"messages\[2\]: .*phone_number"),
    ({"messages": [*MESSAGES, ("+33639980003",)]}, r"messages\[2\]: a message is"),
    ({"messages": [("+33639980003x", 5)]}, r"messages\[0\]: phone_number"),
    ({"messages": [("+33639980003", 5.5)]}, r"messages\[0\]: message_id"),
    ({"messages": ["+33639980003"]}, r"messages\[0\]: a message is"),
    ({"messages": "s3://bucket/messages.xlsx"}, "must end in one of"),
    ({"messages": "two words"}, "neither a template nor the path of a file"),
    ({"messages": 5}, "`messages` must be a list of messages"),
    (
        {"messages": {"phone_number": "+33639980003", "message_id": 5}},
        "`messages` must be a list of messages",
    ),
]
NO_TOTALS: list[Any] = [-1, "many", 1.5, True, []]
TOTAL_FAULTS = [({"expected_total": total}, "`expected_total` must be") for total in NO_TOTALS]
LIMIT_FAULTS = [
    ({"max_xcom_rows": limit}, "`max_xcom_rows` must be") for limit in (-1, 1.5, "100", True, None)
]
WAIT_FAULTS = [
    *[
        ({"settled_ratio": ratio}, "`settled_ratio` must be above 0")
        for ratio in (0, 1.1, True, "1", float("nan"))
    ],
    *[
        ({"min_delivery_rate": rate}, "`min_delivery_rate` must be from 0")
        for rate in (-0.1, 95, True, "0.9")
    ],
    *[
        ({"not_found_grace": grace}, "`not_found_grace` must be a timedelta or a number of seconds")
        for grace in (-1, timedelta(seconds=-1), True, "600", None, float("nan"), float("inf"), 10**300)
    ],
    ({"deferrable": "False"}, "`deferrable` must be True or False"),
    ({"messages": []}, "`messages` is empty"),
    ({"tag": TAG, "messages": MESSAGES}, "exactly one of `tag` and `messages`"),
    ({"tag": None}, "exactly one of `tag` and `messages`"),
]


BAD_SENDERS = ["AB", "x" * 12, "A B", "Été", "", 12345, True, ["Airflow"]]
BAD_TIMES = ["tomorrow", "2126-11-27T09:00:00", datetime(2126, 11, 27, 9), 1_800_000_000, "", True]  # noqa: DTZ001
OWN_TEXTS = {"message": None}
SEND_FAULTS = [
    *[({"sender": sender}, "`sender` must be 3 to 11 letters") for sender in BAD_SENDERS],
    *[({"scheduled_at": at}, "`scheduled_at`") for at in BAD_TIMES],
    *[({name: "False"}, f"`{name}` must be True or False") for name in ("stop_notice", "unicode", "sandbox")],
    *[({name: None}, f"`{name}` must be True or False") for name in ("stop_notice", "unicode")],
    *[({"max_recipients": limit}, "`max_recipients` must be") for limit in (-1, 1.5, "100", True, None)],
    *[({"message": text}, "`message` must be text") for text in (33639980003, b"Hello", ["Hello"])],
    ({"message": " "}, "`message` is empty"),
    ({"message": "x" * 1531}, "1531 characters, which are 11 SMS"),
    ({"message": "x" * 671, "unicode": True}, "671 characters, which are 11 SMS"),
    ({"recipients": None}, "`recipients` must be a list"),
    ({"recipients": 33639980003}, "`recipients` must be a list"),
    ({"recipients": {"phone_number": "+33639980003"}}, "`recipients` must be a list"),
    ({"recipients": []}, "`recipients` is empty"),
    ({"recipients": "+33639980003"}, "neither a template nor the path of a file"),
    ({"recipients": "s3://bucket/numbers.xlsx"}, "must end in one of"),
    ({"recipients": ["+33639980003", "+3363998000"]}, r"recipients\[1\]: phone_number"),
    ({"recipients": ["{{ params.a }}", "+3363998000"]}, r"recipients\[1\]: phone_number"),
    ({"recipients": ["+33639980003", 33639980004]}, r"recipients\[1\]: phone_number must be text"),
    ({"recipients": ["+33639980003", "+33639980004"], "max_recipients": 1}, "more than 1 recipients"),
    ({**OWN_TEXTS, "recipients": ["+33639980003"]}, r"recipients\[0\]: a recipient with a text of its own"),
    ({**OWN_TEXTS, "recipients": [("+33639980003", "")]}, r"recipients\[0\]: message is empty"),
    ({**OWN_TEXTS, "recipients": [("+33639980003", 5)]}, r"recipients\[0\]: message must be text"),
    ({**OWN_TEXTS, "recipients": [{"phone_number": "+33639980003"}]}, r"recipients\[0\]: .*message"),
]


@pytest.mark.parametrize(
    ("make", "arguments", "fault"),
    [
        *[(by_tag, *each) for each in [*TAG_FAULTS, *PATH_FAULTS, *LIMIT_FAULTS]],
        (by_tag, {"tag": None}, "tag must"),
        (by_tag, {"allow_empty": "false"}, "`allow_empty` must be True or False"),
        *[(by_list, *each) for each in [*LIST_FAULTS, *PATH_FAULTS, *LIMIT_FAULTS]],
        (by_list, {"messages": None}, "`messages` must be a list of messages"),
        *[
            (sensor, *each)
            for each in [*TAG_FAULTS, *LIST_FAULTS, *PATH_FAULTS, *TOTAL_FAULTS, *LIMIT_FAULTS, *WAIT_FAULTS]
        ],
        *[(send, *each) for each in [*TAG_FAULTS, *PATH_FAULTS[-2:], *SEND_FAULTS]],
        *[(stop_list, *each) for each in [*PATH_FAULTS, *LIMIT_FAULTS]],
    ],
)
def test_literal_mistakes_are_told_when_the_dag_is_parsed(
    make: Make, arguments: dict[str, Any], fault: str
) -> None:
    with pytest.raises(SMSPartnerInputError, match=fault) as raised:
        make(**arguments)

    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, AirflowFailException)  # uses up no retries
    assert "3998" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_the_error_names_the_task() -> None:
    with pytest.raises(SMSPartnerInputError, match="Task 'fetch': tag must not contain white space"):
        by_tag(tag="two words")


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (by_tag, {"tag": "{{ params.tag }}"}),
        (by_tag, {"tag": "{% if ds %}two words{% endif %}"}),
        (by_tag, {"tag": "{# two words #}spring"}),
        (by_tag, {"tag": "SPRING", "output_path": "{{ params.folder }}/rows.{{ params.ending }}"}),
        (by_list, {"messages": "{{ params.path }}"}),
        (by_list, {"messages": []}),
        (by_list, {"messages": [("{{ params.phone }}", "{{ params.id }}")]}),
        (by_list, {"messages": [{"phone_number": "{{ params.phone }}", "message_id": 5}]}),
        (by_list, {"messages": iter([("nobody", "knows")])}),
        (by_list, {"messages": {("a set", "has no order")}}),
        (by_list, {"messages": "rows.csv"}),
        (by_list, {"messages": "s3://bucket/rows.parquet"}),
        (sensor, {"messages": "{{ ti.xcom_pull(task_ids='send') }}"}),
        (sensor, {"expected_total": "{{ params.total }}"}),
        (sensor, {"expected_total": "12"}),
        (sensor, {"expected_total": 0}),
        (send, {"tag": None, "sender": None, "scheduled_at": None, "sandbox": None}),
        (send, {"recipients": "{{ params.path }}"}),
        (send, {"recipients": "s3://bucket/numbers.csv"}),
        (send, {"recipients": {"+33639980001"}}),
        (send, {"recipients": ["{{ params.a }}", "{{ params.b }}"]}),
        (send, {"recipients": [("{{ params.a }}", "Hello")], "message": None}),
        (send, {"recipients": [("+33639980001", "Hello {{ ds }}")], "message": None}),
        (send, {"recipients": ["+33639980001"] * MAX_PARSED_MESSAGES + ["wrong, but far down"]}),
        (send, {"message": "{{ params.text }}", "tag": "{{ a b }}", "sender": "{{ a }}"}),
        (send, {"scheduled_at": "{{ macros.datetime.now() }}"}),
        (send, {"scheduled_at": datetime(2126, 11, 27, 9, tzinfo=UTC)}),
        (stop_list, {"output_path": "{{ ds }}.csv", "output_conn_id": None}),
        (sensor, {"messages": [("+33639980001", 5)] * MAX_PARSED_MESSAGES + [("wrong", "but far down")]}),
    ],
)
def test_what_may_be_right_is_not_refused_when_the_dag_is_parsed(
    make: Make, arguments: dict[str, Any]
) -> None:
    make(**arguments)


def test_an_upstream_tasks_output_is_not_looked_at() -> None:
    with DAG("upstream", schedule=None):

        @task
        def send() -> Any:
            return None

        sent: Any = send()
        for name in ("tag", "output_path", "output_conn_id", "smspartner_conn_id"):
            SMSPartnerStatusByTagOperator(task_id=f"fetch_{name}", **cast("Any", {"tag": TAG, name: sent}))
        for number, messages in enumerate([sent, sent["messages"], [sent], [(sent, 5)]]):
            SMSPartnerMultiStatusOperator(task_id=f"fetch_list_{number}", messages=messages)
        SMSPartnerCampaignSensor(task_id="wait", tag=sent, expected_total=sent)
        SMSPartnerCampaignSensor.partial(task_id="wait_mapped").expand(tag=sent)
        SMSPartnerStatusByTagOperator.partial(task_id="fetch_mapped", tag=TAG).expand(output_path=sent)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [(by_tag, {"tag": "two words"}), (sensor, {"messages": []}), (sensor, {"tag": "two words"})],
)
def test_a_mapped_task_is_told_when_it_executes(
    double: SMSPartnerDouble, make: Make, arguments: dict[str, Any]
) -> None:
    # As Airflow makes it when it starts: `soft_fail` of the sensor counts from `execute` on only.
    mapped = make(**arguments, _airflow_from_mapped=True)

    with pytest.raises(SMSPartnerInputError):
        mapped.execute(new_context())

    assert double.requests == []


def test_a_dag_with_jinja_markers_of_its_own_is_not_refused() -> None:
    with DAG("own", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        by_tag(tag="[[ params.tag ]]")


@pytest.mark.parametrize(
    ("make", "name", "value", "fault"),
    [
        *[(make, "tag", tag, "tag must") for make in (by_tag, sensor) for tag in (*BAD_TAGS,)],
        *[
            (make, name, value, fault)
            for make in (by_tag, by_list, sensor)
            for name, value, fault in [
                ("output_path", "rows.xlsx", "must end in one of"),
                ("output_path", "*.csv", "must name one file"),
                ("output_conn_id", 5, "`output_conn_id` must be text"),
                ("smspartner_conn_id", "", "`smspartner_conn_id` must name an Airflow connection"),
            ]
        ],
        *[(send, "sender", sender, "`sender` must be 3 to 11") for sender in BAD_SENDERS],
        *[(send, "scheduled_at", at, "`scheduled_at`") for at in (*BAD_TIMES, "2020-11-27T09:00:00+01:00")],
        *[(send, "tag", tag, "tag must") for tag in BAD_TAGS],
        (send, "message", 33639980003, "`message` must be text"),
        (send, "message", " ", "`message` is empty"),
        (send, "recipients", [], "`recipients` is empty"),
        (send, "recipients", "['+33639980003']", "A Jinja template renders to text"),
        (send, "recipients", ["+33639980003"] * 5 + ["+3363998000"], r"recipients\[5\]: phone_number"),
        (send, "smspartner_conn_id", "", "`smspartner_conn_id` must name an Airflow connection"),
        (stop_list, "output_path", "rows.xlsx", "must end in one of"),
        (sensor, "expected_total", "many", "`expected_total` must be"),
        (sensor, "expected_total", "-1", "`expected_total` must be"),
    ],
)
def test_rendered_mistakes_are_told_before_anything_is_sent(
    double: SMSPartnerDouble, make: Make, name: str, value: object, fault: str
) -> None:
    operator = make()
    setattr(operator, name, value)

    with pytest.raises(SMSPartnerInputError, match=fault) as raised:
        operator.execute(new_context())

    assert double.requests == []
    assert "3998" not in str(raised.value)


@pytest.mark.parametrize("grace", [600, 600.0, timedelta(minutes=10)])
def test_the_grace_may_be_seconds(grace: Any) -> None:
    assert sensor(not_found_grace=grace).not_found_grace == timedelta(minutes=10)


def test_arguments_from_default_args_are_checked() -> None:
    with (
        DAG("defaults", schedule=None, default_args={"settled_ratio": 2, "not_found_grace": 60}),
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


@pytest.mark.parametrize("make", [by_tag, by_list, sensor])
@pytest.mark.parametrize("context", [{}, None])
def test_runs_without_a_task_instance(double: SMSPartnerDouble, make: Make, context: Any) -> None:
    for message in MESSAGES:
        double.add_message(*message, "Delivered", tag=TAG)

    assert len(make().execute(context)) == 2


def test_a_deferrable_sensor_runs_without_a_task_instance(double: SMSPartnerDouble) -> None:
    double.add_message(*MESSAGES[0], "Waiting", "Delivered", tag=TAG)
    waiting = sensor(deferrable=True, min_delivery_rate=0.5)

    with pytest.raises(TaskDeferred):
        waiting.execute({})

    assert len(waiting.execute_complete({}, event={"verdict": "done", "counts": {"Delivered": 1}})) == 1


def test_rescheduling_without_a_task_instance_says_what_to_do(double: SMSPartnerDouble) -> None:
    with pytest.raises(SMSPartnerInputError, match=r"`dag\.test\(\)`"):
        sensor(mode="reschedule").execute({})


def test_the_log_and_the_errors_of_an_operator_name_the_tag(
    double: SMSPartnerDouble, logged: Callable[[str], int]
) -> None:
    double.add_campaign(TAG, size=120, settle_seconds=0)

    by_tag().execute({})

    assert logged(f"Fetched 120 rows of the tag '{TAG}': 120 of 120 settled") == 1
    with pytest.raises(Exception, match="'unheard-of'"):
        by_tag(tag="unheard-of").execute({})
    double.misbehave(Fault.status(503), times=None)
    with pytest.raises(SMSPartnerUnavailableError, match=f"he tag '{TAG}'.*503") as raised:
        by_tag().execute({})
    assert raised.value.http_status == 503
    assert str(raised.value).count(TAG) == 1


def test_the_log_of_an_operator_names_the_file_of_messages_but_no_message(
    double: SMSPartnerDouble, logged: Callable[[str], int], tmp_path: Path
) -> None:
    path = tmp_path / "messages.csv"
    path.write_text("phone_number,message_id\n+33639980001,1001\n")

    by_list(messages=str(path)).execute({})
    by_list().execute({})

    assert logged(f"Fetched 1 rows of the messages in '{path}'") == 1
    assert logged("Fetched 2 rows of the list of messages") == 1
    assert logged("3998000") == 0


@pytest.mark.parametrize("case", [((3, 3), 5, 1), ((3, 3), 6, 0), ((2, 11), 5, 0), ((3, 4), 5, 0)], ids=str)
def test_an_interval_that_airflow_3_3_cannot_keep_is_warned_about_once(
    double: SMSPartnerDouble,
    case: tuple[tuple[int, int], float, int],
    monkeypatch: pytest.MonkeyPatch,
    logged: Callable[[str], int],
) -> None:
    version, interval, warnings = case
    monkeypatch.setattr(arguments, "_airflow_version", lambda: version)
    double.add_message(*MESSAGES[0], "Waiting", tag=TAG)
    waiting = sensor(deferrable=True, poke_interval=interval)
    assert logged("apache/airflow") == 0

    with pytest.raises(TaskDeferred):
        waiting.execute(new_context())
    with pytest.raises(TaskDeferred):
        waiting.execute_complete(new_context(), event={"verdict": "done", "counts": {}})

    assert logged("issue 71580 of apache/airflow") == warnings


def test_the_version_of_airflow_is_read() -> None:
    assert arguments._airflow_version() >= ((3, 0) if AIRFLOW_3 else (2, 11))


def test_checking_literals_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator\n"
        "from airflow_provider_smspartner.operators.smspartner import *\n"
        "from airflow_provider_smspartner.sensors.smspartner import *\n"
        # What Airflow loads with the first operator is not ours.
        "BaseOperator(task_id='plain')\n"
        "before = set(sys.modules)\n"
        "SMSPartnerMultiStatusOperator(task_id='a', messages=[('+33639980001', 5)], output_path='s3://b/c.parquet')\n"
        "SMSPartnerMultiStatusOperator(task_id='b', messages='s3://b/c.csv')\n"
        "SMSPartnerCampaignSensor(task_id='c', tag='spring')\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    loaded = done.stdout.split()
    assert not {"aiohttp", "fsspec", "phonenumbers", "pyarrow", "requests", "tenacity"} & set(loaded)
