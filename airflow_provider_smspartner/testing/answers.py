"""The vendor's answers: which requests are refused and with which code, and what the JSON looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_smspartner.testing.campaigns import NOT_FOUND, Clock, Ledger, Message, Pair, e164
from airflow_provider_smspartner.testing.exchange import (
    METHODS,
    MULTI_STATUS,
    ROWS,
    STATUS_BY_TAG,
    Answer,
    Payload,
    RecordedRequest,
    UnknownTag,
)

MAX_PAIRS = 500

ERROR_SHAPES = (1, 2, 3, 4, 5)
FAILED_ROWS = 5

FINE = 200

KEY_MISSING, PHONE_MISSING, ID_MISSING, MESSAGE_NOT_FOUND, LIST_EMPTY = 1, 2, 3, 4, 5
KEY_WRONG, TOO_MANY, MALFORMED = 10, 50, 90

MESSAGES: Mapping[int, str] = {
    KEY_MISSING: "API Key is required",
    PHONE_MISSING: "Phone number is required",
    ID_MISSING: "Message ID is required",
    MESSAGE_NOT_FOUND: "Message not found",
    LIST_EMPTY: "The list of messages is required",
    KEY_WRONG: "Clé API incorrecte",
    TOO_MANY: f"Maximum {MAX_PAIRS} messages",
    MALFORMED: "JSON mal formé",
}

# No page of the vendor ties a code to an HTTP status; these are what one would expect of any API.
PLAUSIBLE_HTTP_STATUS: Mapping[int, int] = {KEY_MISSING: 401, KEY_WRONG: 401, MESSAGE_NOT_FOUND: 404}

OK: Payload = {"success": True, "code": FINE}

ACCOUNT_DETAILS: Payload = {
    "user": {"username": "double@example.com", "firstname": "API", "lastname": "Double"},
    "credits": {
        "creditSms": 269082,
        "creditSmsECO": 444570,
        "creditHlr": 2045023,
        "toSend": 0,
        "solde": "10225.119",
        "currency": "EUR",
        "balance": "10225.119",
    },
}


class RefusedError(Exception):
    """The vendor refuses a request, with a code of its table."""

    def __init__(self, code: int) -> None:
        super().__init__(MESSAGES[code])
        self.code = code


@dataclass(frozen=True)
class AutoCampaigns:
    """How big a campaign made up at first ask is, and how long it takes."""

    size: int
    settle_seconds: float


@dataclass(frozen=True)
class Vendor:
    """Answers requests from what the ledger holds."""

    ledger: Ledger
    clock: Clock
    api_key: str
    page_size: int
    auto_campaigns: AutoCampaigns | None
    unknown_tag: UnknownTag
    error_http_status: int | None

    def answer(self, request: RecordedRequest) -> Answer:
        """Answer a request, or refuse it."""
        method = METHODS.get(request.path)
        if method is None:
            return Answer(b"404: Not Found", 404, "text/plain")
        if request.method != method:
            return Answer(b"405: Method Not Allowed", 405, "text/plain", {"Allow": method})
        try:
            if request.path == MULTI_STATUS:
                return Answer(self._multi_status(request.body))
            self._check_key(request.query)
            return Answer(self._by_tag(request.query) if request.path == STATUS_BY_TAG else _account())
        except RefusedError as refused:
            return self._refuse(refused)

    def _refuse(self, refused: RefusedError) -> Answer:
        http_status = self.error_http_status
        if http_status is None:
            http_status = PLAUSIBLE_HTTP_STATUS.get(refused.code, 400)
        return Answer({"success": False, "code": refused.code, "message": str(refused)}, http_status)

    def _check_key(self, parameters: Mapping[str, Any]) -> None:
        key = parameters.get("apiKey")
        if not key:
            raise RefusedError(KEY_MISSING)
        if key != self.api_key:
            raise RefusedError(KEY_WRONG)

    def _multi_status(self, body: Any) -> Payload:
        if not isinstance(body, dict):
            raise RefusedError(MALFORMED)
        self._check_key(body)
        pairs = asked_pairs(body)
        if self.auto_campaigns:
            new = [pair for pair in dict.fromkeys(pairs) if not self.ledger.find(pair)]
            self.ledger.add_settling(new, settle_seconds=self.auto_campaigns.settle_seconds)
        now = self.clock.now()
        return {**OK, ROWS: [_pair_row(pair, self.ledger.find(pair), now) for pair in pairs]}

    def _by_tag(self, query: Mapping[str, str]) -> Payload:
        tag = query.get("tag")
        if not tag:
            # The one code that the vendor's page on tags lists for a missing parameter.
            raise RefusedError(ID_MISSING)
        messages = self._tagged(tag)
        asked = query.get("page", "")
        page = max(int(asked), 1) if asked.isdecimal() else 1
        now = self.clock.now()
        shown = messages[(page - 1) * self.page_size : page * self.page_size]
        return {
            **OK,
            "currentPage": page,
            "total": len(messages),
            ROWS: [_tag_row(message, now) for message in shown],
        }

    def _tagged(self, tag: str) -> Sequence[Message]:
        if self.auto_campaigns and self.ledger.tagged(tag) is None and not tag.startswith("unknown"):
            self.ledger.add_campaign(
                tag, size=self.auto_campaigns.size, settle_seconds=self.auto_campaigns.settle_seconds
            )
        messages = self.ledger.tagged(tag)
        if messages is None and self.unknown_tag == "not_found":
            raise RefusedError(MESSAGE_NOT_FOUND)
        return messages or ()


def _account() -> Payload:
    return {**OK, **ACCOUNT_DETAILS}


def asked_pairs(body: Mapping[str, Any]) -> list[Pair]:
    """Read the pairs that a multi-status request asks for."""
    asked = body.get("SMSStatut_List")
    if not isinstance(asked, list) or not asked:
        raise RefusedError(LIST_EMPTY)
    if len(asked) > MAX_PAIRS:
        raise RefusedError(TOO_MANY)
    return [_asked_pair(each if isinstance(each, dict) else {}) for each in asked]


def _asked_pair(asked: Mapping[str, Any]) -> Pair:
    phone_number, message_id = asked.get("phoneNumber"), asked.get("messageId")
    if not isinstance(phone_number, str) or not phone_number:
        raise RefusedError(PHONE_MISSING)
    if not isinstance(message_id, (str, int)) or not str(message_id):
        raise RefusedError(ID_MISSING)
    return e164(phone_number), str(message_id)


def _pair_row(pair: Pair, message: Message | None, now: float) -> Payload:
    report = message.timeline.ask(now) if message else None
    if message is None or report is None or report.status == NOT_FOUND:
        return _row(pair, code=MESSAGE_NOT_FOUND, status=NOT_FOUND)
    return {
        **_row(pair, code=FINE, status=report.status),
        **_dated(report.date),
        "stopSms": str(int(message.stop_sms)),
        "isSpam": str(int(message.is_spam)),
    }


def _row(pair: Pair, *, code: int, status: str) -> Payload:
    phone_number, message_id = pair
    return {
        "success": code == FINE,
        "code": code,
        "phoneNumber": phone_number,
        "messageId": int(message_id) if message_id.isdecimal() else message_id,
        "status": status,
    }


def _tag_row(message: Message, now: float) -> Payload:
    report = message.timeline.ask(now)
    return {
        "phoneNumber": message.phone_number,
        "status": report.status,
        "stopSMS": message.stop_sms,
        **_dated(report.date),
    }


def _dated(date: str | None) -> Payload:
    return {} if date is None else {"date": date}


def error_payload(code: int | None, message: str, *, shape: int, pairs: Sequence[Pair]) -> Payload:
    """Write an error in one of the vendor's shapes.

    :param code: the code; None leaves it out where the shape can do without.
    :param message: the text.
    :param shape: 1 code and message, 2 a list ``errors``, 3 an object ``error``, 4 an inner error with a code
        as text, 5 failed rows in a successful answer.
    :param pairs: the pairs that were asked, for the rows of shape 5.
    """
    coded = {} if code is None else {"code": code}
    failure: Payload = {"success": False, **coded}
    match shape:
        case 1:
            return {**failure, "message": message}
        case 2:
            return {**failure, "errors": [{"elementId": "children[SMSStatut_List].data", "message": message}]}
        case 3:
            return {**failure, "error": {"message": message}}
        case 4:
            inner_code = {name: str(value) for name, value in coded.items()}
            inner = {"success": False, **inner_code, "message": message}
            return {"success": False, "code": 55, "message": "Erreur", "errors": [inner]}
        case _:
            code = MESSAGE_NOT_FOUND if code is None else code
            return {**OK, ROWS: [_row(pair, code=code, status=message) for pair in pairs]}
