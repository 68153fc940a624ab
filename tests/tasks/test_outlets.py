"""What the events of outlet assets hold, in every mode of the sensor and for the operators."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from harness import AIRFLOW_3, new_context
from sensors.waits import MESSAGES, TAG, add, finish

from airflow_provider_smspartner.exceptions import SMSPartnerDeliveryRateError
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
)
from airflow_provider_smspartner.testing import SMSPartnerDouble

SPRING, ALL = Asset("smspartner://spring"), Asset("smspartner://all")
ALIAS = AssetAlias("campaigns")


def context_with_events() -> Any:
    """Return a context with Airflow's own events of outlets."""
    module = "airflow.sdk.execution_time.context" if AIRFLOW_3 else "airflow.utils.context"
    return {**new_context(), "outlet_events": importlib.import_module(module).OutletEventAccessors()}


@pytest.mark.parametrize("arguments", [{"deferrable": True}, {"deferrable": False}], ids=str)
@pytest.mark.parametrize("where", ["xcom", "file"])
def test_the_sensor_attaches_its_summary(
    double: SMSPartnerDouble, arguments: dict[str, Any], where: str, tmp_path: Path
) -> None:
    add(double, ["Waiting", "Delivered"], ["Delivered"], ["KO"])
    context = context_with_events()
    path = {"output_path": f"{tmp_path}/rows.ndjson"} if where == "file" else {}

    finish(context, outlets=[SPRING, ALL], **arguments, **path)

    summary = context["ti"].xcoms["summary"]
    assert (summary["total"], summary["delivered"], summary["ko"]) == (3, 2, 1)
    for asset in (SPRING, ALL):
        assert context["outlet_events"][asset].extra == {"smspartner": summary}


def test_operators_attach_their_summary(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"], ["Delivered"], ["KO"])
    for operator in (
        SMSPartnerStatusByTagOperator(task_id="fetch", tag=TAG, outlets=[SPRING]),
        SMSPartnerMultiStatusOperator(task_id="fetch", messages=MESSAGES, outlets=[SPRING]),
        SMSPartnerSendOperator(
            task_id="send", recipients=["+33639980001"], message="Hello", outlets=[SPRING]
        ),
    ):
        context = context_with_events()

        operator.execute(context)

        assert context["outlet_events"][SPRING].extra == {"smspartner": context["ti"].xcoms["summary"]}


def test_without_xcom_the_event_holds_the_summary_all_the_same(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"])
    context = context_with_events()

    SMSPartnerStatusByTagOperator(task_id="fetch", tag=TAG, outlets=[SPRING], do_xcom_push=False).execute(
        context
    )

    assert context["ti"].xcoms == {}
    assert context["outlet_events"][SPRING].extra["smspartner"]["delivered"] == 1


def test_what_the_dag_has_put_into_the_event_stays(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"])
    context = context_with_events()
    context["outlet_events"][SPRING].extra["owner"] = "sales"

    SMSPartnerStatusByTagOperator(task_id="fetch", tag=TAG, outlets=[SPRING]).execute(context)

    assert set(context["outlet_events"][SPRING].extra) == {"owner", "smspartner"}


def test_other_outlets_than_assets_are_left_alone(double: SMSPartnerDouble) -> None:
    add(double, ["Delivered"])
    context = context_with_events()

    SMSPartnerStatusByTagOperator(task_id="fetch", tag=TAG, outlets=[ALIAS, SPRING]).execute(context)

    assert len(context["outlet_events"]) == 1
    assert context["outlet_events"][ALIAS].extra == {}
    assert "smspartner" in context["outlet_events"][SPRING].extra


@pytest.mark.parametrize("context", [{}, new_context()], ids=["empty", "without events"])
def test_a_context_without_events_will_do(double: SMSPartnerDouble, context: Any) -> None:
    add(double, ["Delivered"])

    rows = SMSPartnerStatusByTagOperator(task_id="fetch", tag=TAG, outlets=[SPRING]).execute(context)

    assert len(rows) == 1


def test_a_campaign_below_its_rate_fails_after_the_summary_was_attached(double: SMSPartnerDouble) -> None:
    # Airflow stores no event of a task that has failed: see tests/example_dags.
    add(double, ["KO"])
    context = context_with_events()

    with pytest.raises(SMSPartnerDeliveryRateError):
        finish(context, outlets=[SPRING], min_delivery_rate=0.5)

    assert context["outlet_events"][SPRING].extra["smspartner"]["ko"] == 1
