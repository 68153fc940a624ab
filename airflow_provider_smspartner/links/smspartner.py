"""The link to the vendor's account site on the pages of operators and sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

ACCOUNT_URL = "https://my.smspartner.fr/"


class SMSPartnerAccountLink(BaseOperatorLink):
    """Open the SMS Partner account, where campaigns and keys are managed."""

    name = "SMS Partner account"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """
        Return the address of the account's site.

        :param operator: the task's operator; the address is the same for all.
        :param ti_key: the task instance; the address is the same for all.
        """
        return ACCOUNT_URL
