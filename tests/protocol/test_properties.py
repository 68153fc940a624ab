"""Properties of the protocol: nothing is lost, nothing crashes, nothing goes on for ever, nothing leaks."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from protocol.names import ACCOUNT, ENVELOPE, ROW

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._messages.reading import read_messages
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerNotFoundError
from airflow_provider_smspartner.models import MessageRef, Receipt
from airflow_provider_smspartner.protocol import Account, Answer, Call, TagPage
from airflow_provider_smspartner.protocol.sending import SendOptions, bulk_send, send

# Every form of the key differs from the others.
KEY = 'k+/=&é"secret%20'
PHONE = "+33612345678"
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

MESSAGES = [MessageRef(PHONE, 1), MessageRef("+33612345679", "x-2"), MessageRef("+33712345678", 333)]
NUMBERS = tuple(ref.phone_number for ref in MESSAGES)
CALLS: dict[str, Callable[[], Call[Any]]] = {
    "multi": lambda: next(protocol.multi_status(MESSAGES)),
    "tag": lambda: next(protocol.status_by_tag("montag")),
    "me": protocol.account,
    "cancel": lambda: protocol.cancel(300),
    "stop list": protocol.stop_list,
    "send": lambda: send(NUMBERS, "Bonjour", SendOptions(tag="montag")),
    "bulk send": lambda: bulk_send(dict.fromkeys(NUMBERS, "Bonjour"), SendOptions(tag="montag")),
}

# Stands for very deep nesting, which no strategy reaches and `json` cannot write.
DEEP = "@deep@"
NESTED = '"' + DEEP + '"'

texts = st.one_of(
    st.sampled_from([KEY, *SECRETS, PHONE, PHONE[1:], URL, DEEP, "\ud800", "\udfff\ud800", "\0", "é"]),
    st.sampled_from(
        ["Delivered", "waiting", "1", "0", "10", "4", "9", "200", "1517934416", "2018-02-06 17:26:56"]
    ),
    st.text(max_size=20),
)
figures = st.one_of(
    st.sampled_from(
        [0, 1, 2, 4, 10, 55, 77, 200, 429, 500, int(PHONE), -1, 10**9, 2**63, 2**64, 10**400, 1517934416]
    ),
    st.integers(),
)
leaves = st.one_of(st.none(), st.booleans(), figures, st.floats(), texts)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.one_of(st.sampled_from(ENVELOPE + ROW), texts), inner, max_size=3)
    ),
    max_leaves=6,
)


def _objects(
    members: dict[str, st.SearchStrategy[Any]], names: Sequence[str]
) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with likely members, but each of them, and others, may have any value at all or be missing."""
    likely = st.fixed_dictionaries({}, optional=members)
    odd = st.dictionaries(st.one_of(st.sampled_from(names), texts), values, max_size=2)
    return st.builds(lambda one, other: {**one, **other}, likely, odd)


rows = _objects(
    {
        "phoneNumber": st.sampled_from([ref.phone_number for ref in MESSAGES] + ["0612345678", 33612345678]),
        "messageId": st.sampled_from([1, "1", "x-2", 333]),
        "status": st.sampled_from(
            ["Delivered", "Not delivered", "Waiting", "ko", "Expired", "Numéro introuvable"]
        ),
        "date": values,
        "stopSms": values,
        "code": st.sampled_from([200, 4, "4", 14, "13"]),
        "success": st.sampled_from([True, True, False]),
        "createdAt": values,
    },
    ROW,
)
errors = st.lists(_objects({"code": st.sampled_from(["9", 10, "4", 77, int(PHONE)])}, ROW), max_size=2)
envelopes = _objects(
    {
        "success": st.sampled_from([True, True, True, False]),
        "code": st.sampled_from([200, 4, 5, 10, 55, 77, 500]),
        "message": st.just(VENDOR_TEXT),
        "errors": errors,
        "error": errors,
        "StatutResponse_List": st.lists(rows, max_size=4),
        "total": st.integers(0, 5),
        "currentPage": st.integers(0, 2),
        "nbData": st.integers(0, 2),
        "data": st.lists(rows, max_size=2),
        "credits": _objects(dict.fromkeys(ACCOUNT, leaves), ACCOUNT),
        "message_id": st.sampled_from([307, "307", 0, None]),
        "nb_sms": st.sampled_from([1, "2", None]),
        "cost": st.sampled_from([0.038, "0.076", None]),
        "currency": st.sampled_from(["EUR", None]),
        "SMSResponse_List": st.lists(rows, max_size=4),
    },
    ENVELOPE,
)
encodings = st.sampled_from(
    [
        *[("utf-8", "replace")] * 4,
        ("utf-8", "surrogatepass"),
        ("utf-8-sig", "replace"),
        ("utf-16", "replace"),
        ("latin-1", "replace"),
    ]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Anything from an honest answer, over its wrecks, to any bytes at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    content = draw(st.one_of(envelopes, envelopes, values))
    text = json.dumps(content, ensure_ascii=draw(st.booleans()))
    if NESTED in text:
        depth = draw(st.sampled_from([1, 100, 900, 980, 990, 1000, 20_000]))
        text = text.replace(NESTED, "[" * depth + "]" * depth)
    body = text.encode(*draw(encodings))
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


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


@pytest.mark.parametrize("call", [make() for make in CALLS.values()], ids=CALLS)
@settings(max_examples=250)
@given(body=bodies(), http_status=st.one_of(st.just(200), st.integers(100, 599)))
@example(body=b'{"success":"\xff\xfe' + KEY.encode() + b'"}', http_status=200)
@example(body=json.dumps({"success": False, "code": int(PHONE)}).encode(), http_status=400)
@example(body=json.dumps({"success": True, "credits": {PHONE: 1, KEY: 10**400}}).encode(), http_status=200)
@example(
    body=json.dumps({"success": True, "StatutResponse_List": [{KEY: 1, "status": [KEY]}]}).encode(),
    http_status=200,
)
def test_any_answer_ends_in_a_value_or_an_error_that_tells_nothing(
    call: Call[Any], body: bytes, http_status: int
) -> None:
    try:
        value = call.read(Answer(http_status, {"X-Echo": URL}, body))
    except SMSPartnerError as error:
        _check_error(error)
        return
    _check_no_secret(repr(value), repr(call))
    is_list = call.request.path == "/multi-status"
    # Code 4 for a whole list is no success, but says of each message that it is not known.
    none_known = is_list and {(s.status.value, s.outcome.code) for s in value} == {("Not found", 4)}
    # Nor is code 5 for a cancel, but it says that the message is cancelled. Nor is code 55 for a send: none was taken.
    nobody_left = isinstance(value, Receipt) and not value.accepted
    assert 200 <= http_status < 300 or none_known or nobody_left or value is None
    if isinstance(value, Receipt):
        assert sorted([*value.accepted, *value.refused]) == sorted(NUMBERS)
        assert value.message_id is not None or not value.accepted
        return
    if is_list:
        assert [(status.phone_number, status.message_id) for status in value] == MESSAGES
    for each in value.rows if isinstance(value, TagPage) else value if isinstance(value, list) else ():
        row = each.as_row()
        assert json.loads(json.dumps(row)) == row
        _check_no_secret(str({**row, "phone_number": None, "raw_status": None}))
    if isinstance(value, Account):
        assert value.balance is None or float(value.balance) < 10**8


@settings(max_examples=60)
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


def _rows(first: int, beyond: int) -> list[dict[str, Any]]:
    return [
        {"phoneNumber": f"+336{n:08}", "status": "Waiting", "stopSMS": False} for n in range(first, beyond)
    ]


def _drive(serve: Callable[[int], dict[str, Any]], most_calls: int) -> Iterator[TagPage]:
    pages = protocol.status_by_tag("montag")
    call = next(pages)
    for _ in range(most_calls):
        asked = int(call.request.query.get("page", "1"))
        page = call.read(Answer(200, {}, json.dumps(serve(asked)).encode()))
        yield page
        try:
            call = pages.send(page)
        except StopIteration:
            return
    pytest.fail("it asks for ever")


@settings(max_examples=150)
@given(size=st.integers(1, 300), page_size=st.integers(1, 60), figure=st.sampled_from([int, str]))
def test_an_honest_server_gives_all_rows_once_and_in_order(
    size: int, page_size: int, figure: Callable[[int], object]
) -> None:
    def serve(asked: int) -> dict[str, Any]:
        part = _rows(page_size * (asked - 1), min(page_size * asked, size))
        return {
            "success": True,
            "currentPage": figure(asked),
            "total": figure(size),
            "StatutResponse_List": part,
        }

    received = [
        row.phone_number for page in _drive(serve, most_calls=-(-size // page_size)) for row in page.rows
    ]

    assert received == [row["phoneNumber"] for row in _rows(0, size)]


class HostileServer:
    """
    Serves a script of pages, whatever is asked, and empty ones after its end.

    :param script: for each call: rows, or the page to repeat; what is added to the number asked for, or the number
        itself; and the total.
    """

    def __init__(self, script: list[tuple[int, bool, object, object]]) -> None:
        self._script = iter(script)
        self._given: list[list[dict[str, Any]]] = []
        self.largest_total = 0
        self.gave_another_page = False

    def __call__(self, asked: int) -> dict[str, Any]:
        size, repeats, number, total = next(self._script, (0, False, 0, None))
        start = sum(map(len, self._given))
        part = self._given[size % len(self._given)] if repeats and self._given else _rows(start, start + size)
        said = asked + number if isinstance(number, int) else number
        self.gave_another_page |= bool(self._given and part and said != asked)
        self._given.append(part)
        if isinstance(total, int):
            self.largest_total = max(self.largest_total, total)
        return {"success": True, "currentPage": said, "total": total, "StatutResponse_List": part}


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


@settings(max_examples=250)
@given(script=scripts)
@example(script=[honest_start, (0, True, 0, 20)])  # repeats under the right number
@example(script=[honest_start, (1, False, 0, 2)])  # the total shrinks
@example(script=[(1, False, 0, 2 + n) for n in range(25)])  # the total runs away
def test_a_hostile_server_is_left_with_all_rows_or_an_error(
    script: list[tuple[int, bool, object, object]],
) -> None:
    server = HostileServer(script)
    received: list[str] = []
    try:
        for page in _drive(server, most_calls=len(script) + 2):
            received += [row.phone_number for row in page.rows]
    except SMSPartnerNotFoundError as error:
        _check_error(error)
        assert not received
    except SMSPartnerError as error:
        _check_error(error)
        assert "+336" not in str(error)  # noqa: PT017 - either end is right
    else:
        assert not server.gave_another_page
        assert len(received) >= max(1, server.largest_total)
        assert received == [row["phoneNumber"] for row in _rows(0, len(received))]


@settings(max_examples=100)
@given(key=st.one_of(st.just(KEY), st.text(min_size=1)))
def test_any_key_arrives_as_it_is_and_shows_nowhere(key: str) -> None:
    for make in CALLS.values():
        request = make().request
        query, body = request.with_key(key)
        sent = json.loads(body) if body else query

        assert sent["apiKey"] == key
        assert request == make().request  # nothing of the key stays behind
        assert ("apiKey" in query) is (request.method == "GET")


@settings(max_examples=150)
@given(
    message=st.one_of(
        values,
        st.tuples(st.one_of(texts, leaves), leaves),
        _objects({"phone_number": texts, "message_id": leaves}, ["phoneNumber", "messageId"]),
    )
)
def test_any_message_is_a_reference_or_a_value_error_without_its_number(message: object) -> None:
    try:
        (ref,) = read_messages([message])
    except ValueError as error:
        text = str(error).replace("(+33612345678)", "")
        assert text.startswith("messages[0]: ")
        _check_no_secret(text, repr(error.args).replace("(+33612345678)", ""))
    else:
        assert MessageRef(*ref) == ref
        assert PHONE[3:] not in repr(ref).replace(ref.message_id, "")
