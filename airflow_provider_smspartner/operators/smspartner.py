"""The operators: fetch delivery statuses, by tag or by message list, into XCom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_smspartner._campaign import progress
from airflow_provider_smspartner._results import publish
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink
from airflow_provider_smspartner.models import StatusRow

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class _StatusOperator(BaseOperator):
    """What the operators share: they fetch rows, push them, and push their summary."""

    template_fields: Sequence[str] = ("smspartner_conn_id",)
    operator_extra_links = (SMSPartnerAccountLink(),)
    ui_color = "#d7efe3"

    def __init__(self, *, smspartner_conn_id: str = SMSPartnerHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smspartner_conn_id = smspartner_conn_id

    def execute(self, context: Context) -> list[StatusRow]:
        """
        Fetch the rows.

        :param context: the task's context.
        """
        with SMSPartnerHook(self.smspartner_conn_id) as hook:
            rows = self._fetch(hook)
        summary = publish(self, context, rows)
        self.log.info("Fetched %d rows: %s.", summary.total, progress(summary))
        return rows

    def _fetch(self, hook: SMSPartnerHook) -> list[StatusRow]:
        raise NotImplementedError


class SMSPartnerStatusByTagOperator(_StatusOperator):
    """
    Fetch the statuses of all messages of a tag.

    XCom ``return_value`` is the list of rows, XCom ``summary`` their summary.

    :param tag: the campaign's tag, 1 to 20 characters without white space. (templated)
    :param allow_empty: give no rows for a tag that the vendor does not know, instead of failing.
    :param smspartner_conn_id: the Airflow connection that holds the API key. (templated)
    :raises SMSPartnerNotFoundError: if no message has this tag, unless `allow_empty`.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
    """

    template_fields: Sequence[str] = ("tag", *_StatusOperator.template_fields)

    def __init__(self, *, tag: str, allow_empty: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag = tag
        self.allow_empty = allow_empty

    def _fetch(self, hook: SMSPartnerHook) -> list[StatusRow]:
        try:
            return hook.get_status_by_tag(self.tag)
        except SMSPartnerNotFoundError:
            if self.allow_empty:
                return []
            raise


class SMSPartnerMultiStatusOperator(_StatusOperator):
    """
    Fetch the statuses of a list of messages, in the list's order.

    XCom ``return_value`` is the list of rows, one for each message, XCom ``summary`` their summary. A message
    that is named again is asked for once and has one row.

    :param messages: each a ``(phone_number, message_id)`` pair or a mapping with both; a list, or the output of
        an upstream task. (templated)
    :param smspartner_conn_id: the Airflow connection that holds the API key. (templated)
    :raises ValueError: if a message is none, before anything is sent.
    :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/bulk-status
    """

    template_fields: Sequence[str] = ("messages", *_StatusOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}

    def __init__(self, *, messages: Iterable[object], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.messages = messages

    def _fetch(self, hook: SMSPartnerHook) -> list[StatusRow]:
        return hook.get_multi_status(self.messages)
