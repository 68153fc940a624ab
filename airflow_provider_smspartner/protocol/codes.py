"""What the vendor's codes mean: a table for each endpoint, since the same code can mean different things on two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_smspartner.protocol.rows import MESSAGE_NOT_FOUND

OK = 200

CREDENTIALS = {
    1: "the API key is missing",
    10: "the API key is wrong",
    20: "the account is disabled",
    30: "the account is blocked",
    40: "the account has no access to the API",
    96: "the IP address is not allowed; workers and triggerer may leave through different addresses",
}
"""[error-codes] Refusals of the account or its address, on every endpoint: no retry mends them."""

_ENTER_KEY = "Enter the account's API key in the Airflow connection."
_ASK_VENDOR = "Ask SMS Partner about the account."
CREDENTIALS_ADVICE = {
    1: _ENTER_KEY,
    10: _ENTER_KEY,
    20: _ASK_VENDOR,
    30: _ASK_VENDOR,
    40: _ASK_VENDOR,
    96: "Allow all of these addresses in the account.",
}

_OUR_FAULT = "Report this as a fault of the provider: it should never send such a request."


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """
    What an endpoint's codes mean, beside those of the credentials.

    :param refusals: what is wrong with a request, by code; no retry mends it.
    :param advice: what to do about it, for each of these codes.
    :param not_found: the code for a message that the vendor does not know, if the endpoint has one.
    :param no_credit: the code for an account without credit, if the endpoint has one.
    :param others_leave_open: whether it is unknown what the vendor has done where it answers another code.
    """

    refusals: Mapping[int, str]
    advice: Mapping[int, str]
    not_found: int | None = None
    no_credit: int | None = None
    others_leave_open: bool = False


STATUS = Codes(
    refusals={
        2: "a phone number is missing",
        3: "a message id is missing",
        5: "the list of messages is empty",
        6: "a phone number has a wrong format",
        9: "a phone number is not a mobile number",
        50: "more than 500 messages were asked for",
        90: "the JSON is malformed",
    },
    advice={
        **dict.fromkeys((2, 3, 6, 9), "Correct or remove that message."),
        **dict.fromkeys((5, 50, 90), _OUR_FAULT),
    },
    not_found=MESSAGE_NOT_FOUND,
)
"""[error-codes] Of all calls that ask for statuses, and of the call for the account."""

ALREADY_CANCELLED = 5
_TOO_LATE = "It can no longer be cancelled."
CANCEL = Codes(
    refusals={
        3: "the message id is missing",
        ALREADY_CANCELLED: "the message has been cancelled already",
        6: "the message is to be sent in less than 5 minutes",
        7: "the message has been sent already",
        11: "the account has not enough credits",
    },
    advice={
        3: _OUR_FAULT,
        ALREADY_CANCELLED: "There is nothing left to do.",
        6: _TOO_LATE,
        7: _TOO_LATE,
        11: "Buy credits, or ask SMS Partner why cancelling needs any.",
    },
    not_found=MESSAGE_NOT_FOUND,
)
"""[cancel] The code 7 stands in an earlier edition of the page only, the code 11 in today's only [observed]."""

STOP_LIST = Codes(refusals={}, advice={})
"""[stop-list] The page names no codes but those of the key."""

_CORRECT_NUMBERS = "Correct or remove that recipient. SMSPartnerStopListOperator reads the STOP list."
_LEGAL_HOURS = "Send it within them, or let `scheduled_at` do so."
_CORRECT_SENDER = "Correct `sender`, or ask SMS Partner to allow it."
SEND = Codes(
    refusals={
        2: "the recipients are missing",
        9: "something in it is not valid",
        13: "there is no price for a phone number",
        14: "a phone number is on the STOP list",
        15: "a phone number stands in it twice",
        22: "commercial SMS may not be sent outside the legal hours",
        23: "commercial SMS may not be sent outside the legal hours",
        42: "the text is too long for a low-cost SMS",
        43: "the text is missing",
        44: "the sender is not valid",
        **dict.fromkeys(range(45, 50), "the date of sending is not valid"),
        50: "it has more than 500 recipients",
        51: "the account may not use the low-cost range",
        52: "a text has more than 10 parts",
        55: "no phone number is left to send to",
        90: "the JSON is malformed",
        992: "the sender is not allowed",
    },
    advice={
        **dict.fromkeys((2, 15, 43, 50, 90), _OUR_FAULT),
        9: "Check the recipients, the text and the options.",
        **dict.fromkeys((13, 14, 55), _CORRECT_NUMBERS),
        **dict.fromkeys((22, 23), _LEGAL_HOURS),
        **dict.fromkeys((42, 52), "Shorten the text."),
        51: _ASK_VENDOR,
        **dict.fromkeys((44, 992), _CORRECT_SENDER),
        **dict.fromkeys(range(45, 50), "Correct `scheduled_at`."),
    },
    no_credit=11,
    others_leave_open=True,
)
"""[error-codes] Of calls that send. 500, "queueing trouble", is not in it: whether SMS have left is unknown."""
