"""What is wrong with rows: the first fault in words, and of all of them how many there are and where."""

from __future__ import annotations

from airflow_provider_smspartner.exceptions import SMSPartnerInputError

_SHOWN = 20


class Faults:
    """
    The bad ones among rows that are read to their end, so that all of them can be mended at once.

    :param what: what errors call the rows, in the plural.
    :param unit: what their positions are.
    """

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._first = ""
        self._positions: list[int] = []
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, position: int, fault: str) -> None:
        """
        Note a bad row.

        :param position: where it stands.
        :param fault: what is wrong with it, and where; told of the first one alone.
        """
        self._count += 1
        self._first = self._first or fault
        if self._count <= _SHOWN:
            self._positions.append(position)

    def check(self) -> None:
        """
        Make sure that there is no fault.

        :raises SMSPartnerInputError: tells the first one, how many rows are bad, and the positions of the first 20.
        """
        if not self:
            return
        if self._count == 1:
            raise SMSPartnerInputError(self._first) from None
        shown = ", ".join(map(str, self._positions))
        more = f" and {self._count - _SHOWN:,} more" if self._count > _SHOWN else ""
        raise SMSPartnerInputError(
            f"{self._first.rstrip('.')}. {self._count:,} {self._what} are bad: {self._unit}s {shown}{more}."
        ) from None
