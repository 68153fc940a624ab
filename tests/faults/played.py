"""A fault that is played: what happens, in words, and how the double or another server plays it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from faults.arranged import Stage

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

Arrange = Callable[[Stage], AbstractContextManager[SMSPartnerDouble]]


@dataclass(frozen=True, kw_only=True)
class Played:
    """
    A fault, as the first and the last column of a page show it.

    :param happens: what happens, in words.
    :param play: the faults of the double, as the page shows them; all of them end alike.
    :param arrange: plays the fault where more than faults of the double are needed.
    """

    happens: str
    play: str
    arrange: Arrange | None = None

    def faults(self) -> list[Fault]:
        """Return the faults of the double, made from the text that the page shows."""
        # The text is the table's own. So the page cannot show anything else than what was played.
        made: list[Fault] = eval(f"[{self.play}]", {"Fault": Fault})  # noqa: S307
        return made

    def plays(
        self, stage: Stage, concerns: Callable[[Fault], bool] = lambda _: True
    ) -> list[tuple[str, AbstractContextManager[SMSPartnerDouble]]]:
        """
        Return what plays the fault, in each of its ways, with a name.

        :param stage: where it is played.
        :param concerns: whether a fault of the double makes a difference.
        """
        if self.arrange is not None:
            return [(self.happens, self.arrange(stage))]
        return [(fault.name, stage.faulty(fault)) for fault in self.faults() if concerns(fault)]
