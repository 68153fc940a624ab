"""Pages of the documentation that are written from what the cells of a table have seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

Cells = Mapping[tuple[str, str], str]
"""How each column ends, by what happens and by column; what does not concern a column is left out."""

SEEN = "cell"
"""What the test of a cell reports: the page, what happened, to whom, and how it ended."""


@dataclass(frozen=True)
class WrittenPage:
    """
    A page that shows a table.

    :param name: of its file.
    :param expected: what the table expects.
    :param render: writes the page.
    """

    name: str
    expected: Callable[[], Cells]
    render: Callable[[Cells], str]

    @property
    def path(self) -> Path:
        """Where it is."""
        return DOCS / self.name

    def check(self) -> None:
        """Make sure that it agrees with the table."""
        assert self.path.read_text() == self.render(self.expected()), (
            f"docs/{self.name} is stale: run `make fault-table`"
        )


def line(*cells: str) -> str:
    """Write a row of a table."""
    return "| " + " | ".join(cells) + " |\n"
