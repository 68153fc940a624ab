"""
The vendor's API without I/O: builds requests, reads answers, pages a tag, batches a list.

A `Call` is a request and the function that reads its answer. Whoever drives it sends ``call.request``, hands the
`Answer` to ``call.read``, and gets a typed value or an `SMSPartnerError`, whatever bytes came back.

Sources, named beside each rule:

* [multi-status] https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/bulk-status
* [by-tag] https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
* [credits] https://www.docpartner.dev/en/api/sms-partner/credits
* [error-codes] https://www.docpartner.dev/en/api/error-codes
* [observed]: seen in public client code or in captured answers, not in the vendor's pages
"""

from airflow_provider_smspartner.protocol.account import Account, account
from airflow_provider_smspartner.protocol.answers import refusal
from airflow_provider_smspartner.protocol.by_message import MAX_MESSAGES_PER_CALL, batches, multi_status
from airflow_provider_smspartner.protocol.by_tag import (
    TagPage,
    check_tag,
    following,
    foreseen_pages,
    status_by_tag,
    tag_page,
)
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request

__all__ = [
    "MAX_MESSAGES_PER_CALL",
    "Account",
    "Answer",
    "Call",
    "Request",
    "TagPage",
    "account",
    "batches",
    "check_tag",
    "following",
    "foreseen_pages",
    "multi_status",
    "refusal",
    "status_by_tag",
    "tag_page",
]
