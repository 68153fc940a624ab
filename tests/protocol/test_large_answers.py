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
    MULTI_STATUS,
    STOP_LIST,
    answer_of,
    error_of,
    page_of,
    refused,
    tag_call,
    tag_rows,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http.body import MAX_BODY_BYTES
from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.protocol import Answer, Call
from airflow_provider_smspartner.protocol.answers import LARGE_BYTES, MAX_COMMAS, MAX_MEMBER_BYTES

ROW = b'{"phoneNumber":"+33699999991","status":"Delivered"}'


def enlarged(body: bytes | bytearray) -> bytes | bytearray:
    """Return the same JSON in a large body."""
    return body[:1] + b" " * LARGE_BYTES + body[1:]


def told(call: Call[Any], body: bytes | bytearray) -> object:
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
        ("me", FAKE_SUCCESS),
        ("cancel", {"success": False, "errors": [{"code": "6"}]}),
        ("tag", {"success": True, "total": 1, "StatutResponse_List": None}),
        ("tag", {"success": True, "total": 1, "StatutResponse_List": [{"phoneNumber": []}]}),
        ("stop list", {"success": True, "nbData": 1, "data": [{"phoneNumber": []}]}),
        ("stop list", {"success": True, "nbData": 0, "data": [], "credits": {}}),
        ("cancel", {"success": True, "code": 200, "message_id": 1}),
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


def test_many_rows_are_read() -> None:
    answer = page_of(tag_rows(0, 15_000), total=15_000)

    assert len(answer.body) > LARGE_BYTES
    assert [row.phone_number for row in tag_call().read(answer).rows] == [
        f"+336{n:08}" for n in range(15_000)
    ]


def test_a_long_stop_list_is_read() -> None:
    numbers = [f"+336{n:08}" for n in range(60_000)]
    entries = [{"id": 19, "phoneNumber": number, "createdAt": "2015-07-20 10:19:45"} for number in numbers]
    answer = answer_of({"success": True, "code": 200, "nbData": 60_000, "data": entries})

    assert LARGE_BYTES < len(answer.body) < MAX_BODY_BYTES
    assert [entry.phone_number for entry in protocol.stop_list().read(answer)] == numbers


@pytest.mark.parametrize(
    "more",
    [
        {"note": '},{ " [{'},
        {"parts": [{"n": 1}, {"n": 2}]},
        {"parts": {"a": [{}, {}]}},
        {"note": "x" * 30_000},
    ],
    ids=["text like the space between rows", "lists of objects", "objects", "long rows"],
)
@pytest.mark.parametrize("tail", ["", ',"note":"},{","data":[{},{}]'])
def test_rows_are_told_apart_whatever_they_hold(more: dict[str, object], tail: str) -> None:
    rows = json.dumps([{**row, **more} for row in tag_rows(0, 12_000 if "x" not in str(more) else 90)])
    head = '{"success":true,"note":"\\"StatutResponse_List\\":[{},{}","currentPage":1,"total":'
    total = rows.count("phoneNumber")
    answer = answer_of(f'{head}{total},"StatutResponse_List" : {rows}{tail}}}'.encode())

    assert len(answer.body) > LARGE_BYTES
    assert [row.phone_number for row in tag_call().read(answer).rows] == [f"+336{n:08}" for n in range(total)]


def test_a_large_refusal_is_one() -> None:
    body = f'{{"StatutResponse_List":{json.dumps(tag_rows(0, 30_000))},"success":false,"code":10}}'.encode()

    assert error_of(tag_call(), body).code == 10


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
