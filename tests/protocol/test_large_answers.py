"""Bodies that are decoded row by row: they say what the same answer says in a small body, up to a limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from protocol.samples import (
    BY_TAG,
    CANCELLED,
    FAKE_SUCCESS,
    KEY,
    MULTI_STATUS,
    STOP_LIST,
    WRONG_KEY,
    answer_of,
    error_of,
    tag_call,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._http.body import MAX_BODY_BYTES
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError
from airflow_provider_smspartner.protocol import Answer, Call
from airflow_provider_smspartner.protocol.answers import LARGE_BYTES, MAX_COMMAS, MAX_MEMBER_BYTES

ACCOUNT = b'{"success":true,"code":200,"credits":{"creditSms":5,"balance":"1.5","currency":"EUR"}}'
UNKNOWN_MESSAGE = b'{"success":false,"code":4,"message":"Texte"}'
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
    "body",
    [
        BY_TAG,
        MULTI_STATUS,
        ACCOUNT,
        WRONG_KEY,
        UNKNOWN_MESSAGE,
        FAKE_SUCCESS,
        CANCELLED,
        STOP_LIST,
        b'{"success":true,"code":200,"message_id":1}',
        b'{"success":true,"code":200,"nbData":2,"data":[{"phoneNumber":"+33699999993"}]}',
        b'{"success":true,"code":200,"nbData":1,"data":[{"phoneNumber":[]}]}',
        b'{"success":true,"code":200,"nbData":0,"data":null}',
        b'{"success":true,"code":200,"nbData":0,"data":[],"credits":{}}',
        b'{"success":false,"error":{"code":"96"}}',
        b'{"success":false,"errors":[{"code":"9"}]}',
        b'{"success":true,"total":0,"StatutResponse_List":[]}',
        b'{"success":true,"total":1,"StatutResponse_List":null}',
        b'{"success":true,"total":1,"StatutResponse_List":[5]}',
        b'{"success":true,"total":1,"StatutResponse_List":[{"phoneNumber":[]}]}',
        b'{"success":true,"credits":{"creditSms":5},"StatutResponse_List":[]}',
        b'{"success":true,"credits":5}',
        b"[]",
    ],
    ids=lambda body: body[:60].decode(),
)
def test_they_say_the_same(call: Call[Any], body: bytes) -> None:
    large = enlarged(body)

    assert len(large) > LARGE_BYTES
    said, said_large = told(call, body), told(call, large)
    if not call.request.may_repeat:
        # None is that long: what came instead of an answer, nobody knows.
        assert type(said_large) is SMSPartnerUnavailableError
        return
    if isinstance(said, SMSPartnerError):
        assert isinstance(said_large, SMSPartnerError)
        # Which place of the body the texts of some errors name depends on how it is decoded.
        assert type(said_large) is type(said)
        assert (said_large.code, said_large.http_status) == (said.code, said.http_status)
    else:
        assert said_large == said


def test_usual_rows_are_read_up_to_the_largest_body() -> None:
    rows = json.dumps(
        [
            {
                "success": True,
                "code": 200,
                "phoneNumber": f"+336{number:08}",
                "messageId": number,
                "status": "Delivered",
                "date": "1517934416",
                "stopSms": "0",
                "isSpam": "0",
            }
            for number in range(22_000)
        ]
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
    ids=["members", "the length of a member", "the length of a row"],
)
def test_there_is_a_limit(answer_with: Callable[[int], Answer], most: int, fault: str) -> None:
    read = tag_call().read(answer_with(most))

    assert len(read.rows) == read.total
    assert fault in str(error_of(tag_call(), answer_with(most + 1).body))


def test_errors_tell_nothing_of_a_large_body() -> None:
    error = error_of(tag_call(), enlarged(b'{"success":true,"total":"%b"}' % KEY.replace('"', "").encode()))

    assert "secret" not in str(error)
    assert error.__context__ is None
