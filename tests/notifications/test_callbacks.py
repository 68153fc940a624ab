"""The notifier as the callback of tasks, in a real Airflow."""

from __future__ import annotations

import pytest
from harness import run_dag
from told import assert_nothing_in

from airflow_provider_smspartner.testing import SMSPartnerDouble

TEAM = ("+33639980001", "+33639980002")

# Airflow's scheduler and API run in this process, with warnings of their own.
pytestmark = pytest.mark.filterwarnings("default")


def test_tasks_tell_by_sms_how_they_ended(
    double: SMSPartnerDouble,
    monkeypatch: pytest.MonkeyPatch,
    metadata_database: None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with SMSPartnerDouble(api_key="poor") as poor:
        poor.credit_sms = 0
        for env in (double.connection_env("sandbox", sandbox=True), poor.connection_env("poor")):
            for name, value in env.items():
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIRFLOW_VAR_SMSPARTNER_TEAM", ", ".join(TEAM))

        run = run_dag("callbacks")

        assert poor.sent == []
    ended = {each.task_id: str(each.state) for each in run.dag_run.get_task_instances()}
    assert ended.pop("done") == "success"
    assert set(ended.values()) == {"failed"}
    told: dict[str, list[object]] = {}
    for sms in double.sent:
        told.setdefault(sms.text, []).append((sms.phone_number[-1], sms.tag, sms.sender, sms.sandbox))
    assert told == {
        "callbacks.one_number has failed": [("1", "one", "Airflow", False)],
        "x" * 1530: [("1", None, None, True), ("2", None, None, True)],
        "done is done": [("1", None, None, False), ("2", None, None, False)],
        "task_failure is done": [("1", None, None, False), ("2", None, None, False)],
    }
    printed = "".join(capfd.readouterr())
    # Airflow 3.0 prints what it is asked to mask, here the variable; and it breaks lines where the terminal ends.
    lines = [line for line in (caplog.text + printed).splitlines() if "msg=MaskSecret(" not in line]
    logged = " ".join(" ".join(lines).split())
    for fault in (
        "recipients[1]: phone_number is neither",
        "the template of `recipients` cannot be rendered (ZeroDivisionError)",
        "SMSPartnerCreditError",
        "The text has 2000 characters and is cut to 1530, the most that 10 SMS hold.",
        "2 of 2 recipients accepted, message id",
    ):
        assert fault in logged
    assert_nothing_in([logged])
    assert "A text of the team" not in logged
