"""What a finished campaign leaves behind beside its rows: the summary in XCom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_smspartner.models import DeliveryStatus, StatusRow, StatusSummary

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context


def publish(operator: BaseOperator, context: Context, rows: list[StatusRow]) -> StatusSummary:
    """
    Push the summary of rows to XCom, and warn of statuses that this version does not know.

    :param operator: whose results they are.
    :param context: the task's context.
    :param rows: all rows of the campaign.
    """
    summary = StatusSummary.of(rows, checked_at=datetime.now(UTC))
    if unknown := summary.counts.get(DeliveryStatus.UNKNOWN):
        operator.log.warning(
            "%d messages have a status that this version does not know; they count as having left Waiting, and "
            "neither as delivered nor as failed. Their rows hold the vendor's text in raw_status.",
            unknown,
        )
    if operator.do_xcom_push:
        context["ti"].xcom_push(key="summary", value=summary.as_dict())
    return summary
