"""Cancelling a scheduled send: what the vendor answers, code by code."""

from __future__ import annotations

import pytest
from protocol.samples import (
    BY_TAG,
    CANCELLED,
    FAKE_SUCCESS,
    MULTI_STATUS,
    STOP_LIST,
    answer_of,
    cancel_call,
    error_of,
    multi_call,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import codes


def refused(code: object) -> dict[str, object]:
    return {"success": False, "code": code, "message": "Texte"}


class TestSuccess:
    @pytest.mark.parametrize(
        "body",
        [
            CANCELLED,
            {"success": True, "code": "200"},
            {"success": True, "code": 200, "message": "L'envoi du SMS a été annulé."},
            {"success": True, "code": 5},
            refused(5),
            refused("5"),
            {"success": False, "code": 9999, "errors": [{"code": "5"}]},
        ],
        ids=str,
    )
    def test_cancelled_or_cancelled_already(self, body: object) -> None:
        cancel_call().read(answer_of(body))

    @pytest.mark.parametrize("http_status", [400, 409])
    def test_cancelled_already_with_the_http_status_of_an_error(self, http_status: int) -> None:
        cancel_call().read(answer_of(refused(5), http_status))

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            (FAKE_SUCCESS, "without saying that a message was cancelled"),
            (MULTI_STATUS, "another call"),
            (BY_TAG, "another call"),
            (STOP_LIST, "another call"),
            ({"success": True, "code": 200, "credits": {}}, "another call"),
            ({"success": True, "code": 200, "message_id": 307}, "another call"),
            ({"success": True}, "without the code 200"),
            ({"success": True, "code": 6}, "without the code 200"),
            ({"success": "true", "code": 200}, "neither a success nor an error"),
            (b"<html>", "not JSON"),
        ],
        ids=str,
    )
    def test_what_is_not_believed(self, body: object, fault: str) -> None:
        error = error_of(cancel_call(), body)

        assert type(error) is SMSPartnerUnavailableError
        assert fault in str(error)


class TestCodes:
    @pytest.mark.parametrize("http_status", [200, 400, 404])
    @pytest.mark.parametrize(
        ("code", "error_type", "said"),
        [
            (1, SMSPartnerCredentialsError, "the API key is missing"),
            (10, SMSPartnerCredentialsError, "the API key is wrong"),
            (3, SMSPartnerRequestError, "the message id is missing"),
            (4, SMSPartnerNotFoundError, "does not know the message that it was asked to cancel"),
            (6, SMSPartnerRequestError, "in less than 5 minutes"),
            (7, SMSPartnerRequestError, "has been sent already"),
            (11, SMSPartnerRequestError, "not enough credits"),
            (9, SMSPartnerRequestError, "a reason that its documents do not name"),
            (500, SMSPartnerUnavailableError, "an error on the vendor's side"),
        ],
    )
    def test_each(self, code: int, error_type: type[SMSPartnerError], said: str, http_status: int) -> None:
        error = error_of(cancel_call(), refused(code), http_status)

        assert type(error) is error_type
        assert said in str(error)
        assert (error.code, error.http_status) == (code, http_status)
        assert f"(code {code}, HTTP {http_status})" in str(error)
        assert "Texte" not in str(error)
        assert error.__context__ is None

    @pytest.mark.parametrize("code", [6, 7])
    def test_what_is_too_late_says_so(self, code: int) -> None:
        assert str(error_of(cancel_call(), refused(code))).endswith("It can no longer be cancelled.")

    def test_the_same_code_means_something_else_about_statuses(self) -> None:
        assert "a phone number has a wrong format" in str(error_of(multi_call(), refused(6)))
        assert "the list of messages is empty" in str(error_of(multi_call(), refused(5)))

    @pytest.mark.parametrize(
        "table",
        [codes.STATUS, codes.CANCEL, codes.STOP_LIST, codes.SEND],
        ids=["status", "cancel", "stop", "send"],
    )
    def test_every_refusal_has_an_advice(self, table: codes.Codes) -> None:
        assert set(table.refusals) == set(table.advice)

    def test_a_refusal_takes_the_table_of_its_endpoint(self) -> None:
        error = protocol.refusal(code=7, http_status=200, codes=codes.CANCEL)

        assert "has been sent already" in str(error)


@pytest.mark.parametrize(
    "message_id", ["", " ", "a b", "+33699999993", -1, 1.5, True, None, b"1", "x" * 65], ids=repr
)
def test_what_is_no_message_id(message_id: object) -> None:
    with pytest.raises(SMSPartnerInputError, match="message_id must be") as caught:
        protocol.cancel(message_id)
    assert "699999993" not in str(caught.value)
