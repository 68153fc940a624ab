"""The names of the members that the vendor's answers have, for tests that make answers of them."""

from __future__ import annotations

ENVELOPE = (
    "success",
    "code",
    "message",
    "errors",
    "error",
    "StatutResponse_List",
    "total",
    "currentPage",
    "credits",
    "nbData",
    "data",
    "message_id",
    "nb_sms",
    "nbSMS",
    "cost",
    "currency",
    "SMSResponse_List",
)
ROW = (
    *("phoneNumber", "messageId", "status", "date", "stopSms", "stopSMS", "isSpam", "success", "code"),
    *("createdAt", "nbSms"),
)
ACCOUNT = ("balance", "currency", "creditSms")
