"""Properties of the protocol: nothing is lost, nothing crashes, nothing goes on for ever, nothing leaks."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from fuzz.mutations import mutate
from hypothesis import example, given, settings
from hypothesis import strategies as st
from protocol.samples import (
    ACCOUNT,
    BULK_SENT,
    BY_TAG,
    CALLS,
    CANCELLED,
    FAKE_SUCCESS,
    KEY,
    MULTI_STATUS,
    OTHER_PHONE,
    PHONE,
    REF,
    SENT,
    STOP_LIST,
    WRONG_KEY,
    drive_tag,
    multi_call,
    page_of,
    tag_numbers,
    tag_rows,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerNotFoundError
from airflow_provider_smspartner.models import MessageRef, Receipt
from airflow_provider_smspartner.protocol import Account, Answer, Call, TagPage

URL = f"https://api.smspartner.fr/v1/me?{urlencode({'apiKey': KEY})}"
VENDOR_TEXT = "Clé API incorrecte"

SECRETS = {
    KEY,
    quote(KEY, safe=""),
    quote(KEY, safe="").lower(),
    quote_plus(KEY),
    quote_plus(KEY).lower(),
    json.dumps(KEY)[1:-1],
    json.dumps(KEY, ensure_ascii=False)[1:-1],
    repr(KEY)[1:-1],
    PHONE[3:],
    "apiKey=",
    VENDOR_TEXT,
}

MESSAGES = [REF, MessageRef(OTHER_PHONE, "x-2")]
ALL_CALLS: dict[str, Callable[[], Call[Any]]] = {**CALLS, "multi": lambda: multi_call(*MESSAGES)}

# Honest answers, and echoes of what no error may show: what is made of all of them is any answer.
ANSWERS = [
    *(MULTI_STATUS, BY_TAG, ACCOUNT, CANCELLED, STOP_LIST, SENT, BULK_SENT, WRONG_KEY, FAKE_SUCCESS),
    *(
        json.dumps(echo).encode()
        for echo in (
            {"success": False, "code": int(PHONE), "message": URL, "errors": [{"code": KEY}]},
            {"success": True, "credits": {PHONE: 1, KEY: 10**400, "balance": KEY, "currency": PHONE}},
            {"success": True, "total": PHONE, "StatutResponse_List": [{KEY: 1, "status": [KEY], PHONE: URL}]},
            {"success": True, "nbData": PHONE, "data": [{"phoneNumber": KEY, "createdAt": URL}]},
            {"success": True, "message_id": PHONE, "cost": KEY, "SMSResponse_List": [{"code": PHONE}]},
        )
    ),
    b'{"success":"\xff\xfe' + KEY.encode() + b'"}',
    b'{"success":' + KEY.encode(),
]
HTTP_STATUSES = (200, 200, 200, 200, 201, 302, 400, 401, 404, 429, 500, 503)


def _check_no_secret(*texts: str) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in text


def _check_error(error: SMSPartnerError) -> None:
    """Look wherever Python would show an error's words: its own, and those of what led to it."""
    shown = "".join(traceback.format_exception(error))
    # The lines of source in a traceback are ours; this file's name the secrets.
    own = "\n".join(line for line in shown.splitlines() if not line.startswith("    "))
    _check_no_secret(str(error), repr(error), repr(error.args), repr(vars(error)), own)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("name", ALL_CALLS)
def test_any_answer_ends_in_a_value_or_an_error_that_tells_nothing(name: str) -> None:
    random = Random(name)  # noqa: S311 - no secret
    read = 0
    for number in range(600):
        body = ANSWERS[number] if number < len(ANSWERS) else mutate(random.choice(ANSWERS), random, ANSWERS)
        try:
            read += _is_read(ALL_CALLS[name](), Answer(random.choice(HTTP_STATUSES), {"X-Echo": URL}, body))
        except Exception as error:
            error.add_note(f"the answer was {body!r}")
            raise
    assert read


def _is_read(call: Call[Any], answer: Answer) -> bool:
    """Return whether an answer is a value; check what comes of it."""
    try:
        value = call.read(answer)
    except SMSPartnerError as error:
        _check_error(error)
        return False
    _check_no_secret(repr(value), repr(call))
    is_list = call.request.path == "/multi-status"
    # Code 4 for a whole list is no success, but says of each message that it is not known.
    none_known = is_list and {(s.status.value, s.outcome.code) for s in value} == {("Not found", 4)}
    # Nor is code 5 for a cancel, but it says that the message is cancelled. Nor is code 55 for a send: none was taken.
    nobody_left = isinstance(value, Receipt) and not value.accepted
    assert 200 <= answer.http_status < 300 or none_known or nobody_left or value is None
    if isinstance(value, Receipt):
        assert {*value.accepted, *value.refused} == {PHONE, OTHER_PHONE}
        assert value.message_id is not None or not value.accepted
    if is_list:
        assert [(status.phone_number, status.message_id) for status in value] == MESSAGES
    for each in value.rows if isinstance(value, TagPage) else value if isinstance(value, list) else ():
        row = each.as_row()
        assert json.loads(json.dumps(row)) == row
        _check_no_secret(str({**row, "phone_number": None, "raw_status": None}))
    if isinstance(value, Account):
        assert value.balance is None or float(value.balance) < 10**8
    return True


@settings(max_examples=25)
@given(
    size=st.one_of(st.integers(0, 12), st.integers(0, 1600), st.sampled_from([499, 500, 501, 1000, 1001])),
    different=st.integers(1, 1600),
    is_lazy=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_every_message_exactly_once_and_in_order(
    size: int, different: int, is_lazy: bool, random: Random
) -> None:
    numbers = random.choices(range(different), k=size)
    messages = [(f"+336{number // 3:08}", number) for number in numbers]
    statuses = []
    for call in protocol.multi_status(iter(messages) if is_lazy else messages):
        pairs = (call.request.body or {})["SMSStatut_List"]
        assert 1 <= len(pairs) <= 500
        answered = [{**pair, "status": f"{pair['messageId']}"} for pair in pairs]
        random.shuffle(answered)
        body = json.dumps({"success": True, "StatutResponse_List": answered}).encode()
        statuses += call.read(Answer(200, {}, body))

    expected = list(dict.fromkeys((phone_number, str(number)) for phone_number, number in messages))
    assert [(status.phone_number, status.message_id) for status in statuses] == expected
    assert [status.outcome.raw_status for status in statuses] == [number for _, number in expected]


@settings(max_examples=40)
@given(size=st.integers(1, 300), page_size=st.integers(1, 60), figure=st.sampled_from([int, str]))
def test_an_honest_server_gives_all_rows_once_and_in_order(
    size: int, page_size: int, figure: Callable[[int], object]
) -> None:
    def serve(asked: int) -> Answer:
        rows = tag_rows(page_size * (asked - 1), min(page_size * asked, size))
        return page_of(rows, figure(asked), figure(size))

    received = tag_numbers(serve, most_calls=-(-size // page_size))

    assert received == [row["phoneNumber"] for row in tag_rows(0, size)]


# For each call: rows, or the page to repeat; what is added to the number asked for, or the number itself; the total.
scripts = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([0, 0, 0, 0, 0, 1, -1, 10**9, None, "two", PHONE[1:]]),
        st.one_of(st.integers(0, 60), st.sampled_from([20, 20, 20, 5_000_000, None, -3, 10**12, "x", 2.5])),
    ),
    max_size=25,
)
honest_start = (2, False, 0, 20)


@settings(max_examples=100)
@given(script=scripts)
@example(script=[honest_start, (0, True, 0, 20)])  # repeats under the right number
@example(script=[honest_start, (1, False, 0, 2)])  # the total shrinks
@example(script=[(1, False, 0, 2 + n) for n in range(25)])  # the total runs away
def test_a_hostile_server_is_left_with_all_rows_or_an_error(
    script: list[tuple[int, bool, object, object]],
) -> None:
    pages = iter(script)
    given: list[list[dict[str, object]]] = []
    largest_total = 1

    def serve(asked: int) -> Answer:
        nonlocal largest_total
        size, repeats, number, total = next(pages, (0, False, 0, None))
        start = sum(map(len, given))
        given.append(given[size % len(given)] if repeats and given else tag_rows(start, start + size))
        largest_total = max(largest_total, total if isinstance(total, int) else 0)
        return page_of(given[-1], asked + number if isinstance(number, int) else number, total)

    received: list[str] = []
    try:
        for page in drive_tag(serve, most_calls=len(script) + 2):
            received += [row.phone_number for row in page.rows]
    except SMSPartnerError as error:
        _check_error(error)
        assert "+336" not in str(error)  # noqa: PT017 - either end is right
        assert not (received and isinstance(error, SMSPartnerNotFoundError))  # noqa: PT017
    else:
        assert len(received) >= largest_total
        assert received == [row["phoneNumber"] for row in tag_rows(0, len(received))]


@settings(max_examples=30)
@given(key=st.one_of(st.just(KEY), st.text(min_size=1)))
def test_any_key_arrives_as_it_is_and_shows_nowhere(key: str) -> None:
    for make in ALL_CALLS.values():
        request = make().request
        query, body = request.with_key(key)
        sent = json.loads(body) if body else query

        assert sent["apiKey"] == key
        assert request == make().request  # nothing of the key stays behind
        assert ("apiKey" in query) is (request.method == "GET")
