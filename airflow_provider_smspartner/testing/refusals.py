"""The vendor's refusals: a table of codes for each kind of call, since a code means different things on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_smspartner.testing.exchange import Payload

KEY_MISSING, PHONE_MISSING, ID_MISSING, MESSAGE_NOT_FOUND, LIST_EMPTY = 1, 2, 3, 4, 5
KEY_WRONG, TOO_MANY, MALFORMED = 10, 50, 90

CANCELLED_ALREADY, TOO_LATE_TO_CANCEL, SENT_ALREADY = 5, 6, 7

INVALID, NO_CREDIT, ON_STOP_LIST, NUMBER_TWICE = 9, 11, 14, 15
TEXT_MISSING, BAD_SENDER, TOO_MANY_PARTS, NO_NUMBER_LEFT = 43, 44, 52, 55
# The vendor lists 45 to 49 for a bad date without telling them apart. Which of them stands for what is made up here.
BAD_DATE, BAD_HOUR, BAD_MINUTE, DATE_IN_THE_PAST, TIME_WITHOUT_DATE = 45, 46, 47, 48, 49

MAX_PER_CALL = 500
"""Messages that a call asks for, or numbers that it sends to."""

MAX_PARTS = 10

OF_ANY_CALL: Mapping[int, str] = {
    KEY_MISSING: "API Key is required",
    KEY_WRONG: "Clé API incorrecte",
    MALFORMED: "JSON mal formé",
}

OF_STATUSES: Mapping[int, str] = {
    **OF_ANY_CALL,
    PHONE_MISSING: "Phone number is required",
    ID_MISSING: "Message ID is required",
    MESSAGE_NOT_FOUND: "Message not found",
    LIST_EMPTY: "The list of messages is required",
    TOO_MANY: f"Maximum {MAX_PER_CALL} messages",
}

OF_CANCELLING: Mapping[int, str] = {
    **OF_ANY_CALL,
    ID_MISSING: "Message ID is required",
    MESSAGE_NOT_FOUND: "Message not found",
    CANCELLED_ALREADY: "The message is cancelled already",
    TOO_LATE_TO_CANCEL: "The message leaves in less than 5 minutes",
    SENT_ALREADY: "The message has been sent already",
}

OF_SENDING: Mapping[int, str] = {
    **OF_ANY_CALL,
    PHONE_MISSING: "Phone numbers are required",
    INVALID: "Validation failed",
    NO_CREDIT: "Not enough credits",
    ON_STOP_LIST: "The number is on the STOP list",
    NUMBER_TWICE: "The number stands twice in the call",
    TEXT_MISSING: "The text is required",
    BAD_SENDER: "The sender must have 3 to 11 characters",
    BAD_DATE: "scheduledDeliveryDate must be a date as dd/MM/yyyy",
    BAD_HOUR: "time must be an hour from 0 to 24",
    BAD_MINUTE: "minute must be from 0 to 55 in steps of 5",
    DATE_IN_THE_PAST: "The date has passed",
    TIME_WITHOUT_DATE: "time and minute need scheduledDeliveryDate",
    TOO_MANY: f"Maximum {MAX_PER_CALL} numbers",
    TOO_MANY_PARTS: f"Maximum {MAX_PARTS} SMS a text",
    NO_NUMBER_LEFT: "No number is left to send to",
}


class RefusedError(Exception):
    """The vendor refuses a request.

    :param code: its code.
    :param texts: the table of the call's codes.
    :param errors: what the answer lists beside code and text.
    """

    def __init__(self, code: int, texts: Mapping[int, str], *, errors: Sequence[Payload] = ()) -> None:
        super().__init__(texts[code])
        self.code = code
        self.errors = list(errors)
