"""What the vendor has known of a campaign: a single answer that says otherwise is not believed."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Seen(msgspec.Struct, gc=False):
    """
    How many messages of a campaign the vendor has known, and when it last did.

    :param known: messages, or rows of a tag.
    :param at: aware, or None if it has never known any.
    """

    known: int = 0
    at: datetime | None = None

    def note(self, known: int, at: datetime) -> None:
        """
        Note what the vendor knows now.

        :param known: messages, or rows of a tag.
        :param at: aware.
        """
        self.known, self.at = known, at
