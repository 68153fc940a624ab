"""The vendor's API without I/O: recorded answers in, values or typed errors out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, MessageStatus
from airflow_provider_smspartner.protocol import Account, Answer, Call, Request, TagPage, answers

KEY = 'k+/=&é"secret%20'

# The vendor's page multi-status, section "response", as bytes.
MULTI_STATUS = """{
    "success": true,
    "code": 200,
    "StatutResponse_List": [
        {
            "success": true,
            "code": 200,
            "phoneNumber": "+33699999993",
            "messageId": 111111,
            "status": "Delivered",
            "date": "1517934416",
            "stopSms": "0",
            "isSpam": "0"
        },
        {
            "success": false,
            "code": 4,
            "phoneNumber": "+33699999992",
            "messageId": 1000,
            "status": "Numéro introuvable"
        },
        {
            "success": false,
            "code": 4,
            "phoneNumber": "+33699999991",
            "messageId": 1222,
            "status": "Numéro introuvable"
        }
    ]
}""".encode()

# The vendor's page bulk-status-by-tag, section "Response"; the page masks the numbers and leaves out the last "]".
BY_TAG = b"""{
    "success": true,
    "code": 200,
    "currentPage": 1,
    "total": 2,
    "StatutResponse_List": [
        {
            "phoneNumber": "+33699999991",
            "status": "Delivered",
            "stopSMS": false,
            "date": "1517989111"
        },
        {
            "phoneNumber": "+33699999992",
            "status": "Delivered",
            "stopSMS": false,
            "date": "1517989101"
        }
    ]
}"""

WRONG_KEY = '{\n    "success": false,\n    "code": 10,\n    "message": "Clé API incorrecte"\n}'.encode()

# [observed] The gateway's answer to everything, on a day of July 2026.
FAKE_SUCCESS = b'{"success":true,"code":200,"message":"Request queued for processing"}'

PHONE = "+33699999993"
REF = MessageRef(PHONE, 111111)


def _answer(body: object, http_status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(http_status, headers or {}, encoded)


def _multi_call(*messages: object) -> Call[list[MessageStatus]]:
    return next(protocol.multi_status(list(messages) or [REF]))


def _tag_call() -> Call[TagPage]:
    return next(protocol.status_by_tag("montag"))


CALLS: dict[str, Callable[[], Call[Any]]] = {"multi": _multi_call, "tag": _tag_call, "me": protocol.account}


@pytest.fixture(params=list(CALLS.values()), ids=list(CALLS))
def call(request: pytest.FixtureRequest) -> Call[Any]:
    """Each of the three calls."""
    made: Call[Any] = request.param()
    return made


def _error(call: Call[Any], body: object, http_status: int = 200, **headers: str) -> SMSPartnerError:
    with pytest.raises(SMSPartnerError) as caught:
        call.read(_answer(body, http_status, headers))
    return caught.value


def _multi_row(**members: object) -> dict[str, object]:
    return {"phoneNumber": PHONE, "messageId": 111111, "status": "Delivered", **members}


def _read_row(**members: object) -> MessageStatus:
    body = {"success": True, "code": 200, "StatutResponse_List": [_multi_row(**members)]}
    return _multi_call().read(_answer(body))[0]


def _tag_rows(first: int, beyond: int) -> list[dict[str, object]]:
    return [
        {"phoneNumber": f"+336{n:08}", "status": "Waiting", "stopSMS": False, "date": str(1517989000 + n)}
        for n in range(first, beyond)
    ]


def _page(rows: list[dict[str, object]], number: object = 1, total: object = 0, **members: object) -> Answer:
    body = {"success": True, "code": 200, "currentPage": number, "total": total, "StatutResponse_List": rows}
    return _answer({**body, **members})


def _drive_tag(serve: Callable[[int], Answer], most_calls: int = 50) -> list[MessageStatus]:
    """Drive the pages of a tag against a server, which is given the page asked for, or 1 where none is."""
    pages = protocol.status_by_tag("montag")
    rows: list[MessageStatus] = []
    call = next(pages)
    for _ in range(most_calls):
        page = call.read(serve(int(call.request.query.get("page", "1"))))
        rows += page.rows
        try:
            call = pages.send(page)
        except StopIteration:
            return rows
    pytest.fail("it asks for ever")


def _serve(*answers: Answer) -> Callable[[int], Answer]:
    given = iter(answers)
    return lambda _: next(given)


class TestRequests:
    """What goes over the wire."""

    def test_by_tag(self) -> None:
        request = _tag_call().request

        assert (request.method, request.path) == ("GET", "/bulk-status-by-tag")
        assert request.with_key(KEY) == ({"apiKey": KEY, "tag": "montag"}, None)

    def test_account(self) -> None:
        request = protocol.account().request

        assert (request.method, request.path) == ("GET", "/me")
        assert request.with_key(KEY) == ({"apiKey": KEY}, None)

    def test_multi_status(self) -> None:
        request = _multi_call(("0619922264", 199897), ("+33600000001", "1000")).request
        query, body = request.with_key(KEY)

        assert (request.method, request.path) == ("POST", "/multi-status")
        assert query == {}
        assert json.loads(body or b"") == {
            "apiKey": KEY,
            "SMSStatut_List": [
                {"phoneNumber": "+33619922264", "messageId": 199897},
                {"phoneNumber": "+33600000001", "messageId": 1000},
            ],
        }

    @pytest.mark.parametrize(
        ("message_id", "sent"),
        [
            ("0", 0),
            ("199897", 199897),
            ("007", "007"),
            ("9" * 18, 10**18 - 1),
            ("1" * 19, "1" * 19),
            ("a1", "a1"),
        ],
    )
    def test_a_message_id_is_sent_as_an_integer_where_it_is_one(
        self, message_id: str, sent: int | str
    ) -> None:
        body = _multi_call((PHONE, message_id)).request.with_key(KEY)[1]

        assert json.loads(body or b"")["SMSStatut_List"][0]["messageId"] == sent

    def test_a_message_id_that_is_no_integer_is_matched_too(self) -> None:
        body = {"success": True, "StatutResponse_List": [_multi_row(messageId="007")]}

        assert _multi_call((PHONE, "007")).read(_answer(body))[0].status is DeliveryStatus.DELIVERED

    def test_a_plus_survives_the_query(self) -> None:
        assert urlencode(Request("GET", "/me", may_repeat=True).with_key("+/ é")[0]) == "apiKey=%2B%2F+%C3%A9"

    def test_no_repr_shows_tag_messages_or_answer(self, call: Call[Any]) -> None:
        shown = repr(call) + repr(call.request) + repr(_answer(MULTI_STATUS, headers={"X": PHONE}))

        assert "montag" not in shown
        assert "699999993" not in shown
        assert "111111" not in shown  # nor 500 messages at length
        assert call.request.path in shown

    @pytest.mark.parametrize("tag", ["a", "x" * 20, "Été-2026", "été", "a+b&c=d"])
    def test_tags(self, tag: str) -> None:
        assert next(protocol.status_by_tag(tag)).request.query == {"tag": tag}

    @pytest.mark.parametrize("tag", ["", "x" * 21, "a b", "a\n", "\u00a0", "\t", None, 5, b"x"], ids=repr)
    def test_what_is_no_tag(self, tag: object) -> None:
        with pytest.raises(ValueError, match=r"^tag must"):
            protocol.check_tag(tag)
        with pytest.raises(ValueError, match=r"^tag must"):
            next(protocol.status_by_tag(tag))  # type: ignore[arg-type]


class TestRecordedAnswers:
    """The examples of the vendor's pages."""

    def test_multi_status(self) -> None:
        call = _multi_call(("+33699999991", 1222), (PHONE, 111111), ("+33699999992", 1000))

        assert [status.as_row() for status in call.read(_answer(MULTI_STATUS))] == [
            _failed_row("+33699999991", "1222"),
            {
                "phone_number": PHONE,
                "message_id": "111111",
                "status": "Delivered",
                "raw_status": "Delivered",
                "date": "2018-02-06T16:26:56+00:00",
                "stop_sms": False,
                "is_spam": False,
                "code": 200,
            },
            _failed_row("+33699999992", "1000"),
        ]

    def test_by_tag(self) -> None:
        page = _tag_call().read(_answer(BY_TAG))

        assert (page.number, page.total) == (1, 2)
        assert [status.as_row() for status in page.rows] == [
            {
                "phone_number": phone_number,
                "message_id": None,
                "status": "Delivered",
                "raw_status": "Delivered",
                "date": date,
                "stop_sms": False,
                "is_spam": None,
                "code": None,
            }
            for phone_number, date in (
                ("+33699999991", "2018-02-07T07:38:31+00:00"),
                ("+33699999992", "2018-02-07T07:38:21+00:00"),
            )
        ]

    def test_by_tag_has_no_message_id_even_where_the_vendor_sends_one(self) -> None:
        row = {**_tag_rows(0, 1)[0], "messageId": PHONE}

        assert _tag_call().read(_page([row], total=1)).rows[0].message_id is None

    @pytest.mark.parametrize(
        ("credits", "expected"),
        [
            ({"creditSms": 1234, "balance": "12.50", "currency": "EUR"}, Account("12.50", "EUR", 1234)),
            ({"creditSms": "1234", "balance": 12.5, "currency": "EUR"}, Account("12.5", "EUR", 1234)),
            ({"creditSms": 0, "balance": -3, "currency": "eur"}, Account("-3", None, 0)),
            ({"creditSms": None, "balance": KEY, "currency": KEY}, Account(None, None, None)),
            ({"creditSms": -1, "balance": True, "currency": 5}, Account(None, None, None)),
            ({"creditSms": 1.5, "balance": 10**4200, "currency": []}, Account(None, None, None)),
            ({"creditSms": 10**13, "balance": [[]], "currency": "EURO"}, Account(None, None, None)),
            ({}, Account(None, None, None)),
        ],
    )
    def test_account(self, credits: object, expected: Account) -> None:  # noqa: A002 - the vendor's name
        assert (
            protocol.account().read(_answer({"success": True, "code": 200, "credits": credits})) == expected
        )

    def test_a_byte_order_mark_is_skipped(self) -> None:
        assert _tag_call().read(_answer(b"\xef\xbb\xbf" + BY_TAG)).total == 2

    def test_members_that_no_page_names_are_ignored(self) -> None:
        assert _read_row(operator="SFR", cost={"value": 0.04}).status is DeliveryStatus.DELIVERED


def _failed_row(phone_number: str, message_id: str) -> dict[str, object]:
    nothing = {"date": None, "stop_sms": None, "is_spam": None}
    named = {"phone_number": phone_number, "message_id": message_id, "status": "Not found"}
    return {**named, "raw_status": "Numéro introuvable", **nothing, "code": 4}


CODE_TO_ERROR = {
    **dict.fromkeys((1, 10, 20, 30, 40, 96), SMSPartnerCredentialsError),
    **dict.fromkeys((2, 3, 5, 6, 9, 50, 90), SMSPartnerRequestError),
    4: SMSPartnerNotFoundError,
    429: SMSPartnerUnavailableError,
    500: SMSPartnerUnavailableError,
    503: SMSPartnerUnavailableError,
}

ERROR_SHAPES: dict[str, Callable[[int], object]] = {
    "plain": lambda code: {"success": False, "code": code, "message": "Texte"},
    "code as text": lambda code: {"success": False, "code": str(code), "message": "Texte"},
    "errors": lambda code: {
        "success": False,
        "code": code,
        "errors": [{"elementId": "children[to]", "message": "Texte"}],
    },
    "error list": lambda code: {
        "success": False,
        "code": code,
        "error": [{"elementId": "x", "message": "T"}],
    },
    "error object": lambda code: {"success": False, "code": code, "error": {"message": "NOCREDITS"}},
    "error text": lambda code: {"success": False, "code": code, "error": "Texte", "errors": None},
    "inner code": lambda code: {
        "success": False,
        "code": 55,
        "message": "Texte",
        "errors": [{"success": False, "code": str(code), "message": "Texte"}],
    },
    "inner code in error": lambda code: {"success": False, "code": 55, "error": {"code": str(code)}},
    "inner code second": lambda code: {
        "success": False,
        "code": 55,
        "errors": ["x", {"code": "77"}, {"code": code}],
    },
    "no success member": lambda code: {"code": code},
    "with an empty list": lambda code: {
        "success": False,
        "code": code,
        "StatutResponse_List": [],
        "total": 0,
    },
    "with wrong types": lambda code: {
        "success": False,
        "code": code,
        "StatutResponse_List": {},
        "credits": 0,
    },
}


class TestErrorAnswers:
    """Whatever the shape and the HTTP status: the code decides."""

    @pytest.mark.parametrize("http_status", [200, 302, 400, 401, 404, 429, 500])
    @pytest.mark.parametrize("shape", ERROR_SHAPES.values(), ids=ERROR_SHAPES)
    @pytest.mark.parametrize(("code", "error_type"), CODE_TO_ERROR.items())
    def test_the_code_decides(
        self,
        code: int,
        error_type: type[SMSPartnerError],
        shape: Callable[[int], object],
        http_status: int,
    ) -> None:
        error = _error(_tag_call(), shape(code), http_status)

        assert type(error) is error_type
        assert (error.code, error.http_status) == (code, http_status)
        assert f"(code {code}, HTTP {http_status})" in str(error)
        assert "Texte" not in str(error)

    def test_every_call_reads_errors(self, call: Call[Any]) -> None:
        error = _error(call, WRONG_KEY)

        assert type(error) is SMSPartnerCredentialsError
        assert str(error) == (
            "SMS Partner refuses the credentials: the API key is wrong (code 10, HTTP 200). "
            "Enter the account's API key in the Airflow connection."
        )

    def test_every_refusal_says_why(self) -> None:
        for code, reason in (answers.CREDENTIALS | answers.REFUSALS).items():
            assert reason in str(_error(_tag_call(), {"success": False, "code": code}))

    @pytest.mark.parametrize(
        ("http_status", "error_type"),
        [
            (200, SMSPartnerUnavailableError),
            (204, SMSPartnerUnavailableError),
            (302, SMSPartnerUnavailableError),
            (400, SMSPartnerRequestError),
            (401, SMSPartnerCredentialsError),
            (403, SMSPartnerCredentialsError),
            (404, SMSPartnerRequestError),
            (429, SMSPartnerUnavailableError),
            (500, SMSPartnerUnavailableError),
            (503, SMSPartnerUnavailableError),
            (599, SMSPartnerUnavailableError),
        ],
    )
    @pytest.mark.parametrize(
        "body",
        [
            {"success": False},
            {"success": False, "code": 200},
            {"success": False, "code": None, "error": {"message": "NOCREDITS"}},
            {"success": False, "code": [10]},
            {},
        ],
        ids=str,
    )
    def test_without_a_code_the_http_status_decides(
        self, body: object, http_status: int, error_type: type[SMSPartnerError]
    ) -> None:
        error = _error(_tag_call(), body, http_status)

        assert type(error) is error_type
        assert (error.code, error.http_status) == (None, http_status)

    @pytest.mark.parametrize(
        ("http_status", "error_type"),
        [
            (200, SMSPartnerRequestError),
            (400, SMSPartnerRequestError),
            (403, SMSPartnerCredentialsError),
            (429, SMSPartnerUnavailableError),
            (502, SMSPartnerUnavailableError),
        ],
    )
    def test_an_unknown_code_is_a_refusal_unless_the_http_status_knows_better(
        self, http_status: int, error_type: type[SMSPartnerError]
    ) -> None:
        error = _error(_multi_call(), {"success": False, "code": 77}, http_status)

        assert (type(error), error.code) == (error_type, 77)

    @pytest.mark.parametrize(
        "code", [33612345678, "33612345678", -10, 10**300, 10.0, True, "1O", " 10", "10 "]
    )
    def test_what_is_no_code_is_none(self, code: object) -> None:
        error = _error(_multi_call(), {"success": False, "code": code})

        assert (type(error), error.code) == (SMSPartnerUnavailableError, None)
        assert "612345678" not in str(error)

    @pytest.mark.parametrize("http_status", [301, 302, 307, 308])
    def test_redirects_are_not_followed(self, call: Call[Any], http_status: int) -> None:
        error = _error(
            call, b"<html>Moved</html>", http_status, Location=f"https://evil.example/?apiKey={KEY}"
        )

        assert type(error) is SMSPartnerUnavailableError
        assert "a redirect, which is not followed" in str(error)
        assert "evil" not in str(error)

    @pytest.mark.parametrize("http_status", [200, 403, 404, 502])
    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            (b"<html><body>Bad gateway</body></html>", "the body is not JSON"),
            (b"", "the body is not JSON"),
            (BY_TAG[:-20], "the body is not JSON"),
            (BY_TAG + b"}", "the body is not JSON"),
            (BY_TAG.decode().encode("utf-16"), "the body is not JSON"),
            ('{"success": "é"}'.encode("latin-1"), "the body is not JSON"),
            (b'{"success": "\\ud800"}', "the body is not JSON"),
            (b"[" * 100_000, "Expected `object`, got `array`"),
            (b'{"success":' * 100_000, "the JSON is nested too deeply"),
            (b"null", "Expected `object`, got `null`"),
            (b"[]", "Expected `object`, got `array`"),
            (b'"success"', "Expected `object`, got `str`"),
        ],
    )
    def test_what_cannot_be_read_may_pass(
        self, call: Call[Any], body: bytes, fault: str, http_status: int
    ) -> None:
        error = _error(call, body, http_status)

        assert type(error) is SMSPartnerUnavailableError
        assert str(error) == f"SMS Partner gave an answer that can't be used (HTTP {http_status}): {fault}."

    def test_errors_have_no_context_that_holds_the_body(self, call: Call[Any]) -> None:
        for body in (b'{"success": "\xff\xfe' + KEY.encode() + b'"}', b"{" + KEY.encode(), WRONG_KEY, b"[]"):
            error = _error(call, body)

            assert error.__context__ is None
            assert error.__cause__ is None

    @pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
    @pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2026 07:28:00 GMT"])
    @pytest.mark.parametrize("body", [b"<html>", b'{"success":false,"code":429}', FAKE_SUCCESS])
    def test_retry_after_is_kept(self, name: str, value: str, body: bytes) -> None:
        error = _error(_tag_call(), body, 429, **{"Content-Type": "text/html", name: value})

        assert isinstance(error, SMSPartnerUnavailableError)
        assert error.retry_after == value

    def test_without_retry_after(self) -> None:
        error = _error(_tag_call(), b"", 503)

        assert isinstance(error, SMSPartnerUnavailableError)
        assert error.retry_after is None


class TestSuccessAlone:
    """It proves nothing: the answer must hold what was asked for."""

    def test_fake_success(self, call: Call[Any]) -> None:
        error = _error(call, FAKE_SUCCESS)

        assert type(error) is SMSPartnerUnavailableError
        assert "it claims success without" in str(error)

    @pytest.mark.parametrize("value", [None, {}, "", 0, True, [None], [[]], ["x"], [5]], ids=str)
    def test_the_list_must_be_a_list_of_objects(self, value: object) -> None:
        body = {"success": True, "code": 200, "total": 0, "StatutResponse_List": value}

        for status_call in (_multi_call(), _tag_call()):
            assert type(_error(status_call, body)) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("value", [None, [], "", 0, True])
    def test_credits_must_be_an_object(self, value: object) -> None:
        error = _error(protocol.account(), {"success": True, "code": 200, "credits": value})

        assert type(error) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("success", [False, None, 1, "true", "1", 0, [], {}])
    def test_only_true_is_success(self, success: object) -> None:
        body = {"success": success, "code": 200, "StatutResponse_List": [], "total": 0}

        assert type(_error(_tag_call(), body)) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("http_status", [199, 300, 404, 500])
    def test_success_needs_an_http_status_of_2xx(self, http_status: int) -> None:
        _error(_tag_call(), BY_TAG, http_status)

    def test_any_2xx_will_do(self) -> None:
        assert _tag_call().read(_answer(BY_TAG, 201)).total == 2


class TestPaging:
    """Either all rows of a tag, or an error that names both figures."""

    def test_one_page_is_one_call_without_a_page_number(self) -> None:
        pages = protocol.status_by_tag("montag")
        call = next(pages)

        assert "page" not in call.request.query
        with pytest.raises(StopIteration):
            pages.send(call.read(_answer(BY_TAG)))

    @pytest.mark.parametrize("as_text", [int, str])
    def test_many_pages(self, as_text: Callable[[int], object]) -> None:
        asked: list[int] = []

        def serve(number: int) -> Answer:
            asked.append(number)
            rows = _tag_rows(10 * (number - 1), min(10 * number, 25))
            return _page(rows, as_text(number), as_text(25))

        rows = _drive_tag(serve)

        assert [row.phone_number for row in rows] == [f"+336{n:08}" for n in range(25)]
        assert asked == [1, 2, 3]

    def test_following_pages_keep_the_tag(self) -> None:
        pages = protocol.status_by_tag("montag")
        call = pages.send(next(pages).read(_page(_tag_rows(0, 1), 1, 2)))

        assert call.request.query == {"tag": "montag", "page": "2"}

    def test_pages_may_count_from_zero(self) -> None:
        rows = _drive_tag(_serve(_page(_tag_rows(0, 1), 0, 2), _page(_tag_rows(1, 2), 1, 2)))

        assert len(rows) == 2

    def test_a_first_page_without_a_number_is_the_first(self) -> None:
        rows = _drive_tag(_serve(_page(_tag_rows(0, 1), None, 2), _page(_tag_rows(1, 2), 2, 2)))

        assert len(rows) == 2

    def test_a_total_too_low_loses_no_row_that_came(self) -> None:
        assert len(_drive_tag(_serve(_page(_tag_rows(0, 5), 1, 1)))) == 5
        assert len(_drive_tag(_serve(_page(_tag_rows(0, 5), 1, 0)))) == 5

    def test_a_total_that_grows_is_followed(self) -> None:
        answers = [_page(_tag_rows(n, n + 1), n + 1, min(n + 2, 5)) for n in range(5)]

        assert len(_drive_tag(_serve(*answers))) == 5

    def test_a_total_that_shrinks_is_not_believed(self) -> None:
        answers = [_page(_tag_rows(0, 2), 1, 5), _page(_tag_rows(2, 4), 2, 4), _page([], 3, 4)]

        _check_incomplete(_serve(*answers), expected=5, received=4, met="an empty page")

    @pytest.mark.parametrize(
        "total", [-1, "-1", 10**9, 10**300, None, 2.0, 1e308, True, "two", "", [], {}], ids=str
    )
    def test_a_total_that_is_none_is_no_answer(self, total: object) -> None:
        error = _error(_tag_call(), _page(_tag_rows(0, 2), 1, total).body)

        assert type(error) is SMSPartnerUnavailableError
        assert "`total`" in str(error)

    def test_a_total_too_high_ends_with_the_first_empty_page(self) -> None:
        answers = [_page(_tag_rows(0, 2), 1, 9), _page(_tag_rows(2, 4), 2, 9), _page([], 3, 9)]

        _check_incomplete(_serve(*answers), expected=9, received=4, met="an empty page")

    def test_an_empty_first_page_of_many_rows(self) -> None:
        _check_incomplete(_serve(_page([], 1, 3)), expected=3, received=0, met="an empty page")

    def test_code_4_on_a_later_page_is_an_empty_page(self) -> None:
        answers = [_page(_tag_rows(0, 2), 1, 3), _answer({"success": False, "code": 4}, 404)]

        _check_incomplete(_serve(*answers), expected=3, received=2, met="an empty page")

    def test_other_errors_on_a_later_page_are_themselves(self) -> None:
        with pytest.raises(SMSPartnerCredentialsError):
            _drive_tag(_serve(_page(_tag_rows(0, 2), 1, 3), _answer(WRONG_KEY)))

    def test_a_server_that_ignores_the_page(self) -> None:
        _check_incomplete(
            lambda _: _page(_tag_rows(0, 2), 1, 5),
            expected=5,
            received=2,
            met="page 1 where page 2 was asked for",
        )

    @pytest.mark.parametrize("number", [None, "two", 2.0, 33612345678, -2, [2]])
    def test_a_later_page_must_say_its_number(self, number: object) -> None:
        _check_incomplete(
            _serve(_page(_tag_rows(0, 2), 1, 5), _page(_tag_rows(2, 4), number, 5)),
            expected=5,
            received=2,
            met="a page without a number where page 2 was asked for",
        )

    @pytest.mark.parametrize("repeated_after", [1, 3])
    def test_a_page_repeated_under_the_right_number(self, repeated_after: int) -> None:
        def serve(number: int) -> Answer:
            first = 2 * (number - 1) if number <= repeated_after else 0
            return _page(_tag_rows(first, first + 2), number, 20)

        _check_incomplete(
            serve,
            expected=20,
            received=2 * repeated_after,
            met=f"page {repeated_after + 1} with the rows of an earlier page",
        )

    @pytest.mark.parametrize("http_status", [200, 400, 404])
    def test_an_unknown_tag_by_code(self, http_status: int) -> None:
        error = _error(
            _tag_call(), {"success": False, "code": 4, "message": "Message not found"}, http_status
        )

        assert (type(error), error.code) == (SMSPartnerNotFoundError, 4)

    @pytest.mark.parametrize("total", [0, "0", None])
    def test_an_unknown_tag_by_an_empty_list(self, total: object) -> None:
        with pytest.raises(SMSPartnerNotFoundError, match="no message with the tag 'montag'"):
            _drive_tag(_serve(_page([], 1, total)))

    @pytest.mark.parametrize("row", [{"status": "Delivered"}, {"phoneNumber": None}, {"phoneNumber": ""}])
    def test_a_row_must_say_whom_it_is_about(self, row: dict[str, object]) -> None:
        assert type(_error(_tag_call(), _page([row], total=1).body)) is SMSPartnerUnavailableError

    def test_a_row_about_no_mobile_number_stays_as_it_is(self) -> None:
        page = _tag_call().read(_page([{"phoneNumber": "36200"}, {"phoneNumber": "short 1"}], total=2))

        assert [row.phone_number for row in page.rows] == ["36200", "short 1"]


def _check_incomplete(serve: Callable[[int], Answer], *, expected: int, received: int, met: str) -> None:
    with pytest.raises(SMSPartnerIncompleteError) as caught:
        _drive_tag(serve)

    assert (caught.value.expected, caught.value.received) == (expected, received)
    assert str(caught.value) == (
        f"SMS Partner announced {expected} rows for the tag 'montag' and gave {received} of them: then came {met}. "
        "Ask for the campaign by the list of its messages instead: with SMSPartnerMultiStatusOperator, the hook's "
        "get_multi_status or the sensor's `messages`."
    )


def _pairs(call: Call[Any]) -> list[tuple[str, int]]:
    body = call.request.body or {}
    return [(pair["phoneNumber"], pair["messageId"]) for pair in body["SMSStatut_List"]]


class TestBatching:
    """Calls of up to 500 messages, each message asked for once."""

    @pytest.mark.parametrize(
        ("messages", "sizes"),
        [
            (0, []),
            (1, [1]),
            (499, [499]),
            (500, [500]),
            (501, [500, 1]),
            (1500, [500, 500, 500]),
        ],
    )
    @pytest.mark.parametrize("form", [list, iter])
    def test_sizes(self, messages: int, sizes: list[int], form: Callable[[Any], Iterable[Any]]) -> None:
        calls = list(protocol.multi_status(form([(PHONE, n) for n in range(messages)])))

        assert [len(_pairs(call)) for call in calls] == sizes
        assert [pair for call in calls for pair in _pairs(call)] == [(PHONE, n) for n in range(messages)]

    def test_repeats_are_asked_once_also_far_apart(self) -> None:
        messages = [(PHONE, n % 700) for n in range(2000)] + [("06 99 99 99 93", "5"), MessageRef(PHONE, 6)]
        calls = list(protocol.multi_status(messages))

        assert [len(_pairs(call)) for call in calls] == [500, 200]
        assert [pair for call in calls for pair in _pairs(call)] == [(PHONE, n) for n in range(700)]

    def test_an_endless_iterable_is_read_only_as_needed(self) -> None:
        numbers = count()
        calls = protocol.multi_status((PHONE, n // 2) for n in numbers)

        assert next(numbers) == 0
        assert len(_pairs(next(calls))) == 500
        assert 999 <= next(numbers) <= 1001
        assert len(_pairs(next(calls))) == 500

    def test_messages_that_are_known_to_differ_are_neither_remembered_nor_read_ahead(self) -> None:
        messages = [*[(PHONE, n) for n in range(500)], (PHONE, 0), None]
        calls = protocol.multi_status(messages, distinct=True)

        assert _pairs(next(calls)) == [(PHONE, n) for n in range(500)]
        with pytest.raises(ValueError, match=r"messages\[501\]"):
            next(calls)
        assert [len(_pairs(call)) for call in protocol.multi_status(messages[:501], distinct=True)] == [
            500,
            1,
        ]

    @pytest.mark.parametrize("form", [list, tuple, dict.fromkeys])
    def test_a_bad_message_in_a_collection_is_reported_before_any_call(
        self, form: Callable[[Any], Iterable[Any]]
    ) -> None:
        messages = form([*((PHONE, n) for n in range(600)), ("0112345678", 1)])

        with pytest.raises(
            ValueError, match=r"^messages(\[600\]: phone_number is neither| must be)"
        ) as caught:
            protocol.multi_status(messages)

        assert "0112345678" not in str(caught.value)

    def test_a_bad_message_in_an_iterator_is_reported_when_it_is_reached(self) -> None:
        def messages() -> Iterator[object]:
            yield from ((PHONE, n) for n in range(600))
            yield None

        calls = protocol.multi_status(messages())

        assert len(_pairs(next(calls))) == 500
        with pytest.raises(ValueError, match=r"^messages\[600\]"):
            next(calls)

    def test_a_collection_may_change_afterwards(self) -> None:
        messages = [(PHONE, 1)]
        calls = protocol.multi_status(messages)
        messages.clear()

        assert len(list(calls)) == 1


class TestMatching:
    """By phone number and id, never by position."""

    @staticmethod
    def _read(rows: list[dict[str, object]], *messages: object) -> list[MessageStatus]:
        return _multi_call(*messages).read(
            _answer({"success": True, "code": 200, "StatutResponse_List": rows})
        )

    def test_rows_stand_in_the_order_of_the_messages(self) -> None:
        rows = [_multi_row(messageId=n, status="Delivered" if n % 2 else "Waiting") for n in (3, 1, 4, 2, 0)]
        statuses = self._read(rows, *((PHONE, n) for n in range(5)))

        assert [(status.message_id, status.status.value) for status in statuses] == [
            (str(n), "Delivered" if n % 2 else "Waiting") for n in range(5)
        ]

    def test_an_unanswered_pair_shows_as_such(self) -> None:
        statuses = self._read([_multi_row(messageId=2)], (PHONE, 1), (PHONE, 2))

        assert statuses[1].status is DeliveryStatus.DELIVERED
        assert statuses[0].as_row() == {
            "phone_number": PHONE,
            "message_id": "1",
            "status": "Not found",
            "raw_status": None,
            "date": None,
            "stop_sms": None,
            "is_spam": None,
            "code": None,
        }

    def test_an_empty_list_leaves_every_pair_unanswered(self) -> None:
        assert [row.outcome.raw_status for row in self._read([], (PHONE, 1), (PHONE, 2))] == [None, None]

    def test_rows_never_asked_for_are_left_out(self) -> None:
        others = [_multi_row(messageId=9), _multi_row(phoneNumber="+33600000000"), _multi_row(messageId="x")]

        assert [status.message_id for status in self._read([*others, _multi_row()])] == ["111111"]

    def test_both_facts_must_match(self) -> None:
        crossed = [_multi_row(messageId=2), _multi_row(phoneNumber="+33600000000", messageId=1)]
        statuses = self._read([*crossed, _multi_row()], (PHONE, 1), ("+33600000000", 2), REF)

        assert [status.status.value for status in statuses] == ["Not found", "Not found", "Delivered"]

    @pytest.mark.parametrize("order", [1, -1])
    @pytest.mark.parametrize(
        ("better", "worse"),
        [
            ({"status": "Delivered"}, {"status": "Waiting"}),
            ({"status": "Not delivered"}, {"status": "Waiting"}),
            ({"status": "ko"}, {"status": "Queued"}),
            ({"status": "Waiting"}, {"success": False, "code": 4, "status": "Numéro introuvable"}),
            ({"status": "Queued"}, {"success": False, "code": 4, "status": "Numéro introuvable"}),
            ({"status": "Delivered"}, {"success": False, "code": 4, "status": "Numéro introuvable"}),
        ],
        ids=str,
    )
    def test_of_duplicates_the_more_certain_wins(
        self, better: dict[str, object], worse: dict[str, object], order: int
    ) -> None:
        (status,) = self._read([_multi_row(**better), _multi_row(**worse)][::order])

        assert status.outcome.raw_status == better["status"]

    @pytest.mark.parametrize(
        "phone_number", ["0699999993", "06 99 99 99 93", "+33 6 99 99 99 93", "33699999993", 33699999993]
    )
    @pytest.mark.parametrize("message_id", [111111, "111111"])
    def test_a_phone_number_may_be_answered_in_another_form(
        self, phone_number: object, message_id: object
    ) -> None:
        (status,) = self._read([_multi_row(phoneNumber=phone_number, messageId=message_id)])

        assert status.status is DeliveryStatus.DELIVERED
        assert (status.phone_number, status.message_id) == (PHONE, "111111")

    @pytest.mark.parametrize(
        "row",
        [
            {"phoneNumber": None},
            {"phoneNumber": ""},
            {"phoneNumber": 0},
            {"phoneNumber": 1.5},
            {"phoneNumber": ["+33699999993"]},
            {"messageId": None},
            {"messageId": 1.0},
            {"messageId": True},
            {"messageId": {}},
            {"status": 5},
            {"status": ["Delivered"]},
        ],
        ids=str,
    )
    def test_a_row_that_cannot_be_relied_on_is_no_answer(self, row: dict[str, object]) -> None:
        with pytest.raises(SMSPartnerUnavailableError) as caught:
            self._read([_multi_row(), _multi_row(**row)])

        assert "699999993" not in str(caught.value)


class TestRows:
    """One row's members, in every form in which they have been seen."""

    @pytest.mark.parametrize(
        ("members", "status"),
        [
            ({"status": "Not delivered"}, "Not delivered"),
            ({"status": "WAITING"}, "Waiting"),
            ({"status": "Ko"}, "KO"),
            ({"status": "Expired"}, "Unknown"),
            ({"status": None}, "Unknown"),
            ({"success": False, "code": 4, "status": "Delivered"}, "Not found"),
            ({"success": False, "code": "4", "status": "Message not found"}, "Not found"),
            ({"success": True, "code": 4, "status": "Numéro introuvable"}, "Not found"),
            ({"success": False, "code": 10, "status": "Delivered"}, "Unknown"),
            ({"success": "0", "status": "Delivered"}, "Unknown"),
            ({"success": "1", "status": "Delivered"}, "Delivered"),
            ({"success": [], "status": "Delivered"}, "Delivered"),
        ],
        ids=str,
    )
    def test_statuses(self, members: dict[str, object], status: str) -> None:
        row = _read_row(**members).as_row()

        assert (row["status"], row["raw_status"]) == (status, members["status"])

    @pytest.mark.parametrize(
        ("raw", "flag"),
        [
            *(("0", False), (0, False), (False, False), ("false", False)),
            *(("1", True), (1, True), (True, True), ("true", True)),
            *((None, None), ("", None), ("2", None), (2, None), (0.0, None), ([], None), ({}, None)),
        ],
    )
    def test_flags(self, raw: object, flag: bool | None) -> None:
        assert _read_row(stopSms=raw).outcome.stop_sms is flag
        assert _read_row(stopSMS=raw).outcome.stop_sms is flag
        assert _read_row(isSpam=raw).outcome.is_spam is flag

    def test_a_flag_may_be_nested_deeply(self) -> None:
        for depth in (50, 500, 900):
            body = b'{"success":true,"StatutResponse_List":[{"phoneNumber":"+33699999993","messageId":111111,%s}]}'
            nested = b",".join(
                b'"%s":' % member + b"[" * depth + b"]" * depth
                for member in (b"stopSms", b"isSpam", b"date", b"code", b"success")
            )
            try:
                (status,) = _multi_call().read(_answer(body % nested))
            except SMSPartnerUnavailableError as error:
                assert "nested too deeply" in str(error)  # noqa: PT017 - either end is right
            else:
                outcome = status.outcome
                assert (outcome.stop_sms, outcome.is_spam, outcome.date, outcome.code) == (None,) * 4

    @pytest.mark.parametrize(
        ("raw", "date"),
        [
            ("1517934416", "2018-02-06T16:26:56+00:00"),
            (1517934416, "2018-02-06T16:26:56+00:00"),
            (1517934416.0, "2018-02-06T16:26:56+00:00"),
            ("2018-02-06 17:26:56", "2018-02-06T16:26:56+00:00"),  # winter
            ("2018-07-06 17:26:56", "2018-07-06T15:26:56+00:00"),  # summer
            ("2018-02-06T17:26:56", "2018-02-06T16:26:56+00:00"),
            ("2018-02-06T17:26:56+02:00", "2018-02-06T15:26:56+00:00"),
            ("2018-02-06T17:26:56Z", "2018-02-06T17:26:56+00:00"),
            ("2018-02-06", "2018-02-05T23:00:00+00:00"),
            ("20180206", "2018-02-05T23:00:00+00:00"),
            (None, None),
            ("", None),
            ("0", None),
            (0, None),
            (-1517934416, None),
            (True, None),
            ("0000-00-00 00:00:00", None),
            ("0001-01-01 00:00:00", None),
            ("2018-02-30 00:00:00", None),
            ("1517934416000", None),
            (10**400, None),
            ("9" * 5000, None),
            (1e308, None),
            ("nan", None),
            ("yesterday", None),
            (["1517934416"], None),
            ({"date": 1}, None),
        ],
        ids=lambda value: str(value)[:30] if not isinstance(value, int) else "int",
    )
    def test_dates(self, raw: object, date: str | None) -> None:
        assert _read_row(date=raw).as_row()["date"] == date

    def test_a_date_is_aware_and_in_utc(self) -> None:
        date = _read_row(date="2018-07-06 17:26:56").outcome.date

        assert date == datetime(2018, 7, 6, 15, 26, 56, tzinfo=UTC)
        assert date is not None
        assert date.tzinfo is UTC

    @pytest.mark.parametrize(
        ("raw", "code"),
        [(200, 200), ("200", 200), (None, None), ("x", None), (33612345678, None), ([], None)],
    )
    def test_codes(self, raw: object, code: int | None) -> None:
        assert _read_row(code=raw).outcome.code == code


class TestRefusal:
    """What an unsuccessful answer means for good, also told from a trigger's event."""

    @pytest.mark.parametrize(
        ("code", "http_status", "error_type"),
        [
            (10, 200, SMSPartnerCredentialsError),
            (10, 503, SMSPartnerCredentialsError),
            (96, None, SMSPartnerCredentialsError),
            (90, 429, SMSPartnerRequestError),
            (None, 401, SMSPartnerCredentialsError),
            (None, 403, SMSPartnerCredentialsError),
            (None, 404, SMSPartnerRequestError),
            (77, 200, SMSPartnerRequestError),
            (77, None, SMSPartnerRequestError),
        ],
    )
    def test_for_good(
        self, code: int | None, http_status: int | None, error_type: type[SMSPartnerError]
    ) -> None:
        error = protocol.refusal(code=code, http_status=http_status)

        assert type(error) is error_type
        assert (error.code, error.http_status) == (code, http_status)

    @pytest.mark.parametrize(
        ("code", "http_status"),
        [
            (4, 200),
            (4, 403),
            (429, 200),
            (500, 401),
            (None, 429),
            (None, 503),
            (None, 200),
            (None, None),
            (77, 500),
        ],
    )
    def test_what_may_pass(self, code: int | None, http_status: int | None) -> None:
        assert protocol.refusal(code=code, http_status=http_status) is None
