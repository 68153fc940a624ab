"""Answers of the vendor, and ways to have a call read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from fuzz.targets import CORPUS

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.models import MessageRef, MessageStatus, Receipt
from airflow_provider_smspartner.protocol import Answer, Call, TagPage
from airflow_provider_smspartner.protocol.sending import SendOptions, bulk_send


def _example(name: str) -> bytes:
    # Behind the two bytes by which a fuzz input chooses an HTTP status and headers.
    return (CORPUS / name).read_bytes()[2:]


# The examples of the vendor's pages, as bytes. The pages mask the phone numbers.
MULTI_STATUS = _example("answer_list/documented")
BY_TAG = _example("answer_tag/documented")  # the page leaves out the last "]"
CANCELLED = _example("answer_cancel/documented")
STOP_LIST = _example("answer_stop_list/documented")
SENT = _example("answer_send/sent")
WRONG_KEY = _example("answer_list/wrong_key")

# [observed] The gateway's answer to everything, on a day of July 2026.
FAKE_SUCCESS = _example("answer_list/fake_success")

ACCOUNT = b'{"success":true,"code":200,"credits":{"creditSms":5,"balance":"1.5","currency":"EUR"}}'

PHONE = "+33699999993"
OTHER_PHONE = "+33699999992"
REF = MessageRef(PHONE, 111111)


def answer_of(body: object, http_status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(http_status, headers or {}, encoded)


def refused(code: object, **members: object) -> dict[str, object]:
    return {"success": False, "code": code, "message": "Texte", **members}


def multi_call(*messages: object) -> Call[list[MessageStatus]]:
    return next(protocol.multi_status(list(messages) or [REF]))


def tag_call() -> Call[TagPage]:
    return next(protocol.status_by_tag("montag"))


def cancel_call() -> Call[None]:
    return protocol.cancel(111111)


def send_call(*numbers: str) -> Call[Receipt]:
    return bulk_send(dict.fromkeys(numbers or (PHONE, OTHER_PHONE), "Bonjour"), SendOptions())


CALLS: dict[str, Callable[[], Call[Any]]] = {
    "multi": multi_call,
    "tag": tag_call,
    "me": protocol.account,
    "cancel": cancel_call,
    "stop list": protocol.stop_list,
    "send": send_call,
}


def error_of(call: Call[Any], body: object, http_status: int = 200, **headers: str) -> SMSPartnerError:
    with pytest.raises(SMSPartnerError) as caught:
        call.read(answer_of(body, http_status, headers))
    return caught.value


def multi_row(**members: object) -> dict[str, object]:
    return {"phoneNumber": PHONE, "messageId": 111111, "status": "Delivered", **members}


def read_row(**members: object) -> MessageStatus:
    body = {"success": True, "code": 200, "StatutResponse_List": [multi_row(**members)]}
    return multi_call().read(answer_of(body))[0]


def tag_rows(first: int, beyond: int) -> list[dict[str, object]]:
    return [
        {"phoneNumber": f"+336{n:08}", "status": "Waiting", "stopSMS": False, "date": str(1517989000 + n)}
        for n in range(first, beyond)
    ]


def page_of(
    rows: list[dict[str, object]], number: object = 1, total: object = 0, **members: object
) -> Answer:
    body = {"success": True, "code": 200, "currentPage": number, "total": total, "StatutResponse_List": rows}
    return answer_of({**body, **members})


def drive_tag(serve: Callable[[int], Answer], most_calls: int = 50) -> Iterator[TagPage]:
    """Drive the pages of a tag against a server, which is given the page asked for, or 1 where none is."""
    pages = protocol.status_by_tag("montag")
    call = next(pages)
    for _ in range(most_calls):
        page = call.read(serve(int(call.request.query.get("page", "1"))))
        yield page
        try:
            call = pages.send(page)
        except StopIteration:
            return
    pytest.fail("it asks for ever")


def tag_numbers(serve: Callable[[int], Answer], most_calls: int = 50) -> list[str]:
    """Return the phone numbers of all pages that a server gives."""
    return [row.phone_number for page in drive_tag(serve, most_calls) for row in page.rows]


def serving(*answers: Answer) -> Callable[[int], Answer]:
    given = iter(answers)
    return lambda _: next(given)


def pairs_of(call: Call[Any]) -> list[tuple[str, int]]:
    body = call.request.body or {}
    return [(pair["phoneNumber"], pair["messageId"]) for pair in body["SMSStatut_List"]]
