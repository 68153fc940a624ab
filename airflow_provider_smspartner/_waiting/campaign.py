"""The campaign that a wait watches."""

from __future__ import annotations

from collections import Counter

import msgspec

from airflow_provider_smspartner._messages.pending import PendingInMemory, PendingMessages
from airflow_provider_smspartner.models import DeliveryStatus


class Campaign(msgspec.Struct, kw_only=True):
    """
    What is still to be asked for, and what is known of the rest.

    :param tag: the campaign's tag, or None.
    :param messages: the messages that are still to be asked for, where there is no tag.
    :param settled: how many messages need no more asking, by their final status.
    """

    tag: str | None
    messages: PendingMessages = msgspec.field(default_factory=PendingInMemory)
    settled: Counter[DeliveryStatus] = msgspec.field(default_factory=Counter)

    def __str__(self) -> str:
        """Return how a sentence begins that is about the campaign, without phone numbers."""
        return f"Campaign {self.name}"

    @property
    def name(self) -> str:
        """The campaign's name inside a sentence, without phone numbers."""
        if self.tag is not None:
            return repr(self.tag)
        count = len(self.messages) + self.settled.total()
        if not count:
            return "of a file that is not read yet"
        return "of 1 message" if count == 1 else f"of {count} messages"
