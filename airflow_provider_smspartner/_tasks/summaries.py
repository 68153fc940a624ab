"""What every task tells of the statuses that it has delivered, whatever they went into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_smspartner._metrics import ROWS, count
from airflow_provider_smspartner._tasks.account_task import AccountTask
from airflow_provider_smspartner.models import DeliveryStatus

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_smspartner.models import StatusSummary


class PushesSummary(AccountTask):
    """A task that tells how many messages have which status."""

    def _push_summary(self, context: Context, summary: StatusSummary) -> None:
        """
        Count the rows, publish their summary, and warn of statuses that this version does not know.

        :param context: the task's context.
        :param summary: of all rows of the campaign.
        """
        if unknown := summary.counts.get(DeliveryStatus.UNKNOWN):
            self.log.warning(
                "%d messages have a status that this version does not know; they count as having left Waiting, and "
                "neither as delivered nor as failed. Their rows hold the vendor's text in raw_status.",
                unknown,
            )
        for status, number in summary.counts.items():
            count(ROWS, status.name.lower(), number=number)
        self._publish_summary(context, summary.as_dict())
