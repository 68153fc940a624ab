"""
The errors of this provider.

::

    SMSPartnerError(AirflowException)              .code (vendor's, or None), .http_status (or None),
    │                                              .receipts (what surely was sent before)
    ├── SMSPartnerCredentialsError                 key missing or wrong, account or IP refused; never retried
    ├── SMSPartnerRequestError                     the vendor refuses the request; never retried
    ├── SMSPartnerNotFoundError                    no such tag or message
    ├── SMSPartnerUnavailableError                 still failing after every try: network, 429, 5xx, or an
    │                                              unreadable or unexpected answer
    ├── SMSPartnerIncompleteError                  paging ended before `total` rows; .expected, .received
    ├── SMSPartnerDeliveryRateError                a settled campaign below `min_delivery_rate`; never retried
    ├── SMSPartnerInputError                       an argument, a message list or a file is wrong; also ValueError;
    │                                              never retried
    ├── SMSPartnerCreditError                      the account has no credit: nothing was sent
    └── SMSPartnerAmbiguousSendError               SMS may or may not have left; never retried

"Never retried" means that Airflow does not retry the task: those errors are also ``AirflowFailException``.
None of their texts holds the API key, a phone number, the query of a URL, or any words of the vendor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class SMSPartnerError(AirflowException):
    """
    Anything that went wrong between this provider and SMS Partner.

    :param message: what happened, and what to do about it.
    :param code: the vendor's error code, where it gave one.
    :param http_status: the HTTP status of the answer, where there was one.
    """

    receipts: Sequence[Any] = ()
    """What surely was sent before the error: one receipt for each call that sends and was answered."""

    def __init__(self, message: str = "", *, code: int | None = None, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status

    def note_rows(self, count: int) -> None:
        """
        Add a note that says how many rows were read before the error.

        :param count: rows that were read and are not returned.
        """
        self.add_note(f"{count} rows had been read before this error; they are not returned.")


class SMSPartnerCredentialsError(SMSPartnerError, AirflowFailException):
    """The API key is missing or wrong, or the account or the address is refused."""


class SMSPartnerRequestError(SMSPartnerError, AirflowFailException):
    """The vendor refuses the request as it stands."""


class SMSPartnerNotFoundError(SMSPartnerError):
    """The vendor knows no such tag or message, or not yet."""


class SMSPartnerUnavailableError(SMSPartnerError):
    """
    The vendor could not be reached or understood, after every try.

    :param retry_after: the answer's ``Retry-After`` header as sent, for the policy; None after the last try.
    :param surely_unsent: whether the request surely was not sent: it ended before the first byte of it went out.
    :param is_too_large: whether the answer is larger than any that is read: it would be so again.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: int | None = None,
        http_status: int | None = None,
        retry_after: str | None = None,
        surely_unsent: bool = False,
        is_too_large: bool = False,
    ) -> None:
        super().__init__(message, code=code, http_status=http_status)
        self.retry_after = retry_after
        self.surely_unsent = surely_unsent
        self.is_too_large = is_too_large


class SMSPartnerIncompleteError(SMSPartnerError):
    """
    The pages of a tag ended before `total` rows were received, or the tag has changed while they were read.

    :param expected: rows that the vendor announced.
    :param received: rows that it gave.
    :param has_changed: whether the tag has changed: read anew, it may be whole.
    """

    def __init__(
        self, message: str = "", *, expected: int = 0, received: int = 0, has_changed: bool = False
    ) -> None:
        super().__init__(message)
        self.expected = expected
        self.received = received
        self.has_changed = has_changed


class SMSPartnerDeliveryRateError(SMSPartnerError, AirflowFailException):
    """A settled campaign was delivered less well than the DAG's author accepts."""


class SMSPartnerInputError(SMSPartnerError, AirflowFailException, ValueError):
    """An argument, a message list or a file is wrong: nothing was sent, and a retry would meet the same fault."""


class SMSPartnerCreditError(SMSPartnerError):
    """The account has no credit: nothing was sent."""


class SMSPartnerAmbiguousSendError(SMSPartnerError, AirflowFailException):
    """SMS may or may not have left: a retry could send them twice."""


class TooManyRowsError(SMSPartnerInputError):
    """
    There are more rows than the caller of a hook wants.

    :param count: rows that there are, or are known so far.
    :param limit: the caller's.
    """

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"{count} rows are more than `max_rows`, {limit}.")
        self.count = count
        self.limit = limit

    def __reduce__(self) -> tuple[Any, ...]:
        """Make copies of what it was made of: `args` holds the text."""
        return type(self), (self.count, self.limit), self.__dict__
