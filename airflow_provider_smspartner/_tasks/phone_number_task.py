"""The parameters of every task whose results hold phone numbers: in which form they leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_smspartner._pseudonyms import HMAC, KEEP, releasing
from airflow_provider_smspartner._tasks.account_task import AccountTask

if TYPE_CHECKING:
    from airflow_provider_smspartner._pseudonyms import Row

LEAST_KEY_LENGTH = 16
"""Shorter keys are soon tried: then a pseudonym tells the number."""


class PhoneNumberTask(AccountTask):
    """
    A task whose results hold phone numbers.

    :param phone_numbers: how they leave, into XCom, files and tables: ``keep`` as they are; ``mask`` with stars between
        the first three characters and the last two; ``hmac`` as pseudonyms, the hex HMAC-SHA256 of the E.164 number.
        What is asked of SMS Partner does not change. (templated)
    :param pseudonym_conn_id: the Airflow connection, of any type, whose password is the key of the pseudonyms; for
        ``hmac``. (templated)
    :param kwargs: `smspartner_conn_id`, which `AccountTask` describes, and those of every operator.
    """

    template_fields: Sequence[str] = ("phone_numbers", "pseudonym_conn_id", *AccountTask.template_fields)
    _optional: ClassVar[frozenset[str]] = frozenset({"pseudonym_conn_id"})

    def __init__(
        self, *, phone_numbers: str = KEEP, pseudonym_conn_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.phone_numbers = phone_numbers
        self.pseudonym_conn_id = pseudonym_conn_id

    def _releasing(self) -> Callable[[Row], Row]:
        """
        Return what each row passes through on its way out.

        :raises SMSPartnerInputError: if the connection of the pseudonyms has no password.
        :raises AirflowNotFoundException: if there is no such connection.
        """
        if self.phone_numbers != HMAC or self.pseudonym_conn_id is None:
            return releasing(self.phone_numbers)
        key = BaseHook.get_connection(self.pseudonym_conn_id).password
        if key and len(key) < LEAST_KEY_LENGTH:
            self.log.warning(
                "The key of the pseudonyms, which is the password of the connection %r, has fewer than %d characters: "
                "it is soon found by trying. Replace it by a long random one.",
                self.pseudonym_conn_id,
                LEAST_KEY_LENGTH,
            )
        return releasing(self.phone_numbers, key)
