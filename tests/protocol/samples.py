"""Answers of the vendor, and ways to have a call read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.models import MessageRef, MessageStatus, Receipt
from airflow_provider_smspartner.protocol import Answer, Call, TagPage
from airflow_provider_smspartner.protocol.sending import SendOptions, bulk_send, send

# Every form of the key differs from the others.
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

ACCOUNT = b'{"success":true,"code":200,"credits":{"creditSms":5,"balance":"1.5","currency":"EUR"}}'

# The vendor's page cancel-scheduled-sms, sections "Response" and "Errors", as bytes.
CANCELLED = b"""{
  "success": true,
  "code": 200,
  "message": "The SMS sending has been canceled."
}"""

# The vendor's page stop-list, section "Response"; the page masks the number.
STOP_LIST = b"""{
  "success": true,
  "code": 200,
  "nbData": 1,
  "data": [
    {
      "id": 19,
      "phoneNumber": "+33699999993",
      "createdAt": "2015-07-20 10:19:45"
    }
  ]
}"""

# The vendor's page single-send, section "Response", as bytes.
SENT = b"""{
    "success": true,
    "code": 200,
    "message_id": 307,
    "nb_sms": 1,
    "cost": 0.038,
    "currency": "EUR"
}"""

# The vendor's page bulk-send, section "Response"; the page masks the numbers.
BULK_SENT = b"""{
    "success": true,
    "code": 200,
    "message_id": 2254444,
    "currency": "EUR",
    "cost": 0.076,
    "nbSMS": 2,
    "SMSResponse_List": [
        {
            "success": true,
            "code": 200,
            "nbSms": 1,
            "cost": 0.038,
            "phoneNumber": "+33699999993"
        },
        {
            "success": true,
            "code": 200,
            "nbSms": 1,
            "cost": 0.038,
            "phoneNumber": "+33699999992"
        }
    ]
}"""

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
    return send(numbers or (PHONE, OTHER_PHONE), "Bonjour", SendOptions())


def bulk_send_call(*numbers: str) -> Call[Receipt]:
    return bulk_send(dict.fromkeys(numbers or (PHONE, OTHER_PHONE), "Bonjour"), SendOptions())


CALLS: dict[str, Callable[[], Call[Any]]] = {
    "multi": multi_call,
    "tag": tag_call,
    "me": protocol.account,
    "cancel": cancel_call,
    "stop list": protocol.stop_list,
    "send": send_call,
    "bulk send": bulk_send_call,
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
