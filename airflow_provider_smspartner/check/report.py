"""The findings as a Markdown table and as JSON: neither holds the key, the tag, a phone number or a message id."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_smspartner import __version__
from airflow_provider_smspartner._connection.fields import BASE_URL
from airflow_provider_smspartner.check.assumptions import Finding, Source, Verdict
from airflow_provider_smspartner.check.probes import MAX_REQUESTS, Evidence

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings

HOLDS, FAILS, COULD_NOT_ASK = 0, 1, 2
"""Exit codes."""

_COLUMNS = ("what", "source", "assumed", "seen", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    What is printed.

    :param checked_at: when the last answer had come, aware.
    :param versions: of this package, Airflow and Python.
    :param is_vendor: whether the vendor's own address was asked. No other one is shown.
    :param sent: requests that were sent.
    :param statuses: answers by HTTP status.
    :param findings: in the table's order.
    """

    checked_at: datetime
    versions: dict[str, str]
    is_vendor: bool
    sent: int
    statuses: dict[str, int]
    findings: Sequence[Finding]

    @classmethod
    def of(
        cls, evidence: Evidence, findings: Sequence[Finding], settings: Settings, *, checked_at: datetime
    ) -> Report:
        """Put together what is printed."""
        from airflow import __version__ as airflow_version

        statuses = Counter(
            "no answer" if each.answer is None else f"HTTP {each.answer.http_status}"
            for each in evidence.tries
        )
        return cls(
            checked_at=checked_at,
            versions={
                "airflow-provider-smspartner": __version__,
                "apache-airflow": airflow_version,
                "python": platform.python_version(),
            },
            is_vendor=settings.base_url.replace(":443/", "/", 1) == BASE_URL,
            sent=len(evidence.tries),
            statuses=dict(sorted(statuses.items())),
            findings=findings,
        )

    @property
    def exit_code(self) -> int:
        """1 if an assumption does not hold; else 2 if something could not be asked; else 0."""
        if any(each.verdict is Verdict.FAILS for each in self.findings):
            return FAILS
        return COULD_NOT_ASK if any(each.is_trouble for each in self.findings) else HOLDS

    def as_json(self) -> str:
        """Return the report as one JSON object."""
        members: dict[str, Any] = {
            "checked_at": self.checked_at.isoformat(),
            "versions": self.versions,
            "is_vendor": self.is_vendor,
            "requests": {"sent": self.sent, "limit": MAX_REQUESTS, "answers": self.statuses},
            "assumptions": [
                {
                    **dict(zip(_COLUMNS, _cells(each), strict=True)),
                    "could_not_ask": each.is_trouble,
                    "otherwise": each.assumption.otherwise or None,
                }
                for each in self.findings
            ],
            "exit_code": self.exit_code,
        }
        return json.dumps(members, indent=2)

    def as_text(self) -> str:
        """Return the report as a Markdown table, with what there is to say about it."""
        answers = ", ".join(f"{status}: {count}" for status, count in self.statuses.items())
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        address = BASE_URL if self.is_vendor else "another one than the vendor's"
        lines = [
            f"SMS Partner's API, asked at {self.checked_at:%Y-%m-%d %H:%M} UTC with {versions}.",
            f"Address: {address}. Requests: {self.sent} of at most {MAX_REQUESTS} ({answers}).",
            "",
            *_table([_COLUMNS, *map(_cells, self.findings)]),
            "",
            "Sources: " + ", ".join(f"{each.value} {_SOURCES[each]}" for each in Source) + ".",
            *(
                f"{each.assumption.name} {each.verdict.value.lower()}: {each.assumption.otherwise}"
                for each in self.findings
                if each.verdict is Verdict.FAILS
            ),
            self._conclusion(),
        ]
        return "\n".join(lines)

    def _conclusion(self) -> str:
        counts = Counter(each.verdict for each in self.findings)
        found = ", ".join(f"{verdict.value.lower()} {counts[verdict]}" for verdict in Verdict)
        unasked = sum(1 for each in self.findings if each.is_trouble)
        return f"In all: {found}{f'; could not be asked {unasked}' if unasked else ''}."


_SOURCES = {
    Source.DOCUMENTED: "documented by the vendor",
    Source.CLIENT_CODE: "seen in client code",
    Source.INFERRED: "inferred",
    Source.UNKNOWN: "unknown",
}


def _cells(finding: Finding) -> tuple[str, ...]:
    assumption = finding.assumption
    return (
        assumption.name,
        assumption.source.value,
        assumption.assumed,
        finding.seen,
        finding.verdict.value,
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = (
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [head, rule, *body]
