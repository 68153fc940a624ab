"""The vendor's answers: which requests are refused and with which code, and what the JSON looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_smspartner.testing.campaigns import NOT_FOUND, Clock, Ledger, Message, Pair, e164
from airflow_provider_smspartner.testing.exchange import (
    ACCOUNT,
    BULK_SEND,
    CANCEL,
    FINE,
    METHODS,
    MULTI_STATUS,
    OK,
    ROWS,
    STATUS_BY_TAG,
    STOP_LIST,
    Answer,
    Payload,
    RecordedRequest,
    UnknownTag,
)
from airflow_provider_smspartner.testing.refusals import (
    ID_MISSING,
    INVALID,
    KEY_MISSING,
    KEY_WRONG,
    LIST_EMPTY,
    MALFORMED,
    MAX_PER_CALL,
    MESSAGE_NOT_FOUND,
    OF_ANY_CALL,
    OF_STATUSES,
    PHONE_MISSING,
    TOO_MANY,
    RefusedError,
)
from airflow_provider_smspartner.testing.sending import Sending

ERROR_SHAPES = (1, 2, 3, 4, 5)
FAILED_ROWS = 5

# No page of the vendor ties a code to an HTTP status; these are what one would expect of any API.
PLAUSIBLE_HTTP_STATUS: Mapping[int, int] = {KEY_MISSING: 401, KEY_WRONG: 401, MESSAGE_NOT_FOUND: 404}

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


@dataclass(frozen=True)
class AutoCampaigns:
    """How big a campaign made up at first ask is, and how long it takes."""

    size: int
    settle_seconds: float


@dataclass(frozen=True)
class Vendor:
    """Answers requests: about statuses from what the ledger holds, and those that send."""

    ledger: Ledger
    sending: Sending
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
        # The key has no header: it stands in the body of a POST, and in the query of a GET.
        parameters = request.body if method == "POST" else request.query
        try:
            self._check_key(parameters)
            return Answer(self._answers_of(request.path)(parameters))
        except RefusedError as refused:
            return self._refuse(refused)

    def _answers_of(self, path: str) -> Callable[[Mapping[str, Any]], Payload]:
        return {
            MULTI_STATUS: self._multi_status,
            STATUS_BY_TAG: self._by_tag,
            ACCOUNT: self._account,
            BULK_SEND: self.sending.bulk_send,
            CANCEL: self.sending.cancel,
            STOP_LIST: self.sending.stop_list,
        }[path]

    def _refuse(self, refused: RefusedError) -> Answer:
        payload: Payload = {"success": False, "code": refused.code, "message": str(refused)}
        if refused.errors:
            payload["errors"] = refused.errors
        # The only refusal whose HTTP status is known.
        if refused.code == INVALID:
            return Answer(payload, 400)
        http_status = self.error_http_status
        if http_status is None:
            http_status = PLAUSIBLE_HTTP_STATUS.get(refused.code, 400)
        return Answer(payload, http_status)

    def _check_key(self, parameters: Any) -> None:
        if not isinstance(parameters, dict):
            raise RefusedError(MALFORMED, OF_ANY_CALL)
        key = parameters.get("apiKey")
        if not key:
            raise RefusedError(KEY_MISSING, OF_ANY_CALL)
        if key != self.api_key:
            raise RefusedError(KEY_WRONG, OF_ANY_CALL)

    def _multi_status(self, body: Mapping[str, Any]) -> Payload:
        pairs = asked_pairs(body)
        if self.auto_campaigns:
            new = [pair for pair in dict.fromkeys(pairs) if not self.ledger.find(pair)]
            self.ledger.add_settling(new, settle_seconds=self.auto_campaigns.settle_seconds)
        now = self.clock.now()
        return {**OK, ROWS: [_pair_row(pair, self.ledger.find(pair), now) for pair in pairs]}

    def _by_tag(self, query: Mapping[str, Any]) -> Payload:
        tag = query.get("tag")
        if not tag:
            # The one code that the vendor's page on tags lists for a missing parameter.
            raise RefusedError(ID_MISSING, OF_STATUSES)
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
            raise RefusedError(MESSAGE_NOT_FOUND, OF_STATUSES)
        return messages or ()

    def _account(self, _: Mapping[str, Any]) -> Payload:
        account: Payload = {**OK, **ACCOUNT_DETAILS}
        if self.sending.credit_sms is not None:
            account["credits"] = {**account["credits"], "creditSms": self.sending.credit_sms}
        return account


def asked_pairs(body: Mapping[str, Any]) -> list[Pair]:
    """Read the pairs that a multi-status request asks for."""
    asked = body.get("SMSStatut_List")
    if not isinstance(asked, list) or not asked:
        raise RefusedError(LIST_EMPTY, OF_STATUSES)
    if len(asked) > MAX_PER_CALL:
        raise RefusedError(TOO_MANY, OF_STATUSES)
    return [_asked_pair(each if isinstance(each, dict) else {}) for each in asked]


def _asked_pair(asked: Mapping[str, Any]) -> Pair:
    phone_number, message_id = asked.get("phoneNumber"), asked.get("messageId")
    if not isinstance(phone_number, str) or not phone_number:
        raise RefusedError(PHONE_MISSING, OF_STATUSES)
    if not isinstance(message_id, (str, int)) or not str(message_id):
        raise RefusedError(ID_MISSING, OF_STATUSES)
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
