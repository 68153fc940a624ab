"""What the provider really gives as JSON, made against the double: what the pages show of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import TaskInstance

from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
)
from airflow_provider_smspartner.testing import SMSPartnerDouble

MESSAGES = [("+33639980000", 1), ("+33639980001", 2)]


def make(double: SMSPartnerDouble) -> dict[str, list[Any]]:
    """Return samples of each shape by its name: a page names one, or shows any of them."""
    double.add_message("+33639980001", 2, "Numéro introuvable")
    by_tag = xcoms(SMSPartnerStatusByTagOperator(task_id="by_tag", tag="spring"))
    by_list = xcoms(SMSPartnerMultiStatusOperator(task_id="by_list", messages=MESSAGES))
    recipients = {"recipients": ["+33639980000"], "message": "Hello"}
    sends = [
        xcoms(SMSPartnerSendOperator(task_id="send", **recipients, **tag))["summary"]  # type: ignore[arg-type]
        for tag in ({}, {"tag": "sale"})
    ]
    summaries = [by_tag["summary"], by_list["summary"]]
    return {
        "row": by_tag["return_value"] + by_list["return_value"],
        "summary": summaries,
        "event of an asset": [{"smspartner": each} for each in summaries + sends],
    }


def xcoms(operator: Any) -> dict[str, Any]:
    """Run an operator, and return what it pushes."""
    ti = TaskInstance()
    returned = operator.execute({"ti": ti})
    return {**ti.xcoms, "return_value": returned}


def difference(shown: Any, real: list[Any], at: str = "") -> str | None:
    """
    Return where a value is not of the same shape as any sample; None where it is.

    Keys must be the same, and types: null only where a sample has it.

    :param real: the samples.
    :param at: where the value stands in what is shown.
    """
    if isinstance(shown, dict):
        real = [each for each in real if isinstance(each, dict)]
        keys = {frozenset(each) for each in real}
        if frozenset(shown) not in keys:
            return f"{at or 'the object'} has the keys {sorted(shown)}, and not {[sorted(each) for each in keys]}"
        return _first(
            difference(value, [each[key] for each in real if key in each], f"{at}.{key}")
            for key, value in shown.items()
        )
    if isinstance(shown, list):
        items = [item for each in real if isinstance(each, list) for item in each]
        return _first(difference(item, items, f"{at}[{number}]") for number, item in enumerate(shown))
    if _type(shown) not in {_type(each) for each in real}:
        return f"{at} is {shown!r}, and not {' or '.join(sorted({_type(each) for each in real}))}"
    return None


def _first(found: Iterable[str | None]) -> str | None:
    return next((each for each in found if each is not None), None)


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return "a number" if isinstance(value, int | float) else type(value).__name__
