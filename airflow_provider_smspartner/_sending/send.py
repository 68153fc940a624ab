"""A send: who gets what, checked, and the calls that it takes."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, TypedDict

import msgspec

from airflow_provider_smspartner._sending.options import check_flag, read_options
from airflow_provider_smspartner._sending.recipients import MAX_RECIPIENTS, read_recipients
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import Receipt, described
from airflow_provider_smspartner.protocol import Call
from airflow_provider_smspartner.protocol.sending import MAX_RECIPIENTS_PER_CALL, SendOptions, bulk_send
from airflow_provider_smspartner.protocol.texts import count_parts


class SendParameters(TypedDict, total=False):
    """The options of a send, as `SMSPartnerHook.send` describes them."""

    tag: str | None
    sender: str | None
    scheduled_at: datetime | str | None
    stop_notice: bool
    unicode: bool
    sandbox: bool | None
    max_recipients: int


@dataclass(frozen=True, slots=True)
class Send:
    """
    What is to be sent.

    :param numbers: who to, in E.164, each once.
    :param texts: what, one for each number.
    :param options: what holds for all.
    """

    numbers: Sequence[str] = field(repr=False)
    texts: Sequence[str] = field(repr=False)
    options: SendOptions

    @classmethod
    def of(
        cls,
        recipients: object,
        message: object = None,
        *,
        tag: object = None,
        sender: object = None,
        scheduled_at: object = None,
        stop_notice: bool = False,
        unicode: bool = False,
        sandbox: bool | None = None,
        always_sandbox: bool = False,
        max_recipients: int = MAX_RECIPIENTS,
    ) -> Self:
        """
        Check everything, and return what is to be sent.

        :param always_sandbox: what the connection says; nothing leaves its sandbox.
        :raises SMSPartnerInputError: names the position and the fault, never a number or a text.

        The other parameters are those of `SMSPartnerHook.send`.
        """
        if message is not None and not isinstance(message, str):
            raise SMSPartnerInputError(f"`message` must be text, not {described(message)}.")
        if sandbox is not None:
            check_flag("sandbox", sandbox)
        options = read_options(
            tag=tag,
            sender=sender,
            scheduled_at=scheduled_at,
            stop_notice=stop_notice,
            unicode=unicode,
            sandbox=always_sandbox or sandbox is True,
        )
        texts = read_recipients(recipients, message, unicode=unicode, max_recipients=max_recipients)
        return cls(numbers=tuple(texts), texts=tuple(texts.values()), options=options)

    @property
    def call_count(self) -> int:
        """How many calls it takes."""
        return -(-len(self.numbers) // MAX_RECIPIENTS_PER_CALL)

    def numbers_of(self, position: int) -> Sequence[str]:
        """
        Return whom a call sends to.

        :param position: the call's, from 0.
        """
        return self.numbers[_of_call(position)]

    def call(self, position: int) -> Call[Receipt]:
        """
        Return a call.

        :param position: the call's, from 0.
        """
        return bulk_send(self._texts_of(position), self.options)

    def count_sms(self, position: int, *, refused: Container[str]) -> int:
        """
        Return how many SMS the recipients of a call need.

        :param position: the call's, from 0.
        :param refused: those who need none.
        """
        texts = self._texts_of(position)
        needed = Counter(text for number, text in texts.items() if number not in refused)
        return sum(count_parts(text, unicode=self.options.unicode) * n for text, n in needed.items())

    def _texts_of(self, position: int) -> dict[str, str]:
        return dict(zip(self.numbers_of(position), self.texts[_of_call(position)], strict=True))

    def fingerprint(self, key: str) -> str:
        """
        Return a text that is the same for the same send alone, and tells nothing about it.

        :param key: a secret: without it the fingerprint of a single recipient could be found out by trying all
            numbers.
        """
        what = msgspec.json.encode([self.numbers, self.texts, self.options.members()])
        return hmac.new(key.encode(), what, hashlib.sha256).hexdigest()


def _of_call(position: int) -> slice:
    start = position * MAX_RECIPIENTS_PER_CALL
    return slice(start, start + MAX_RECIPIENTS_PER_CALL)
