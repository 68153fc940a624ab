"""What the events of outlet assets hold, in every mode of the sensor and for the operators."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from harness import AIRFLOW_3, new_context
from sensors.waits import MESSAGES, TAG, add, finish

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


@pytest.mark.parametrize(("deferrable", "lands"), [(True, False), (False, True)], ids=["deferrable", "file"])
def test_the_sensor_attaches_its_summary(
    double: SMSPartnerDouble, deferrable: bool, lands: bool, tmp_path: Path
) -> None:
    add(double, ["Waiting", "Delivered"], ["Delivered"], ["KO"])
    context = context_with_events()
    path = {"output_path": f"{tmp_path}/rows.ndjson"} if lands else {}

    finish(context, outlets=[SPRING, ALL], deferrable=deferrable, **path)

    summary = context["ti"].xcoms["summary"]
    assert (summary["total"], summary["delivered"], summary["ko"]) == (3, 2, 1)
    for asset in (SPRING, ALL):
        assert context["outlet_events"][asset].extra == {"smspartner": summary}


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (SMSPartnerStatusByTagOperator, {"tag": TAG}),
        (SMSPartnerMultiStatusOperator, {"messages": MESSAGES}),
        (SMSPartnerSendOperator, {"recipients": ["+33639980001"], "message": "Hello"}),
    ],
)
def test_an_operator_adds_its_summary_to_the_events_of_assets(
    double: SMSPartnerDouble, operator: Any, arguments: dict[str, Any]
) -> None:
    add(double, ["Delivered"], ["Delivered"], ["KO"])
    context = context_with_events()
    context["outlet_events"][SPRING].extra["owner"] = "sales"

    operator(task_id="fetch", outlets=[ALIAS, SPRING], **arguments).execute(context)

    assert context["outlet_events"][SPRING].extra == {
        "owner": "sales",
        "smspartner": context["ti"].xcoms["summary"],
    }
    assert context["outlet_events"][ALIAS].extra == {}


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no references to assets")
def test_outlets_may_be_references_and_one_that_airflow_does_not_know_fails_nothing(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    context = context_with_events()

    def found(name: str | None = None, uri: str | None = None) -> Any:
        if name == "nobody":
            raise RuntimeError("ASSET_NOT_FOUND")
        return Asset(name=name or "winter", uri=uri or "smspartner://summer")

    # In a task it asks Airflow's server, by the supervisor.
    monkeypatch.setattr(type(context["outlet_events"]), "_get_asset_from_db", staticmethod(found))
    refs = [Asset.ref(name="summer"), Asset.ref(name="nobody"), Asset.ref(uri="smspartner://winter")]

    send = SMSPartnerSendOperator(
        task_id="send", recipients=["+33639980001"], message="Hello", outlets=[*refs, SPRING]
    )
    assert len(send.execute(context)) == 1

    summary = context["ti"].xcoms["summary"]
    for name, uri in (("summer", "smspartner://summer"), ("winter", "smspartner://winter")):
        assert context["outlet_events"][Asset(name=name, uri=uri)].extra == {"smspartner": summary}
    assert context["outlet_events"][SPRING].extra == {"smspartner": summary}
    (warning,) = [each.getMessage() for each in caplog.records if each.name.endswith("outlets")]
    assert "AssetNameRef(name='nobody') does not get the summary" in warning
