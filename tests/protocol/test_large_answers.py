"""Bodies that are decoded row by row: they say what the same answer says in a small body, up to a limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from protocol.samples import (
    ACCOUNT,
    BY_TAG,
    CALLS,
    CANCELLED,
    FAKE_SUCCESS,
    KEY,
    MULTI_STATUS,
    SENT,
    STOP_LIST,
    WRONG_KEY,
    answer_of,
    error_of,
    refused,
    tag_call,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http.body import MAX_BODY_BYTES
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError
from airflow_provider_smspartner.protocol import Answer, Call
from airflow_provider_smspartner.protocol.answers import LARGE_BYTES, MAX_COMMAS, MAX_MEMBER_BYTES

ROW = b'{"phoneNumber":"+33699999991","status":"Delivered"}'


def enlarged(body: bytes) -> bytes:
    """Return the same JSON in a large body."""
    return body[:1] + b" " * LARGE_BYTES + body[1:]


def told(call: Call[Any], body: bytes) -> object:
    """Return what a call reads in an answer, or the error that it raises."""
    try:
        return call.read(answer_of(body))
    except SMSPartnerError as error:
        return error


def page(rows: bytes, *, total: int, more: bytes = b"") -> Answer:
    body = b'{"success":true,"currentPage":1,"total":%d,"StatutResponse_List":[%b]%b}' % (total, rows, more)
    return answer_of(enlarged(body))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("tag", BY_TAG),
        ("multi", MULTI_STATUS),
        ("multi", refused(4)),
        ("me", ACCOUNT),
        ("stop list", STOP_LIST),
        ("cancel", CANCELLED),
        ("tag", FAKE_SUCCESS),
        ("me", FAKE_SUCCESS),
        ("tag", {"success": False, "error": {"code": "96"}}),
        ("cancel", {"success": False, "errors": [{"code": "6"}]}),
        ("tag", {"success": True, "total": 0, "StatutResponse_List": []}),
        ("tag", {"success": True, "total": 1, "StatutResponse_List": None}),
        ("tag", {"success": True, "total": 1, "StatutResponse_List": [{"phoneNumber": []}]}),
        ("stop list", {"success": True, "nbData": 1, "data": [{"phoneNumber": []}]}),
        ("stop list", {"success": True, "nbData": 0, "data": [], "credits": {}}),
        ("cancel", {"success": True, "code": 200, "message_id": 1}),
        ("cancel", BY_TAG),
        ("me", {"success": True, "credits": {"creditSms": 5}, "StatutResponse_List": []}),
        ("me", b"[]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(str(value).split())[:60],
)
def test_they_say_the_same(name: str, body: object) -> None:
    small = answer_of(body).body
    large = enlarged(small)

    assert len(large) > LARGE_BYTES
    said, said_large = told(CALLS[name](), small), told(CALLS[name](), large)
    if isinstance(said, SMSPartnerError):
        assert isinstance(said_large, SMSPartnerError)
        # Which place of the body the texts of some errors name depends on how it is decoded.
        assert type(said_large) is type(said)
        assert (said_large.code, said_large.http_status) == (said.code, said.http_status)
    else:
        assert said_large == said


@pytest.mark.parametrize("body", [SENT, WRONG_KEY], ids=["sent", "refused"])
@pytest.mark.parametrize("name", ["send", "bulk send"])
def test_no_answer_to_a_send_is_that_long(name: str, body: bytes) -> None:
    error = error_of(CALLS[name](), enlarged(body))

    assert type(error) is SMSPartnerUnavailableError
    assert "it is longer than any answer to a send" in str(error)


def test_usual_rows_are_read_up_to_the_largest_body() -> None:
    facts = {
        "success": True,
        "code": 200,
        "status": "Delivered",
        "date": "1517934416",
        "stopSms": "0",
        "isSpam": "0",
    }
    rows = json.dumps(
        [{**facts, "phoneNumber": f"+336{number:08}", "messageId": number} for number in range(22_000)]
    ).encode()

    read = tag_call().read(page(rows[1:-1], total=22_000))

    assert len(read.rows) == read.total == 22_000
    assert len({row.phone_number for row in read.rows}) == 22_000


def test_a_stop_list_is_read_up_to_the_largest_body() -> None:
    entries = [
        {"id": 1_000_000 + n, "phoneNumber": f"+336{n:08}", "createdAt": "2015-07-20 10:19:45"}
        for n in range(50_000)
    ]
    body = {"success": True, "code": 200, "nbData": 50_000, "data": entries}
    encoded = json.dumps(body, separators=(",", ":")).encode()

    assert LARGE_BYTES < len(encoded) < MAX_BODY_BYTES
    read = protocol.stop_list().read(answer_of(encoded))
    assert [entry.phone_number for entry in read] == [entry["phoneNumber"] for entry in entries]


def with_commas(count: int) -> Answer:
    others = page(ROW, total=1, more=b',"unknown":[0]').body.count(b",")
    return page(ROW, total=1, more=b',"unknown":[0%b]' % (b",0" * (count - others)))


def with_a_member(size: int) -> Answer:
    return page(ROW, total=1, more=b',"errors":"%b"' % (b"x" * (size - 2)))


def with_a_row(size: int) -> Answer:
    row = ROW[:-1] + b',"date":"%b"}'
    return page(b"%b,%b" % (ROW, row % (b"x" * (size - len(row % b"")))), total=2)


@pytest.mark.parametrize(
    ("answer_with", "most", "fault"),
    [
        (with_commas, MAX_COMMAS, "it has implausibly many members"),
        (with_a_member, MAX_MEMBER_BYTES, "a member is longer than 65536 bytes"),
        (with_a_row, MAX_MEMBER_BYTES, "a row is longer than 65536 bytes"),
    ],
    ids=["members", "member", "row"],
)
def test_there_is_a_limit(answer_with: Callable[[int], Answer], most: int, fault: str) -> None:
    read = tag_call().read(answer_with(most))

    assert len(read.rows) == read.total
    assert fault in str(error_of(tag_call(), answer_with(most + 1).body))


def test_errors_tell_nothing_of_a_large_body() -> None:
    error = error_of(tag_call(), enlarged(b'{"success":true,"total":"%b"}' % KEY.replace('"', "").encode()))

    assert "secret" not in str(error)
    assert error.__context__ is None
