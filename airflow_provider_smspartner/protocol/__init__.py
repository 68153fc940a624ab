"""
The vendor's API without I/O: builds requests, reads answers, pages a tag, batches a list, sends.

A `Call` is a request and the function that reads its answer. Whoever drives it sends ``call.request``, hands the
`Answer` to ``call.read``, and gets a typed value or an `SMSPartnerError`, whatever bytes came back.

Sources, named beside each rule:

* [multi-status] https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/bulk-status
* [by-tag] https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
* [credits] https://www.docpartner.dev/en/api/sms-partner/credits
* [send] https://www.docpartner.dev/en/api/sms-partner/send-sms/single-send
* [bulk-send] https://www.docpartner.dev/en/api/sms-partner/send-sms/bulk-send
* [cancel] https://www.docpartner.dev/en/api/sms-partner/send-sms/cancel-scheduled-sms
* [stop-list] https://www.docpartner.dev/en/api/sms-partner/replies-opt-outs-management/stop-list
* [error-codes] https://www.docpartner.dev/en/api/error-codes
* [replaced-characters]: the vendor's page on the characters that it replaces
* [observed]: seen in public client code or in captured answers, not in the vendor's pages
"""

from airflow_provider_smspartner.protocol.account import Account, account
from airflow_provider_smspartner.protocol.answers import refusal
from airflow_provider_smspartner.protocol.by_message import MAX_MESSAGES_PER_CALL, batches, multi_status
from airflow_provider_smspartner.protocol.by_tag import (
    MAX_READINGS,
    TagPage,
    check_tag,
    following,
    foreseen_pages,
    status_by_tag,
    tag_page,
)
from airflow_provider_smspartner.protocol.cancelling import cancel
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request
from airflow_provider_smspartner.protocol.stop_list import StopListEntry, StopListRow, stop_list

__all__ = [
    "MAX_MESSAGES_PER_CALL",
    "MAX_READINGS",
    "Account",
    "Answer",
    "Call",
    "Request",
    "StopListEntry",
    "StopListRow",
    "TagPage",
    "account",
    "batches",
    "cancel",
    "check_tag",
    "following",
    "foreseen_pages",
    "multi_status",
    "refusal",
    "status_by_tag",
    "stop_list",
    "tag_page",
]
