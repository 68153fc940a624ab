"""
Notice that the credit runs out, or that the key no longer works, before a campaign does.

Each hour a task asks for the account, with one call that sends nothing. It fails if the key is refused, if SMS Partner
cannot be reached after all tries, or if too little credit is left. Let that failure reach you by e-mail or chat: an SMS
about missing credit may not leave.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

LEAST_CREDITS = 1_000


@dag(
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["smspartner", "example"],
    doc_md=__doc__,
)
def smspartner_watch_the_account() -> None:
    @task
    def check_credit() -> None:
        accepted, said = SMSPartnerHook("smspartner_default").test_connection()
        print(said)
        if not accepted:
            raise RuntimeError(said)
        left = re.search(r"(\d+) SMS credits", said)
        if left is None or int(left[1]) < LEAST_CREDITS:
            raise RuntimeError(f"Fewer than {LEAST_CREDITS} SMS credits are left.")

    check_credit()


smspartner_watch_the_account()
