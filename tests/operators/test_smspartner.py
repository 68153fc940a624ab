"""The operators, against the double."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from harness import new_context

from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerNotFoundError
from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerStatusByTagOperator,
)
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "spring"
MESSAGES = [("+33639980001", "1001"), ("+33639980002", "1002"), ("+33639980003", "1003")]


def by_tag(**arguments: Any) -> SMSPartnerStatusByTagOperator:
    return SMSPartnerStatusByTagOperator(task_id="fetch", **{"tag": TAG, **arguments})


def by_list(**arguments: Any) -> SMSPartnerMultiStatusOperator:
    return SMSPartnerMultiStatusOperator(task_id="fetch", **{"messages": MESSAGES, **arguments})


def test_fetches_all_pages_of_a_tag(double: SMSPartnerDouble) -> None:
    double.add_campaign(TAG, size=120, settle_seconds=0, outcomes={"Delivered": 0.95, "Not delivered": 0.05})
    context = new_context()

    rows = by_tag().execute(context)

    summary = context["ti"].xcoms["summary"]
    assert len(rows) == 120
    assert len(double.requests) == 3
    assert (summary["total"], summary["delivered"], summary["not_delivered"]) == (120, 114, 6)
    assert (summary["settled"], summary["delivery_rate"]) == (True, 0.95)
    assert datetime.fromisoformat(summary["checked_at"]).utcoffset() is not None


def test_gives_rows_by_tag_in_plain_json(double: SMSPartnerDouble) -> None:
    double.add_message(*MESSAGES[0], "Delivered", tag=TAG, stop_sms=True)

    (row,) = by_tag().execute(new_context())

    assert re.fullmatch(r"20..-..-..T..:..:..\+00:00", row.pop("date") or "")
    assert json.loads(json.dumps(row)) == {
        "phone_number": "+33639980001",
        "message_id": None,
        "status": "Delivered",
        "raw_status": "Delivered",
        "stop_sms": True,
        "is_spam": None,
        "code": None,
    }


def test_gives_a_row_for_each_message_in_order(double: SMSPartnerDouble) -> None:
    double.add_message(*MESSAGES[0], "Delivered", is_spam=True)
    double.add_message(*MESSAGES[2], "Waiting")
    context = new_context()

    rows = by_list(messages=[MESSAGES[2], *MESSAGES]).execute(context)

    assert [(row["message_id"], row["status"], row["is_spam"], row["code"]) for row in rows] == [
        ("1003", "Waiting", False, 200),
        ("1001", "Delivered", True, 200),
        ("1002", "Not found", None, 4),
    ]
    assert rows[2]["raw_status"] == "Numéro introuvable"
    assert context["ti"].xcoms["summary"]["settled"] is False
    assert context["ti"].xcoms["summary"]["not_found"] == 1


def test_an_empty_list_is_no_campaign_and_asks_for_nothing(double: SMSPartnerDouble) -> None:
    context = new_context()

    assert by_list(messages=[]).execute(context) == []
    assert context["ti"].xcoms["summary"]["total"] == 0
    assert context["ti"].xcoms["summary"]["delivery_rate"] is None
    assert double.requests == []


@pytest.mark.parametrize("unknown_tag", ["not_found", "empty"])
def test_an_unknown_tag_fails_unless_it_may_be_empty(
    unknown_tag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SMSPartnerDouble(api_key="key", unknown_tag=unknown_tag) as double:
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        context = new_context()

        with pytest.raises(SMSPartnerNotFoundError):
            by_tag().execute(new_context())
        assert by_tag(allow_empty=True).execute(context) == []

    assert context["ti"].xcoms["summary"]["total"] == 0


def test_allow_empty_hides_no_other_error(double: SMSPartnerDouble) -> None:
    double.misbehave(Fault.error(10))

    with pytest.raises(SMSPartnerCredentialsError):
        by_tag(allow_empty=True).execute(new_context())


@pytest.mark.parametrize(
    ("operator", "fault"),
    [
        (by_tag(tag="two words"), "white space"),
        (by_list(messages=[*MESSAGES, {"phone_number": "+33639980001"}]), r"messages\[3\]: message_id"),
    ],
)
def test_refuses_bad_input_before_anything_is_sent(
    double: SMSPartnerDouble, operator: Any, fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        operator.execute(new_context())

    assert double.requests == []


def test_uses_its_connection(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    double.add_message(*MESSAGES[0], "Delivered", tag=TAG)
    for name, value in double.connection_env("other").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT")

    assert len(by_tag(smspartner_conn_id="other").execute(new_context())) == 1


def test_pushes_no_summary_where_no_xcom_is_wanted(double: SMSPartnerDouble) -> None:
    double.add_message(*MESSAGES[0], "Delivered", tag=TAG)
    context = new_context()

    by_tag(do_xcom_push=False).execute(context)

    assert context["ti"].xcoms == {}


@pytest.mark.parametrize(
    ("operator", "templated"),
    [(by_tag(), {"tag", "smspartner_conn_id"}), (by_list(), {"messages", "smspartner_conn_id"})],
)
def test_every_argument_but_allow_empty_is_templated(operator: Any, templated: set[str]) -> None:
    assert set(operator.template_fields) == templated


@pytest.mark.parametrize("operator", [by_tag(), by_list()])
def test_links_to_the_account(operator: Any) -> None:
    (link,) = operator.operator_extra_links

    assert isinstance(link, SMSPartnerAccountLink)
    assert link.get_link(operator, ti_key=None) == "https://my.smspartner.fr/"
