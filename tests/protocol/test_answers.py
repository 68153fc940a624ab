"""Answers that are no success, in all shapes, and those that only claim to be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from combinations import in_turn, pairs
from fuzz.oracles import KEY
from protocol.samples import (
    BY_TAG,
    CALLS,
    FAKE_SUCCESS,
    WRONG_KEY,
    answer_of,
    cancel_call,
    error_of,
    multi_call,
    refused,
    send_call,
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
from airflow_provider_smspartner.protocol import Call, codes

# Each shape in which the vendor writes an error's code.
ERROR_SHAPES: dict[str, Callable[[int], object]] = {
    "code as text": lambda code: refused(str(code)),
    "errors": lambda code: refused(code, errors=[{"elementId": "children[to]", "message": "Texte"}]),
    "error object": lambda code: refused(code, error={"message": "NOCREDITS"}),
    "error text": lambda code: refused(code, error="Texte", errors=None),
    "inner code": lambda code: refused(55, errors=[{"success": False, "code": str(code)}]),
    "inner code in error": lambda code: refused(55, error={"code": str(code)}),
    "inner code second": lambda code: refused(55, errors=["x", {"code": "77"}, {"code": code}]),
    "no success member": lambda code: {"code": code},
    "with an empty list": lambda code: refused(code, StatutResponse_List=[], total=0),
    "with wrong types": lambda code: refused(code, StatutResponse_List={}, credits=0),
}
CODES: dict[str, tuple[int, type[SMSPartnerError]]] = {
    "credentials": (10, SMSPartnerCredentialsError),
    "request": (9, SMSPartnerRequestError),
    "not found": (4, SMSPartnerNotFoundError),
    "too many": (429, SMSPartnerUnavailableError),
    "server": (503, SMSPartnerUnavailableError),
}


@pairs(shape=ERROR_SHAPES, code=CODES, http_status=[200, 302, 401, 429, 500])
def test_the_code_decides(
    shape: Callable[[int], object], code: tuple[int, type[SMSPartnerError]], http_status: int
) -> None:
    number, error_type = code

    error = error_of(tag_call(), shape(number), http_status)

    assert type(error) is error_type
    assert (error.code, error.http_status) == (number, http_status)
    assert f"(code {number}, HTTP {http_status})" in str(error)
    assert "Texte" not in str(error)


def test_a_code_that_nobody_knows_is_kept_where_it_may_pass() -> None:
    error = error_of(tag_call(), {"success": False, "code": 77, "message": "Texte"}, 200)

    assert (type(error), error.code, error.http_status) == (SMSPartnerUnavailableError, 77, 200)


@pytest.mark.parametrize(
    ("code", "http_status", "error_type"),
    [
        (10, 503, SMSPartnerCredentialsError),
        (90, 429, SMSPartnerRequestError),
        (77, 403, SMSPartnerCredentialsError),
        (77, 404, SMSPartnerRequestError),
        *((None, status, SMSPartnerCredentialsError) for status in (401, 403)),
        *((None, status, SMSPartnerRequestError) for status in (400, 404, 499)),
        (96, None, SMSPartnerCredentialsError),
        # What may pass.
        *((code, 200, None) for code in (77, 429, 499, 599, 600)),
        *((code, status, None) for code, status in ((500, 401), (77, 502), (77, None))),
        *((None, status, None) for status in (None, 200, 302, 429, 500, 599)),
        *((4, status, None) for status in (200, 403)),
    ],
)
def test_both_codes_tell_what_no_retry_mends(
    code: int | None, http_status: int | None, error_type: type[SMSPartnerError] | None
) -> None:
    """A trigger's event holds the two, perhaps without an HTTP status, and not the answer."""
    refusal = protocol.refusal(code=code, http_status=http_status)

    assert (type(refusal) if refusal else None) is error_type
    assert refusal is None or (refusal.code, refusal.http_status) == (code, http_status)
    if http_status is not None:
        passing = SMSPartnerNotFoundError if code == 4 else SMSPartnerUnavailableError
        assert type(error_of(tag_call(), refused(code), http_status)) is (error_type or passing)


@pytest.mark.parametrize(
    ("make", "table", "documented"),
    [
        (tag_call, codes.STATUS, {2, 3, 5, 6, 9, 50, 90}),
        (cancel_call, codes.CANCEL, {3, 5, 6, 7, 11}),
        (send_call, codes.SEND, {2, 9, 13, 14, 15, 22, 23, *range(42, 53), 55, 90, 992}),
    ],
    ids=["status", "cancel", "send"],
)
def test_a_refusal_says_why_and_what_to_do(
    make: Callable[[], Call[Any]], table: codes.Codes, documented: set[int]
) -> None:
    assert set(table.refusals) == set(table.advice) == documented
    code = max(documented)

    error = error_of(make(), refused(code), 400)

    assert type(error) is SMSPartnerRequestError
    assert str(error) == (
        f"SMS Partner refuses the request: {table.refusals[code]} (code {code}, HTTP 400). {table.advice[code]}"
    )


def test_an_account_without_credit_is_told_what_to_do() -> None:
    assert str(error_of(send_call(), refused("11"), 400)) == (
        "The SMS Partner account has no credit left (code 11, HTTP 400): the call sent nothing. Buy credits."
    )


def test_refused_credentials_say_why_and_what_to_do() -> None:
    assert set(codes.CREDENTIALS) == set(codes.CREDENTIALS_ADVICE) == {1, 10, 20, 30, 40, 96}
    assert str(error_of(tag_call(), refused(96))) == (
        "SMS Partner refuses the credentials: the IP address is not allowed; workers and triggerer may leave through "
        "different addresses (code 96, HTTP 200). Allow all of these addresses in the account."
    )


def test_every_call_reads_errors(call: Call[Any]) -> None:
    assert type(error_of(call, WRONG_KEY)) is SMSPartnerCredentialsError


UNUSABLE = "SMS Partner gave an answer that can't be used"
WORDS = {
    (None, 403): (
        "SMS Partner refuses access (HTTP 403). Check the API key and the host of the Airflow connection."
    ),
    (77, 404): (
        "SMS Partner refuses the request, for a reason that its documents do not name (code 77, HTTP 404). "
        "Check the host of the Airflow connection, and ask SMS Partner what the code means."
    ),
    (4, 404): "SMS Partner does not know what it was asked for (code 4, HTTP 404).",
    (None, 503): f"{UNUSABLE} (HTTP 503): an error on the vendor's side.",
    (500, 401): f"{UNUSABLE} (code 500, HTTP 401): an error on the vendor's side.",
    (None, 200): f"{UNUSABLE} (HTTP 200): neither a success nor an error that the vendor documents.",
}


@pytest.mark.parametrize(("code", "http_status"), WORDS)
def test_what_errors_say(code: int | None, http_status: int) -> None:
    assert str(error_of(protocol.account(), refused(code), http_status)) == WORDS[code, http_status]


@pytest.mark.parametrize(
    "body",
    [
        {},
        refused(200),
        refused(None, error={"message": "NOCREDITS"}),
        *(refused(raw) for raw in ("33612345678", -10, 10.0, True, [10])),
    ],
    ids=str,
)
def test_what_is_no_code_is_none(body: object) -> None:
    error = error_of(multi_call(), body)

    assert (type(error), error.code) == (SMSPartnerUnavailableError, None)
    assert "612345678" not in str(error)


@in_turn(make=CALLS, http_status=[300, 301, 302, 399])
def test_redirects_are_not_followed(make: Callable[[], Call[Any]], http_status: int) -> None:
    error = error_of(make(), b"<html>", http_status, Location=f"https://evil.example/?apiKey={KEY}")

    assert type(error) is SMSPartnerUnavailableError
    assert "a redirect, which is not followed" in str(error)
    assert "evil" not in str(error)


@in_turn(
    read={
        "page": (b"<html><body>Bad gateway</body></html>", "the body is not JSON"),
        "nothing": (b"", "the body is not JSON"),
        "cut": (BY_TAG[:-20], "the body is not JSON"),
        "two": (BY_TAG + b"}", "the body is not JSON"),
        "latin-1": ('{"success": "é"}'.encode("latin-1"), "the body is not JSON"),
        "lone surrogate": (b'{"success": "\\ud800"}', "the body is not JSON"),
        "deep": (b'{"success":' * 100_000, "the JSON is nested too deeply"),
        "deep list": (b"[" * 100_000, "Expected `object`, got `array`"),
        "null": (b"null", "Expected `object`, got `null`"),
    },
    http_status=[299, 400, 403, 502],
)
def test_what_cannot_be_read_may_pass(read: tuple[bytes, str], http_status: int) -> None:
    body, fault = read

    error = error_of(tag_call(), body, http_status)

    assert type(error) is SMSPartnerUnavailableError
    assert str(error) == f"{UNUSABLE} (HTTP {http_status}): {fault}."


def test_a_place_deep_inside_an_answer_is_not_named_to_its_end() -> None:
    text = str(error_of(tag_call(), b'{"success":%b1e999%b}' % (b"[" * 500, b"]" * 500)))

    assert "Number out of range - at `$.success[0][0]" in text
    assert text.endswith("[0]….")
    assert len(text) < 300


@in_turn(
    name=["Retry-After", "retry-after", "RETRY-AFTER"],
    value=["7", "Wed, 21 Oct 2026 07:28:00 GMT"],
    body={"page": b"<html>", "code": refused(429), "fake success": FAKE_SUCCESS},
)
def test_retry_after_is_kept(name: str, value: str, body: object) -> None:
    later = error_of(tag_call(), body, 429, **{"Content-Type": "text/html", name: value})
    any_time = error_of(tag_call(), body, 429)

    assert isinstance(later, SMSPartnerUnavailableError)
    assert isinstance(any_time, SMSPartnerUnavailableError)
    assert (later.retry_after, any_time.retry_after) == (value, None)


class TestSuccessAlone:
    """It proves nothing: the answer must hold what was asked for."""

    def test_fake_success(self, call: Call[Any]) -> None:
        error = error_of(call, FAKE_SUCCESS)

        assert type(error) is SMSPartnerUnavailableError
        assert "it claims success without" in str(error)

    @pytest.mark.parametrize(
        ("make", "members"),
        [
            (multi_call, {"StatutResponse_List": None}),
            (multi_call, {"StatutResponse_List": {}}),
            (tag_call, {"StatutResponse_List": [5], "total": 1}),
            (protocol.account, {"credits": None}),
            (protocol.account, {"credits": []}),
        ],
    )
    def test_what_was_asked_for_must_have_its_type(
        self, make: Callable[[], Call[Any]], members: dict[str, object]
    ) -> None:
        error = error_of(make(), {"success": True, "code": 200, **members})

        assert type(error) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("success", [False, None, 1, "true", {}])
    def test_only_true_is_success(self, success: object) -> None:
        body = {"success": success, "code": 200, "StatutResponse_List": [], "total": 0}

        assert type(error_of(tag_call(), body)) is SMSPartnerUnavailableError

    @pytest.mark.parametrize("http_status", [199, 300, 404])
    def test_success_needs_an_http_status_of_2xx(self, http_status: int) -> None:
        assert tag_call().read(answer_of(BY_TAG, 299)).total == 2
        error_of(tag_call(), BY_TAG, http_status)
