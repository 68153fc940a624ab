"""The name of a table, as an argument gives it."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from airflow_provider_smspartner.exceptions import SMSPartnerInputError

# The longest that PostgreSQL has: it cuts longer ones without a word.
_NAME = re.compile(r"(?:([A-Za-z0-9_]{1,63})\.)?([A-Za-z0-9_]{1,63})")


class TableName(NamedTuple):
    """
    The name of a table.

    :param schema: where it is, or None for the connection's default; a database in MariaDB and MySQL.
    :param name: within the schema.
    """

    schema: str | None
    name: str

    @classmethod
    def of(cls, argument: str, value: object) -> Self:
        """
        Read a name.

        :param argument: what the name was given for.
        :param value: ``name`` or ``schema.name``.
        :raises SMSPartnerInputError: if it is anything else.
        """
        found = _NAME.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise SMSPartnerInputError(
                f"`{argument}` must be the name of a table, `name` or `schema.name`, each of at most 63 letters, "
                "digits and underscores."
            )
        return cls(*found.groups())

    def __str__(self) -> str:
        """Return the name as it was given."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"
