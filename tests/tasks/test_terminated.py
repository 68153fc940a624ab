"""Tasks that are terminated before they begin: while Airflow renders their templates, or just after."""

from __future__ import annotations

import pytest
from harness import AIRFLOW_3, new_context, run_dag

from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator
from airflow_provider_smspartner.testing import SMSPartnerDouble


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


def test_a_kill_between_airflows_last_step_and_the_first_of_the_task(double: SMSPartnerDouble) -> None:
    operator = SMSPartnerSendOperator(task_id="send", recipients=["+33639980001"], message="Hello")
    context = new_context()
    operator.pre_execute(context)
    operator.on_kill()
    with pytest.raises(
        SMSPartnerError, match="terminated before it began; nothing was asked, and nothing was sent"
    ):
        operator.execute(context)
    assert double.requests == []
