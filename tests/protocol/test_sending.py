"""Both calls that send: what they ask, whom their answers say to have got an SMS, and which answers leave that open."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from protocol.samples import (
    BULK_SENT,
    BY_TAG,
    CANCELLED,
    FAKE_SUCCESS,
    MULTI_STATUS,
    OTHER_PHONE,
    PHONE,
    SENT,
    STOP_LIST,
    answer_of,
    bulk_send_call,
    error_of,
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
from airflow_provider_smspartner.protocol import Call
from airflow_provider_smspartner.protocol.answers import LARGE_BYTES
from airflow_provider_smspartner.protocol.codes import CREDENTIALS, SEND
from airflow_provider_smspartner.protocol.sending import SendOptions, bulk_send, send

THIRD = "+33699999991"
PARIS = ZoneInfo("Europe/Paris")

both_calls = pytest.mark.parametrize("call", [send_call(), bulk_send_call()], ids=["send", "bulk send"])


def refused(code: object, **members: object) -> dict[str, object]:
    return {"success": False, "code": code, "message": "Texte", **members}


def accepted(**members: object) -> dict[str, object]:
    return {"success": True, "code": 200, "message_id": 307, **members}


def row(phone_number: object = PHONE, **members: object) -> dict[str, object]:
    return {"success": True, "code": 200, "nbSms": 1, "phoneNumber": phone_number, **members}


def refused_row(phone_number: object = PHONE, code: object = 14, **members: object) -> dict[str, object]:
    return {"success": False, "code": code, "phoneNumber": phone_number, **members}


def bulk(*rows: object, numbers: tuple[str, ...] = (PHONE, OTHER_PHONE), **members: object) -> Receipt:
    return bulk_send_call(*numbers).read(answer_of(accepted(SMSResponse_List=rows, **members)))


class TestRequests:
    def test_send(self) -> None:
        call = send([PHONE, OTHER_PHONE], "Bonjour, ça va ?", SendOptions(tag="spring"))

        assert (call.request.method, call.request.path, call.request.query) == ("POST", "/send", {})
        query, body = call.request.with_key("k")
        assert query == {}
        assert json.loads(body or b"") == {
            "apiKey": "k",
            "phoneNumbers": "+33699999993,+33699999992",
            "message": "Bonjour, ça va ?",
            "tag": "spring",
        }

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

    @pytest.mark.parametrize(
        "make",
        [lambda options: send([PHONE], "x", options), lambda options: bulk_send({PHONE: "x"}, options)],
        ids=["send", "bulk send"],
    )
    def test_options(self, make: Callable[[SendOptions], Call[Receipt]]) -> None:
        at = datetime(2018, 8, 18, 20, 5, tzinfo=PARIS)
        options = SendOptions(
            tag="spring", sender="Shop", scheduled_at=at, stop_notice=True, unicode=True, sandbox=True
        )

        body = dict(make(options).request.body or {})

        assert {name: body[name] for name in body if name not in {"phoneNumbers", "message", "SMSList"}} == {
            "tag": "spring",
            "sender": "Shop",
            "scheduledDeliveryDate": "18/08/2018",
            "time": 20,
            "minute": 5,
            "isStopSms": 1,
            "isUnicode": 1,
            "sandbox": 1,
        }

    @both_calls
    def test_neither_may_be_repeated_or_shows_what_it_sends(self, call: Call[Receipt]) -> None:
        assert call.request.may_repeat is False
        assert "9999999" not in repr(call) + repr(call.request)
        assert "Bonjour" not in repr(call) + repr(call.request)


class TestReceipts:
    def test_the_vendors_example_of_send(self) -> None:
        assert send_call(PHONE).read(answer_of(SENT)) == Receipt(
            message_id="307",
            accepted=(PHONE,),
            refused={},
            sms=1,
            cost=Decimal("0.038"),
            currency="EUR",
        )

    def test_the_vendors_example_of_bulk_send(self) -> None:
        assert bulk_send_call().read(answer_of(BULK_SENT)) == Receipt(
            message_id="2254444",
            accepted=(PHONE, OTHER_PHONE),
            refused={},
            sms=2,
            cost=Decimal("0.076"),
            currency="EUR",
        )

    @both_calls
    def test_a_scheduled_send(self, call: Call[Receipt]) -> None:
        receipt = call.read(answer_of(accepted(scheduledDeliveryDate="2018-08-18 20:00:00")))

        assert (receipt.message_id, receipt.accepted) == ("307", (PHONE, OTHER_PHONE))

    @both_calls
    @pytest.mark.parametrize("raw", [307, 1, 10**18 - 1])
    @pytest.mark.parametrize("written", [int, str])
    def test_a_message_id_may_be_text(
        self, call: Call[Receipt], raw: int, written: Callable[[int], object]
    ) -> None:
        assert call.read(answer_of(accepted(message_id=written(raw)))).message_id == str(raw)

    @both_calls
    @pytest.mark.parametrize(
        ("raw", "cost"),
        [
            (0.038, "0.038"),
            ("0.038", "0.038"),
            ("0.0380", "0.0380"),
            (0, "0"),
            (19, "19"),
            (19.0, "19.0"),
            (-1, "-1"),
            (None, None),
            ("", None),
            ("free", None),
            ([0.038], None),
            (True, None),
            (1e300, None),
            (1e-9, None),
            (33699999993, None),
        ],
        ids=str,
    )
    def test_costs(self, call: Call[Receipt], raw: object, cost: str | None) -> None:
        read = call.read(answer_of(accepted(cost=raw))).cost

        assert (None if read is None else str(read)) == cost

    @both_calls
    @pytest.mark.parametrize("name", ["nb_sms", "nbSMS"])
    @pytest.mark.parametrize(
        ("raw", "sms"),
        [(2, 2), ("2", 2), (0, 0), (None, None), ("two", None), (-1, None), (2.0, None), (33699999993, None)],
        ids=str,
    )
    def test_counts(self, call: Call[Receipt], name: str, raw: object, sms: int | None) -> None:
        assert call.read(answer_of(accepted(**{name: raw}))).sms == sms

    @both_calls
    @pytest.mark.parametrize("raw", ["euros", "eur", 978, None, ["EUR"]])
    def test_what_is_no_currency_is_left_out(self, call: Call[Receipt], raw: object) -> None:
        assert call.read(answer_of(accepted(currency=raw))).currency is None

    @both_calls
    def test_an_answer_of_the_greatest_length(self, call: Call[Receipt]) -> None:
        body = json.dumps(accepted()).encode()

        assert call.read(answer_of(body.ljust(LARGE_BYTES))).message_id == "307"

    def test_an_answer_about_500_recipients(self) -> None:
        numbers = tuple(f"+336999{n:05}" for n in range(500))
        rows = [refused_row(each) if n % 7 == 0 else row(each) for n, each in enumerate(numbers)]

        receipt = bulk(*rows, numbers=numbers, nbSMS=428)

        assert list(receipt.refused) == list(numbers[::7])
        assert receipt.accepted == tuple(each for n, each in enumerate(numbers) if n % 7)


class TestRows:
    def test_in_any_order(self) -> None:
        receipt = bulk(refused_row(THIRD, 13), row(OTHER_PHONE), numbers=(PHONE, OTHER_PHONE, THIRD))

        assert receipt.accepted == (PHONE, OTHER_PHONE)
        assert receipt.refused == {THIRD: 13}

    @pytest.mark.parametrize(
        "written",
        ["0699999992", "06 99 99 99 92", "33699999992", "0033699999992", "+33 (0)6 99 99 99 92", 33699999992],
    )
    def test_in_another_notation(self, written: object) -> None:
        receipt = bulk(row(PHONE), refused_row(written, "14"))

        assert (receipt.accepted, receipt.refused) == ((PHONE,), {OTHER_PHONE: 14})

    def test_twice(self) -> None:
        # Who was taken once has got an SMS, whatever another row says.
        receipt = bulk(refused_row(PHONE, 15), row(PHONE), row(OTHER_PHONE), refused_row(OTHER_PHONE, 15))

        assert (receipt.accepted, receipt.refused) == ((PHONE, OTHER_PHONE), {})

    def test_missing(self) -> None:
        # The call was taken, and nothing says that the other number was not.
        receipt = bulk(refused_row(PHONE))

        assert (receipt.accepted, receipt.refused) == ((OTHER_PHONE,), {PHONE: 14})

    def test_none_at_all(self) -> None:
        assert bulk().accepted == (PHONE, OTHER_PHONE)

    def test_about_others_beside_ours(self) -> None:
        receipt = bulk(refused_row(THIRD), refused_row(PHONE), refused_row(None), refused_row(True))

        assert (receipt.accepted, receipt.refused) == ((OTHER_PHONE,), {PHONE: 14})

    @pytest.mark.parametrize(
        "members",
        [
            {"success": False, "code": 14},
            {"success": False, "code": "14"},
            {"success": 0, "code": 14},
            {"success": True, "code": 14},
            {"success": None, "code": 14},
        ],
        ids=str,
    )
    def test_refused(self, members: dict[str, object]) -> None:
        assert bulk(row(PHONE, **members), row(OTHER_PHONE)).refused == {PHONE: 14}

    @pytest.mark.parametrize("success", [False, 0, "0", "false"])
    @pytest.mark.parametrize("code", [None, 200, "x", [], 33699999993])
    def test_refused_without_a_code(self, success: object, code: object) -> None:
        assert bulk(row(PHONE, success=success, code=code), row(OTHER_PHONE)).refused == {PHONE: None}

    @pytest.mark.parametrize(
        "members",
        [
            {"success": 1},
            {"success": "true"},
            {"success": None},
            {"code": "200"},
            {"code": None},
            {"code": []},
        ],
        ids=str,
    )
    def test_what_does_not_say_that_it_is_refused_is_taken(self, members: dict[str, object]) -> None:
        receipt = bulk(row(PHONE, **members), row(OTHER_PHONE))

        assert (receipt.accepted, receipt.refused) == ((PHONE, OTHER_PHONE), {})

    def test_all_refused(self) -> None:
        receipt = bulk(refused_row(PHONE), refused_row(OTHER_PHONE, 13))

        assert (receipt.accepted, receipt.refused) == ((), {PHONE: 14, OTHER_PHONE: 13})


@both_calls
class TestRefusals:
    """Nothing was sent."""

    @pytest.mark.parametrize("http_status", [200, 400, 401, 429])
    @pytest.mark.parametrize("code", sorted(CREDENTIALS))
    def test_credentials(self, call: Call[Receipt], code: int, http_status: int) -> None:
        error = error_of(call, refused(code), http_status)

        assert type(error) is SMSPartnerCredentialsError
        assert error.code == code

    @pytest.mark.parametrize("http_status", [200, 400, 402])
    @pytest.mark.parametrize("code", [11, "11"])
    def test_credit(self, call: Call[Receipt], code: object, http_status: int) -> None:
        error = error_of(call, refused(code), http_status)

        assert type(error) is SMSPartnerCreditError
        assert str(error) == (
            f"The SMS Partner account has no credit left (code 11, HTTP {http_status}): the call sent nothing. "
            "Buy credits."
        )
        assert (error.code, error.http_status) == (11, http_status)

    @pytest.mark.parametrize("http_status", [200, 400])
    @pytest.mark.parametrize("code", sorted(set(SEND.refusals) - {13, 14, 55}))
    def test_requests(self, call: Call[Receipt], code: int, http_status: int) -> None:
        error = error_of(call, refused(code), http_status)

        assert type(error) is SMSPartnerRequestError
        assert str(error) == (
            f"SMS Partner refuses the request: {SEND.refusals[code]} (code {code}, HTTP {http_status}). "
            f"{SEND.advice[code]}"
        )

    def test_the_table_is_the_vendors(self, call: Call[Receipt]) -> None:
        dates = {45, 46, 47, 48, 49}
        assert set(SEND.refusals) == {2, 9, 13, 14, 15, 22, 23, 42, 43, 44, *dates, 50, 51, 52, 55, 90, 992}

    @pytest.mark.parametrize("http_status", [200, 400])
    @pytest.mark.parametrize("code", [13, 14, 55])
    def test_all_numbers(self, call: Call[Receipt], code: int, http_status: int) -> None:
        receipt = call.read(answer_of(refused(code), http_status))

        assert receipt == Receipt(
            message_id=None, accepted=(), refused=dict.fromkeys((PHONE, OTHER_PHONE), code)
        )

    @pytest.mark.parametrize("code", ["9", "13", "14", 15])
    def test_the_inner_code_says_why_no_number_is_left(self, call: Call[Receipt], code: object) -> None:
        inner = {"success": False, "code": code, "message": "Texte"}

        receipt = call.read(answer_of(refused(55, errors=[inner])))

        assert receipt.refused == dict.fromkeys((PHONE, OTHER_PHONE), int(str(code)))

    @pytest.mark.parametrize(
        ("code", "error_type"), [("10", SMSPartnerCredentialsError), ("11", SMSPartnerCreditError)]
    )
    def test_an_inner_code_may_be_about_the_account(
        self, call: Call[Receipt], code: str, error_type: type[SMSPartnerError]
    ) -> None:
        assert type(error_of(call, refused(55, errors=[{"code": code}]))) is error_type

    @pytest.mark.parametrize("code", [77, 600, 991])
    def test_an_unknown_code_with_an_http_status_that_refuses(self, call: Call[Receipt], code: int) -> None:
        error = error_of(call, refused(code), 400)

        assert type(error) is SMSPartnerRequestError
        assert "a reason that its documents do not name" in str(error)


BAD_IDS: tuple[object, ...] = (
    *(None, "", 0, "0", -1, "-1", 1.5, True, [], {}, "abc", " 307", "3e2", "\N{ARABIC-INDIC DIGIT THREE}"),
    *(10**18, "9" * 400),
)
LEFT_OPEN: dict[str, tuple[object, int]] = {
    **{
        f"HTTP {status} and code {code}": (refused(code), status)
        for status in (500, 503)
        for code in (10, 11, 44)
    },
    "HTTP 500 and a success": (SENT, 500),
    "HTTP 502 and a page": (b"<html>", 502),
    "HTTP 599": (b"", 599),
    **{f"code {code}": (refused(code), 200) for code in (429, 500, 502, 503, 599, "500")},
    "code 500 inside": (refused(55, errors=[{"code": "500"}]), 200),
    "code 500 with HTTP 400": (refused(500), 400),
    **{f"unknown code {code}": (refused(code), 200) for code in (3, 4, 12, 77, 600, 991, 9999)},
    "no code": ({"success": False}, 200),
    "HTTP 429": (b"", 429),
    "a page": (b"<html>", 200),
    "a page that refuses access": (b"<html>", 403),
    "nothing": (b"", 200),
    "a redirect": (b"", 302),
    "a redirect with a success": (SENT, 302),
    "cut": (SENT[:-9], 200),
    "two answers": (SENT + SENT, 200),
    "fake success": (FAKE_SUCCESS, 200),
    **{
        f"message_id {raw!r:.20}": ({"success": True, "code": 200, "message_id": raw}, 200) for raw in BAD_IDS
    },
    **{f"success {raw!r}": (accepted(success=raw), 200) for raw in (1, "true", None)},
    "rows are no list": (accepted(SMSResponse_List={}), 200),
    "rows are null": (accepted(SMSResponse_List=None), 200),
    "a row is no object": (accepted(SMSResponse_List=[5]), 200),
    "rows about others": (accepted(SMSResponse_List=[row(THIRD), refused_row("+33600000000")]), 200),
    "rows about nobody": (accepted(SMSResponse_List=[row([PHONE]), row(None), row("")]), 200),
    "longer than any": (SENT + b" " * LARGE_BYTES, 200),
    "a longer refusal than any": (json.dumps(refused(44)).encode() + b" " * LARGE_BYTES, 200),
    "the answer to another call: statuses": (MULTI_STATUS, 200),
    "the answer to another call: a tag": (BY_TAG, 200),
    "the answer to another call: cancelled": (CANCELLED, 200),
    "the answer to another call: stop list": (STOP_LIST, 200),
}

# The policy makes an SMSPartnerAmbiguousSendError of the first, and repeats neither.
OPEN = (SMSPartnerUnavailableError, SMSPartnerAmbiguousSendError)


@both_calls
class TestWhatLeavesOpenWhetherSmsHaveLeft:
    @pytest.mark.parametrize(("body", "http_status"), LEFT_OPEN.values(), ids=LEFT_OPEN)
    def test_each(self, call: Call[Receipt], body: object, http_status: int) -> None:
        error = error_of(call, body, http_status)

        assert isinstance(error, OPEN)
        assert error.http_status == http_status
        assert "9999999" not in str(error)
        assert "Texte" not in str(error)
        assert error.__context__ is None

    @pytest.mark.parametrize("http_status", [200, 400, 404, 429])
    @pytest.mark.parametrize("code", [10, 11, 14, 44, 77, 200])
    @pytest.mark.parametrize(
        "members",
        [
            {"message_id": 307},
            {"message_id": "307"},
            {"message_id": "x"},
            {"message_id": [307]},
            {"SMSResponse_List": [refused_row(PHONE, 11), row(OTHER_PHONE)]},
            {"SMSResponse_List": [{"success": True}]},
        ],
        ids=str,
    )
    def test_a_refusal_that_tells_of_sms(
        self, call: Call[Receipt], members: dict[str, Any], code: int, http_status: int
    ) -> None:
        # Not even HTTP 429 or a lack of credit, after which Airflow tries again, may have this sent again.
        error = error_of(call, refused(code, **members), http_status)

        assert type(error) is SMSPartnerAmbiguousSendError
        assert "contradicts itself" in str(error)
        assert error.http_status == http_status
        assert error.__context__ is None

    def test_a_refusal_that_tells_of_sms_is_named_by_its_codes(self, call: Call[Receipt]) -> None:
        error = error_of(call, refused(10, message_id=307), 400)

        assert error.code == 10
        assert re.search(r"\bcode 10\b.*\bHTTP 400\b|\bHTTP 400\b.*\bcode 10\b", str(error))

    @pytest.mark.parametrize(
        "members",
        [
            {"message_id": None},
            {"message_id": 0},
            {"message_id": ""},
            {"message_id": "0"},
            {"SMSResponse_List": None},
            {"SMSResponse_List": [refused_row()]},
            {"SMSResponse_List": [5, {"success": True, "code": 11}, {"success": True, "code": [200]}]},
        ],
        ids=str,
    )
    def test_a_refusal_that_tells_of_none(self, call: Call[Receipt], members: dict[str, Any]) -> None:
        assert type(error_of(call, refused(11, **members))) is SMSPartnerCreditError
