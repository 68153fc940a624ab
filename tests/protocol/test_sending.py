"""The call that sends: what it asks, whom its answer says to have got an SMS, and which answers leave that open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from combinations import pairs
from protocol.samples import (
    CANCELLED,
    FAKE_SUCCESS,
    OTHER_PHONE,
    PHONE,
    SENT,
    answer_of,
    error_of,
    refused,
    send_call,
)

from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCredentialsError,
    SMSPartnerCreditError,
    SMSPartnerError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol.answers import LARGE_BYTES
from airflow_provider_smspartner.protocol.sending import SendOptions, bulk_send

THIRD = "+33699999991"


def accepted(**members: object) -> dict[str, object]:
    return {"success": True, "code": 200, "message_id": 307, **members}


def row(phone_number: object = PHONE, **members: object) -> dict[str, object]:
    return {"success": True, "code": 200, "nbSms": 1, "phoneNumber": phone_number, **members}


def refused_row(phone_number: object = PHONE, code: object = 14, **members: object) -> dict[str, object]:
    return {"success": False, "code": code, "phoneNumber": phone_number, **members}


class TestRequests:
    def test_bulk_send(self) -> None:
        call = bulk_send({PHONE: "Bonjour Anne", OTHER_PHONE: "Bonjour Bob"}, SendOptions(sender="Shop"))

        assert (call.request.method, call.request.path, call.request.query) == ("POST", "/bulk-send", {})
        _, body = call.request.with_key("k")
        assert json.loads(body or b"") == {
            "apiKey": "k",
            "SMSList": [
                {"phoneNumber": PHONE, "message": "Bonjour Anne"},
                {"phoneNumber": OTHER_PHONE, "message": "Bonjour Bob"},
            ],
            "sender": "Shop",
        }


class TestReceipts:
    def test_the_vendors_example(self) -> None:
        assert send_call().read(answer_of(SENT)) == Receipt(
            message_id="2254444",
            accepted=(PHONE, OTHER_PHONE),
            refused={},
            sms=2,
            cost=Decimal("0.076"),
            currency="EUR",
        )

    @pytest.mark.parametrize("raw", [1, "307", 10**18 - 1, "9" * 18])
    def test_a_message_id_may_be_text(self, raw: object) -> None:
        body = accepted(message_id=raw, scheduledDeliveryDate="2018-08-18 20:00:00")
        receipt = send_call().read(answer_of(body))

        assert (receipt.message_id, receipt.accepted) == (str(raw), (PHONE, OTHER_PHONE))

    @pytest.mark.parametrize(
        ("member", "raw", "read"),
        [
            ("cost", "0.0380", Decimal("0.0380")),
            ("cost", -1, Decimal(-1)),
            *(("cost", raw, Decimal("0.114")) for raw in (0.11399999999999999, "0.11399999999999999")),
            *(("cost", raw, read) for raw, read in ((1e-9, Decimal(0)), (2e-5, Decimal("0.00002")))),
            *(("cost", raw, None) for raw in (None, "", True, "1e2", 33699999993)),
            ("nbSMS", "2", 2),
            ("nbSMS", 0, 0),
            *(("nbSMS", raw, None) for raw in (-1, 2.0, 33699999993)),
            *(("currency", raw, None) for raw in ("eur", ["EUR"])),
        ],
    )
    def test_figures_are_left_out_where_they_are_none(self, member: str, raw: object, read: object) -> None:
        receipt = send_call().read(answer_of(accepted(**{member: raw})))

        shown = {"cost": receipt.cost, "currency": receipt.currency}.get(member, receipt.sms)
        assert (shown, str(shown)) == (read, str(read))

    def test_an_answer_has_a_greatest_length(self) -> None:
        call = send_call()
        longest = json.dumps(accepted(SMSResponse_List=[refused_row()])).encode().ljust(LARGE_BYTES)

        assert call.read(answer_of(longest)).refused == {PHONE: 14}
        for longer in (longest + b" ", json.dumps(refused(44)).encode().ljust(LARGE_BYTES + 1)):
            error = error_of(call, longer)
            assert type(error) is SMSPartnerUnavailableError
            assert "it is longer than any answer to a send" in str(error)

    @pytest.mark.parametrize(
        ("rows", "refused"),
        [
            pytest.param([], {}, id="none at all"),
            # The call was taken, and nothing says that the other number was not.
            pytest.param([refused_row(PHONE)], {PHONE: 14}, id="one is missing"),
            pytest.param([refused_row(OTHER_PHONE, 13), row(PHONE)], {OTHER_PHONE: 13}, id="another order"),
            pytest.param(
                [refused_row(OTHER_PHONE, 13), refused_row(PHONE)],
                {PHONE: 14, OTHER_PHONE: 13},
                id="all refused",
            ),
            # Who was taken once has got an SMS, whatever another row says.
            pytest.param(
                [refused_row(PHONE, 15), row(PHONE), row(OTHER_PHONE), refused_row(OTHER_PHONE, 15)],
                {},
                id="twice",
            ),
            pytest.param(
                [refused_row(THIRD), refused_row(PHONE), refused_row(None), refused_row(True)],
                {PHONE: 14},
                id="others beside ours",
            ),
            *(
                pytest.param([row(PHONE), refused_row(written, "14")], {OTHER_PHONE: 14}, id=repr(written))
                for written in ("06 99 99 99 92", "33699999992", 33699999992)
            ),
            *(
                pytest.param(
                    [row(PHONE, **members), row(OTHER_PHONE)], {PHONE: code}, id=f"refused {members}"
                )
                for members, code in (
                    ({"success": 0, "code": "14"}, 14),
                    ({"success": True, "code": 14}, 14),
                    ({"success": None, "code": 14}, 14),
                    ({"success": False, "code": None}, None),
                    ({"success": "0", "code": 200}, None),
                    ({"success": "false", "code": 33699999993}, None),
                )
            ),
            *(
                pytest.param([row(PHONE, **members), row(OTHER_PHONE)], {}, id=f"taken {members}")
                for members in ({"success": None}, {"code": "200"}, {"code": None})
            ),
        ],
    )
    def test_rows(self, rows: list[object], refused: dict[str, int | None]) -> None:
        receipt = send_call().read(answer_of(accepted(SMSResponse_List=rows)))

        assert list(receipt.refused.items()) == list(refused.items())
        assert receipt.accepted == tuple(number for number in (PHONE, OTHER_PHONE) if number not in refused)

    def test_all_rows_refused_need_no_message_id(self) -> None:
        rows = [refused_row(PHONE), refused_row(OTHER_PHONE, 13)]
        receipt = send_call().read(answer_of({"success": True, "code": 200, "SMSResponse_List": rows}))

        assert receipt == Receipt(message_id=None, accepted=(), refused={PHONE: 14, OTHER_PHONE: 13})
        assert isinstance(error_of(send_call(), {"success": True, "SMSResponse_List": rows[:1]}), OPEN)


def test_options_stand_in_the_request_as_the_vendor_names_them() -> None:
    at = datetime(2026, 7, 1, 7, 5, tzinfo=UTC)
    options = SendOptions(scheduled_at=at, stop_notice=True, unicode=True, sandbox=True)

    assert options.members() == {
        "scheduledDeliveryDate": "01/07/2026",
        "time": 9,
        "minute": 5,
        "isStopSms": 1,
        "isUnicode": 1,
        "sandbox": 1,
    }


def test_a_message_id_of_one_digit_is_one() -> None:
    assert send_call().read(answer_of(accepted(message_id="7"))).message_id == "7"


class TestRefusals:
    """Nothing was sent."""

    @pytest.mark.parametrize(
        ("body", "http_status", "code", "error_type"),
        [
            (refused(10), 200, 10, SMSPartnerCredentialsError),
            (refused(96), 429, 96, SMSPartnerCredentialsError),
            (refused(11), 402, 11, SMSPartnerCreditError),
            (refused(55, errors=[{"code": "11"}]), 200, 11, SMSPartnerCreditError),
            (refused(44), 200, 44, SMSPartnerRequestError),
            (refused(9), 400, 9, SMSPartnerRequestError),
            (refused("44", success="0"), 409, 44, SMSPartnerRequestError),
        ],
    )
    def test_of_the_call(
        self, body: object, http_status: int, code: int, error_type: type[SMSPartnerError]
    ) -> None:
        error = error_of(send_call(), body, http_status)

        assert type(error) is error_type
        assert (error.code, error.http_status) == (code, http_status)

    @pytest.mark.parametrize("http_status", [200, 400])
    @pytest.mark.parametrize("code", [9, None])
    def test_validation_names_the_field_alone(self, code: int | None, http_status: int) -> None:
        elements = ["children[sender].data", "children[SMSList].children[3].children[phoneNumber].data"]
        told = [
            {"elementId": each, "message": f"{PHONE}: Bonjour"}
            for each in [*elements, elements[0], PHONE, f"children[{PHONE}].data", ["sender"], None]
        ]

        said = str(error_of(send_call(), refused(code, errors=told), http_status))

        assert f"The answer names {elements[0]}, {elements[1]}." in said
        assert "Bonjour" not in said

    def test_code_51_is_about_the_account(self) -> None:
        said = str(error_of(send_call(), refused(51)))

        assert "the account may not use the low-cost range (code 51, HTTP 200). Ask SMS Partner" in said

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (refused(13), 13),
            (refused(14), 14),
            (refused("55"), 55),
            # The inner code says why.
            (refused(55, errors=[{"code": "9"}]), 9),
            (refused(55, errors=[{"success": False, "code": "14"}]), 14),
        ],
    )
    def test_of_all_numbers(self, body: object, code: int) -> None:
        receipt = send_call().read(answer_of(body, 400))

        assert receipt == Receipt(
            message_id=None, accepted=(), refused=dict.fromkeys((PHONE, OTHER_PHONE), code)
        )


LEFT_OPEN: dict[str, tuple[object, int]] = {
    "HTTP 500 and a refusal": (refused(10), 500),
    "HTTP 500 and a success": (SENT, 500),
    "HTTP 502 and a page": (b"<html>", 502),
    **{f"code {code}": (refused(code), 200) for code in (429, "500")},
    "code 500 inside": (refused(55, errors=[{"code": "500"}]), 200),
    **{f"unknown code {code}": (refused(code), 200) for code in (4, 77, 9999)},
    "no code": ({"success": False}, 200),
    "HTTP 429": (b"", 429),
    # A gateway gave up, and the request went on behind it.
    **{
        f"HTTP {status} and JSON": ({"error": "Timeout"}, status) for status in (400, 401, 403, 408, 409, 499)
    },
    **{f"HTTP {status} and no code": ({"success": False}, status) for status in (400, 404, 408)},
    **{f"HTTP {status} and code {code}": (refused(code), status) for status, code in ((404, 600), (400, 4))},
    # gRPC's codes are as small as the vendor's.
    **{
        f"HTTP {status} and a gateway's code {code}": ({"code": code, "message": "x", "details": []}, status)
        for status, code in ((499, 1), (400, 9), (409, 10), (504, 14))
    },
    "a redirect with a refusal": (refused(10), 307),
    "a page": (b"<html>", 200),
    "a page that refuses access": (b"<html>", 403),
    "a redirect with a success": (SENT, 302),
    "cut": (SENT[:-9], 200),
    "fake success": (FAKE_SUCCESS, 200),
    **{f"message_id {raw!r}": (accepted(message_id=raw), 200) for raw in (None, "", 0, "0", -1, 1.5, [307])},
    **{
        f"message_id {raw!a}": (accepted(message_id=raw), 200)
        for raw in ("abc", " 307", "\u0663", "9" * 19, 10**18)
    },
    **{f"success {raw!r}": (accepted(success=raw), 200) for raw in (1, "true", None)},
    "rows are null": (accepted(SMSResponse_List=None), 200),
    "a row is no object": (accepted(SMSResponse_List=[5]), 200),
    "rows about others": (accepted(SMSResponse_List=[row(THIRD), refused_row("+33600000000")]), 200),
    "rows about nobody": (accepted(SMSResponse_List=[row([PHONE]), row(None), row("")]), 200),
    "cancelled": (CANCELLED, 200),
}

# The policy makes an SMSPartnerAmbiguousSendError of the first, and repeats neither.
OPEN = (SMSPartnerUnavailableError, SMSPartnerAmbiguousSendError)


class TestWhatLeavesOpenWhetherSmsHaveLeft:
    @pytest.mark.parametrize(("body", "http_status"), LEFT_OPEN.values(), ids=LEFT_OPEN)
    def test_each(self, body: object, http_status: int) -> None:
        error = error_of(send_call(), body, http_status)

        assert isinstance(error, OPEN)
        assert error.http_status == http_status
        assert "9999999" not in str(error)
        assert "Texte" not in str(error)
        assert "None" not in str(error)  # it says what is wrong
        assert error.__context__ is None

    @pairs(
        members={
            "id": {"message_id": 307},
            "text": {"message_id": "x"},
            "list": {"message_id": [307]},
            "row": {"SMSResponse_List": [refused_row(PHONE, 11), row(OTHER_PHONE)]},
            "row about nobody": {"SMSResponse_List": [{"success": True}]},
        },
        code=[10, 11, 14],
        http_status=[200, 400, 429],
    )
    def test_a_refusal_that_tells_of_sms(self, members: dict[str, Any], code: int, http_status: int) -> None:
        # Not even HTTP 429 or a lack of credit, after which Airflow tries again, may have this sent again.
        error = error_of(send_call(), refused(code, **members), http_status)

        assert type(error) is SMSPartnerAmbiguousSendError
        assert f"contradicts itself (code {code}, HTTP {http_status})" in str(error)
        assert (error.code, error.http_status) == (code, http_status)
        assert error.__context__ is None

    @pytest.mark.parametrize(
        "members",
        [
            *({"message_id": raw} for raw in (None, 0, "", "0")),
            {"SMSResponse_List": None},
            {"SMSResponse_List": [refused_row()]},
            {"SMSResponse_List": [5, {"success": True, "code": 11}, {"success": True, "code": [200]}]},
        ],
    )
    def test_a_refusal_that_tells_of_none(self, members: dict[str, Any]) -> None:
        assert type(error_of(send_call(), refused(11, **members))) is SMSPartnerCreditError
