"""Cancelling a scheduled send: what the vendor answers, code by code."""

from __future__ import annotations

import pytest
from combinations import in_turn
from protocol.samples import (
    CANCELLED,
    FAKE_SUCCESS,
    MULTI_STATUS,
    STOP_LIST,
    answer_of,
    cancel_call,
    error_of,
    refused,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import codes


@pytest.mark.parametrize(
    ("body", "http_status"),
    [
        (CANCELLED, 200),
        ({"success": True, "code": "200"}, 200),
        ({"success": True, "code": 5}, 200),
        (refused("5"), 200),
        (refused(5), 409),
        ({"success": False, "code": 9999, "errors": [{"code": "5"}]}, 400),
    ],
    ids=str,
)
def test_cancelled_or_cancelled_already(body: object, http_status: int) -> None:
    cancel_call().read(answer_of(body, http_status))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (FAKE_SUCCESS, "without saying that a message was cancelled"),
        (MULTI_STATUS, "another call"),
        (STOP_LIST, "another call"),
        ({"success": True, "code": 200, "credits": {}}, "another call"),
        ({"success": True, "code": 200, "message_id": 307}, "another call"),
        ({"success": True}, "without the code 200"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_not_believed(body: object, fault: str) -> None:
    error = error_of(cancel_call(), body)

    assert type(error) is SMSPartnerUnavailableError
    assert fault in str(error)


@in_turn(
    refusal={
        "4": (4, SMSPartnerNotFoundError, "does not know the message that it was asked to cancel"),
        "6": (6, SMSPartnerRequestError, "the message is to be sent in less than 5 minutes"),
        "7": (7, SMSPartnerRequestError, "(code 7, HTTP 404). It can no longer be cancelled."),
        "11": (11, SMSPartnerRequestError, "not enough credits"),
        "9": (9, SMSPartnerRequestError, "a reason that its documents do not name"),
        "500": (500, SMSPartnerUnavailableError, "an error on the vendor's side"),
    },
    http_status=[200, 400, 404],
)
def test_refused(refusal: tuple[int, type[SMSPartnerError], str], http_status: int) -> None:
    code, error_type, said = refusal

    error = error_of(cancel_call(), refused(code), http_status)

    assert type(error) is error_type
    assert said in str(error)
    assert (error.code, error.http_status) == (code, http_status)
    assert f"(code {code}, HTTP {http_status})" in str(error)
    assert error.__context__ is None


def test_a_trigger_reads_the_code_of_a_cancel_in_its_own_table() -> None:
    assert "in less than 5 minutes" in str(protocol.refusal(code=6, http_status=200, codes=codes.CANCEL))


@pytest.mark.parametrize("message_id", ["+33699999993", True, "x" * 65], ids=repr)
def test_what_is_no_message_id(message_id: object) -> None:
    with pytest.raises(SMSPartnerInputError, match="message_id must be") as caught:
        protocol.cancel(message_id)
    assert "699999993" not in str(caught.value)
