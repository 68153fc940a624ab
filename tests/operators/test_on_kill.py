"""A task that is terminated: it asks no more, delivers nothing and leaves nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest
from harness import AIRFLOW_3, new_context, run_dag
from killing import held, killed, slowly

from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
)
from airflow_provider_smspartner.testing import SMSPartnerDouble

# What is asked at once.
IN_FLIGHT = 4


# Each case is a process that imports Airflow: what the handler does is looked at once.
@pytest.mark.parametrize(
    ("kind", "arguments", "answered", "lands", "raises"),
    [
        pytest.param("SMSPartnerStatusByTagOperator", {"tag": "spring"}, 2, True, False, id="tag, file"),
        pytest.param(
            "SMSPartnerMultiStatusOperator",
            {"messages": [[f"+336{n:08}", n] for n in range(500 * 20)]},
            2,
            True,
            True,
            id="list, file, the handler raises",
        ),
        pytest.param(
            "SMSPartnerStopListOperator", {}, 0, False, False, id="stop list, xcom", marks=pytest.mark.nightly
        ),
    ],
)
def test_a_terminated_fetch_ends_soon_without_a_result(  # noqa: PLR0917 - fixtures
    double: SMSPartnerDouble,
    tmp_path: Path,
    kind: str,
    arguments: dict[str, Any],
    answered: int,
    lands: bool,
    raises: bool,
) -> None:
    double.add_campaign("spring", size=50 * 200, settle_seconds=0)
    double.add_stop("+33639980001")
    is_handled = threading.Event()
    if answered:
        double.misbehave(slowly(0), times=answered)
    double.misbehave(held(is_handled), times=None)
    target = tmp_path / "rows.ndjson"
    target.write_text("old")

    told, later = killed(
        double,
        kind,
        {**arguments, **({"output_path": str(target)} if lands else {}), "max_xcom_rows": 1_000_000},
        raises=raises,
        # All that may be asked at once is held: it waits. An error that is raised while it hands calls to threads may
        # leave these locked.
        when=lambda: (
            len(double.requests) >= (answered + IN_FLIGHT if lands else 1)
            and len(list(tmp_path.iterdir())) == 1 + lands
        ),
        then=is_handled.set,
    )

    assert told["outcome"].startswith("Terminated" if raises else "SMSPartnerError: The task was terminated")
    assert told["xcoms"] == {}
    assert later <= IN_FLIGHT + 1
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_kill_while_the_file_is_published_delivers_nothing_else(
    double: SMSPartnerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.add_campaign("spring", size=20, settle_seconds=0)
    target = tmp_path / "rows.csv"
    operator = SMSPartnerStatusByTagOperator(task_id="fetch", tag="spring", output_path=str(target))
    replace = Path.replace

    def killed_then(self: Path, other: Any) -> Path:
        operator.on_kill()
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", killed_then)
    context = new_context()
    with pytest.raises(SMSPartnerError, match="terminated"):
        operator.execute(context)
    assert context["ti"].xcoms == {}
    assert list(tmp_path.iterdir()) == []


def test_a_kill_after_the_file_was_published_says_that_it_is_there(
    double: SMSPartnerDouble, tmp_path: Path
) -> None:
    double.add_campaign("spring", size=20, settle_seconds=0)
    target = tmp_path / "rows.csv"
    operator = SMSPartnerStatusByTagOperator(task_id="fetch", tag="spring", output_path=str(target))

    class KilledByItsSummary:
        def xcom_push(self, **_: Any) -> None:
            operator.on_kill()

    with pytest.raises(
        SMSPartnerError, match=f"terminated after its file was written: .*{target} is complete"
    ):
        operator.execute(cast("Any", {"ti": KilledByItsSummary()}))
    assert len(target.read_text().splitlines()) == 1 + 20


def test_an_operator_can_be_executed_again_after_a_kill(double: SMSPartnerDouble) -> None:
    double.add_campaign("spring", size=20, settle_seconds=0)
    operator = SMSPartnerStatusByTagOperator(task_id="fetch", tag="spring")
    operator.on_kill()
    assert len(operator.execute(new_context())) == 20
    operator.on_kill()
    assert len(operator.execute(new_context())) == 20


@pytest.mark.nightly
@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 ends the task with an error in the signal's handler")
def test_no_task_begins_that_is_terminated_while_it_is_rendered(
    double: SMSPartnerDouble, metadata_database: None, capfd: pytest.CaptureFixture[str]
) -> None:
    double.add_campaign("spring", size=1, settle_seconds=0)

    run = run_dag("terminated")

    ends = {(task.task_id, task.map_index): task.state for task in run.dag_run.get_task_instances()}
    assert len(ends) == 9
    assert {*ends.values()} == {"failed"}
    assert double.requests == []
    assert double.sent == []
    assert capfd.readouterr().out.count("The task was terminated before it began") >= len(ends)


def test_a_kill_just_before_a_task_begins_keeps_it_from_beginning(double: SMSPartnerDouble) -> None:
    operator = SMSPartnerSendOperator(task_id="send", recipients=["+33639980001"], message="Hello")
    context = new_context()
    operator.pre_execute(context)
    operator.on_kill()
    with pytest.raises(
        SMSPartnerError, match="terminated before it began; nothing was asked, and nothing was sent"
    ):
        operator.execute(context)
    assert double.requests == []
