"""Any JSON as the whole of an answer, as a part that nobody looks at, and as one that is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fuzz import json_cases
from fuzz.answers import read_both_ways
from fuzz.oracles import TOO_LARGE, UNREADABLE, json_value

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.protocol import Answer, Call

ROW = b'"phoneNumber":"+33699999993","messageId":1,"status":"Delivered"'
MARK = b"\xef\xbb\xbf"


def answers_with(value: bytes) -> Iterator[tuple[str, Call[Any], bytes]]:
    """Yield every call, and its answer with a value in each place: what it is called, the call, and the body."""
    calls: dict[str, tuple[Call[Any], bytes, bytes]] = {
        "list": (next(protocol.multi_status([("+33699999993", 1)])), ROW, b"date"),
        "tag": (next(protocol.status_by_tag("montag")), ROW, b"date"),
        "account": (protocol.account(), b'"currency":"EUR"', b"balance"),
    }
    for name, (call, members, fact) in calls.items():
        for place, inner, outer in (
            ("beside", b"", b',"x":%b' % value),
            ("inside", b',"x":%b' % value, b""),
            ("as a fact", b',"%b":%b' % (fact, value), b""),
        ):
            content = {
                "list": b'"StatutResponse_List":[{%b}]',
                "tag": b'"total":1,"currentPage":1,"StatutResponse_List":[{%b}]',
                "account": b'"credits":{%b}',
            }[name] % (members + inner)
            yield f"{name}, {place}", call, b'{"success":true%b,%b}' % (outer, content)


def all_of(cases: Iterator[tuple[str, bytes]]) -> list[Any]:
    return [
        pytest.param(value, id=name.encode("ascii", "backslashreplace").decode()) for name, value in cases
    ]


def read(call: Call[Any], body: bytes) -> object | None:
    """Return what an answer says, small or large, or None for an error that was checked."""
    value: object | None = read_both_ways(call, Answer(200, {}, body))
    return value


@pytest.mark.parametrize("value", all_of(json_cases.valid()))
def test_an_answer_with_any_valid_json_is_read(value: bytes) -> None:
    assert json_value(value, strict_utf8=True) is not UNREADABLE
    for place, call, body in answers_with(value):
        assert read(call, body) is not None, place
        assert read(call, MARK + body) is not None, place
        assert read(call, value) is None, place  # it is no answer by itself


@pytest.mark.parametrize("value", all_of(json_cases.invalid()))
def test_an_answer_with_any_invalid_json_is_refused(value: bytes) -> None:
    for place, call, body in answers_with(value):
        assert json_value(body) in (UNREADABLE, TOO_LARGE)
        assert read(call, body) is None, place
        assert read(call, value) is None, place


@pytest.mark.parametrize("value", all_of(json_cases.either()))
def test_an_answer_with_doubtful_json_is_read_or_refused(value: bytes) -> None:
    for _, call, body in answers_with(value):
        read(call, body)
        read(call, value)


def test_an_answer_is_read_whole_or_not_at_all() -> None:
    for place, call, body in answers_with(b"null"):
        for end in range(len(body)):
            assert read(call, body[:end]) is None, place
        assert read(call, body + b" \n") is not None, place
        assert read(call, body + b"\0") is None, place
        assert read(call, MARK + MARK + body) is None, place
