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
)
ROW = ("phoneNumber", "messageId", "status", "date", "stopSms", "stopSMS", "isSpam", "success", "code")
ACCOUNT = ("balance", "currency", "creditSms")
