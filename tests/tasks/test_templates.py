"""How arguments are rendered: in a real Airflow, and one by one."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException
from harness import new_context, run_dag
from told import Capture, assert_nothing_in, captured, told_by

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

NUMBER = "+33639980001"
TABLE = {"table": "statuses", "sql_conn_id": "warehouse"}
KINDS: dict[Any, dict[str, Any]] = {
    SMSPartnerStatusByTagOperator: {"tag": "spring"},
    SMSPartnerMultiStatusOperator: {"messages": [(NUMBER, "1001")]},
    SMSPartnerStopListOperator: {},
    SMSPartnerSendOperator: {"recipients": [NUMBER], "message": "Hello"},
    SMSPartnerCampaignSensor: {"messages": [(NUMBER, "1001")], "deferrable": False},
    SMSPartnerStatusToSqlOperator: {"tag": "spring", **TABLE},
}


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Any:
    yield from captured(monkeypatch)


def made(kind: Any, *, native: bool = False, **arguments: Any) -> Any:
    with DAG("templates", schedule=None, render_template_as_native_obj=native):
        return kind(task_id="task", **{**KINDS[kind], **arguments})


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_was_given_is_never_taken_for_not_given(
    kind: Any, native: bool, double: SMSPartnerDouble
) -> None:
    names = set(kind.template_fields) - {"tag", "messages"} | set(kind.template_fields) & set(KINDS[kind])
    for name in names:
        task = made(kind, native=native, **{name: "{{ nothing }}"})
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


def test_an_argument_that_a_subclass_has_added_is_rendered_as_airflow_does(
    double: SMSPartnerDouble,
) -> None:
    class Picked(SMSPartnerSendOperator):
        template_fields = (*SMSPartnerSendOperator.template_fields, "rows", "least")

        def __init__(self, *, rows: Any, least: Any, **kwargs: Any) -> None:
            super().__init__(recipients=[], message="Hello", **kwargs)
            self.rows, self.least = rows, least

    with DAG("added", schedule=None, render_template_as_native_obj=True):
        task: Any = Picked(task_id="task", rows=["{{ rows }}"], least="{{ none }}")
    task.render_template_fields({"rows": [1]})

    assert (task.rows, task.least) == ([[1]], None)
    with pytest.raises(AirflowSkipException):
        task.execute(new_context())


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

    with pytest.raises(SMSPartnerError, match=rf"^Task 'task': .* `{name}` .* \({error}\)") as raised:
        task.render_template_fields({"fails": fails})

    # Trouble that may pass is tried again, and a mistake is not.
    assert isinstance(raised.value, SMSPartnerInputError) == (error != "OSError")
    told = [*told_by(raised.value), *capture.texts]
    assert_nothing_in(told)
    assert not any("A text" in text for text in told)


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
        **{(name, -1): "success" for name in ("numbers", "texts", "rows", "send")},
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
        "'arguments' # 1 {{ x }}": [("1", "20261127"), ("2", "20261127")],
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
