"""All texts that Airflow has written: into its logs, and into the tables of its database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.production import Production


def logged(production: Production) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every log file."""
    for path in [production.airflow.log, *(production.home / "logs").rglob("*.log")]:
        yield path.name, path.read_text(errors="replace")


def kept(production: Production) -> Iterator[tuple[str, str]]:
    """Yield every row that a table holds, and every one that the most telling tables ever held."""
    yield from ((name, text) for name, text in production.tables() if name != "remembered")
    yield from production.query("SELECT name, content FROM remembered")
