"""Answers that are no success, in all shapes, and those that only say so."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

import pytest
from protocol.samples import (
    BY_TAG,
    FAKE_SUCCESS,
    KEY,
    WRONG_KEY,
    answer_of,
    error_of,
    multi_call,
    tag_call,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import Answer, Call
from airflow_provider_smspartner.protocol.answers import LARGE_BYTES, fault_members
from airflow_provider_smspartner.protocol.codes import CREDENTIALS, STATUS

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
        error = error_of(tag_call(), shape(code), http_status)

        assert type(error) is error_type
        assert (error.code, error.http_status) == (code, http_status)
        assert f"(code {code}, HTTP {http_status})" in str(error)
        assert "Texte" not in str(error)

    def test_every_call_reads_errors(self, call: Call[Any]) -> None:
        error = error_of(call, WRONG_KEY)

        assert type(error) is SMSPartnerCredentialsError
        assert str(error) == (
            "SMS Partner refuses the credentials: the API key is wrong (code 10, HTTP 200). "
            "Enter the account's API key in the Airflow connection."
        )

    def test_every_refusal_says_why(self) -> None:
        for code, reason in {**CREDENTIALS, **STATUS.refusals}.items():
            assert reason in str(error_of(tag_call(), {"success": False, "code": code}))

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
        error = error_of(tag_call(), body, http_status)

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
        error = error_of(multi_call(), {"success": False, "code": 77}, http_status)

        assert (type(error), error.code) == (error_type, 77)

    @pytest.mark.parametrize(
        ("code", "error_type"),
        [
            (499, SMSPartnerRequestError),
            (599, SMSPartnerUnavailableError),
            (600, SMSPartnerRequestError),
        ],
    )
    def test_codes_like_those_of_a_server_may_pass(
        self, code: int, error_type: type[SMSPartnerError]
    ) -> None:
        assert type(error_of(multi_call(), {"success": False, "code": code})) is error_type

    @pytest.mark.parametrize(("code", "http_status"), [(None, 503), (429, 200), (500, 401)])
    def test_what_may_pass_is_the_vendors_trouble(self, code: int | None, http_status: int) -> None:
        error = error_of(multi_call(), {"success": False, "code": code}, http_status)

        assert "an error on the vendor's side" in str(error)

    def test_what_says_neither_may_pass(self) -> None:
        error = error_of(multi_call(), {"success": False}, 200)

        assert "(HTTP 200): neither a success nor an error that the vendor documents." in str(error)

    def test_refused_access_says_what_to_check(self) -> None:
        assert str(error_of(multi_call(), {"success": False}, 403)) == (
            "SMS Partner refuses access (HTTP 403). Check the API key and the host of the Airflow connection."
        )

    def test_a_refusal_without_a_known_reason_says_what_to_check(self) -> None:
        assert str(error_of(multi_call(), {"success": False, "code": 77}, 404)) == (
            "SMS Partner refuses the request, for a reason that its documents do not name (code 77, HTTP 404). "
            "Check the host of the Airflow connection, and ask SMS Partner what the code means."
        )

    def test_something_that_is_not_known_is_told_with_its_codes(self) -> None:
        error = error_of(protocol.account(), {"success": False, "code": 4}, 404)

        assert str(error) == "SMS Partner does not know what it was asked for (code 4, HTTP 404)."

    @pytest.mark.parametrize(
        "code", [33612345678, "33612345678", -10, 10**300, 10.0, True, "1O", " 10", "10 "]
    )
    def test_what_is_no_code_is_none(self, code: object) -> None:
        error = error_of(multi_call(), {"success": False, "code": code})

        assert (type(error), error.code) == (SMSPartnerUnavailableError, None)
        assert "612345678" not in str(error)

    @pytest.mark.parametrize(
        ("http_status", "redirects"), [(299, False), (300, True), (399, True), (400, False)]
    )
    def test_which_statuses_redirect(self, http_status: int, redirects: bool) -> None:
        assert ("a redirect" in str(error_of(multi_call(), b"<html>", http_status))) is redirects

    @pytest.mark.parametrize("http_status", [301, 302, 307, 308])
    def test_redirects_are_not_followed(self, call: Call[Any], http_status: int) -> None:
        error = error_of(
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
        error = error_of(call, body, http_status)

        if not call.request.may_repeat:
            # What sends looks no further.
            fault = "it is longer than any answer to a send" if len(body) > LARGE_BYTES else fault
            fault = "an error on the vendor's side" if http_status >= 500 else fault
        assert type(error) is SMSPartnerUnavailableError
        assert str(error) == f"SMS Partner gave an answer that can't be used (HTTP {http_status}): {fault}."

    def test_a_place_deep_inside_an_answer_is_not_named_to_its_end(self, call: Call[Any]) -> None:
        body = b'{"success":%b1e999%b}' % (b"[" * 500, b"]" * 500)

        text = str(error_of(call, body))

        assert "Number out of range - at `$.success[0][0]" in text
        assert text.endswith("[0]….")
        assert len(text) < 300

    def test_errors_have_no_context_that_holds_the_body(self, call: Call[Any]) -> None:
        for body in (b'{"success": "\xff\xfe' + KEY.encode() + b'"}', b"{" + KEY.encode(), WRONG_KEY, b"[]"):
            error = error_of(call, body)

            assert error.__context__ is None
            assert error.__cause__ is None

    @pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
    @pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2026 07:28:00 GMT"])
    @pytest.mark.parametrize("body", [b"<html>", b'{"success":false,"code":429}', FAKE_SUCCESS])
    def test_retry_after_is_kept(self, name: str, value: str, body: bytes) -> None:
        error = error_of(tag_call(), body, 429, **{"Content-Type": "text/html", name: value})

        assert isinstance(error, SMSPartnerUnavailableError)
        assert error.retry_after == value

    def test_without_retry_after(self) -> None:
        error = error_of(tag_call(), b"", 503)

        assert isinstance(error, SMSPartnerUnavailableError)
        assert error.retry_after is None


class TestSuccessAlone:
    """It proves nothing: the answer must hold what was asked for."""

    def test_fake_success(self, call: Call[Any]) -> None:
        error = error_of(call, FAKE_SUCCESS)

        assert type(error) is SMSPartnerUnavailableError
        assert "it claims success without" in str(error)

    @pytest.mark.parametrize("value", [None, {}, "", 0, True, [None], [[]], ["x"], [5]], ids=str)
    def test_the_list_must_be_a_list_of_objects(self, value: object) -> None:
        body = {"success": True, "code": 200, "total": 0, "StatutResponse_List": value}

        for status_call in (multi_call(), tag_call()):
            assert type(error_of(status_call, body)) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("value", [None, [], "", 0, True])
    def test_credits_must_be_an_object(self, value: object) -> None:
        error = error_of(protocol.account(), {"success": True, "code": 200, "credits": value})

        assert type(error) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("success", [False, None, 1, "true", "1", 0, [], {}])
    def test_only_true_is_success(self, success: object) -> None:
        body = {"success": success, "code": 200, "StatutResponse_List": [], "total": 0}

        assert type(error_of(tag_call(), body)) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("http_status", [199, 300, 404, 500])
    def test_success_needs_an_http_status_of_2xx(self, http_status: int) -> None:
        error_of(tag_call(), BY_TAG, http_status)

    def test_any_2xx_will_do(self) -> None:
        assert tag_call().read(answer_of(BY_TAG, 201)).total == 2


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


@pytest.mark.parametrize(
    ("body", "members"),
    [
        (b'{"success": false, "code": 4}', ("code",)),
        (b'{"error": {"code": 4}, "errors": [], "code": null}', ("error", "errors")),
        (codecs.BOM_UTF8 + b'{"code": 4, "error": "x"}', ("code", "error")),
        (b'{"success": true}', ()),
        (b"[4]", ()),
        (b"<html>", ()),
    ],
)
def test_which_members_say_what_went_wrong(body: bytes, members: tuple[str, ...]) -> None:
    assert fault_members(Answer(400, {}, body)) == members
