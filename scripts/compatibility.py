"""`make matrix`: print the table of Airflows and Pythons from the reports of its cells, or write it into the docs."""

from __future__ import annotations

import argparse
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "build" / "matrix"
PAGE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- made by `make matrix` -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Report:
    """What a cell's tests have said."""

    passed: int
    failed: int
    skipped: Counter[str]
    day: str

    @classmethod
    def read(cls, path: Path) -> Report | None:
        """Read pytest's report, None where the cell was not run or did not get as far."""
        if not path.exists():
            return None
        suite = ET.parse(path).getroot().find("testsuite")  # noqa: S314 - pytest has written it just now
        if suite is None:
            return None
        count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
        failed = count["failures"] + count["errors"]
        reasons = Counter(reason_of(skip) for skip in suite.iter("skipped"))
        return cls(
            count["tests"] - failed - count["skipped"], failed, reasons, suite.get("timestamp", "")[:10]
        )

    def __str__(self) -> str:
        """Return the counts in words."""
        failed = f"**{self.failed:,} failed**, " if self.failed else ""
        return f"{failed}{self.passed:,} passed, {self.skipped.total():,} skipped"


def reason_of(skip: ET.Element) -> str:
    """Return why a test was skipped; where a whole module was, only the text says why."""
    text = skip.text or ""
    return text.rpartition("Skipped: ")[2].rstrip("')\"") if "Skipped: " in text else skip.get("message", "")


def table(versions: dict[str, Any]) -> str:
    """Return the table, and below it what was skipped and why."""
    rows = {
        series: (release(each["requires"]), each["pythons"]) for series, each in versions["airflow"].items()
    }
    oldest = rows[versions["lowest"]["airflow"]][0]
    rows["lowest"] = (f"{oldest}, lowest versions of everything else", versions["lowest"]["pythons"])
    pythons = sorted({python for _, supported in rows.values() for python in supported})
    lines = [
        f"| Airflow | {' | '.join(f'Python {python}' for python in pythons)} |",
        "|---" * (len(pythons) + 1) + "|",
    ]
    skipped: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    days = set()
    for series, (name, supported) in rows.items():
        reports = {python: Report.read(REPORTS / f"{series}-{python}.xml") for python in pythons}
        run = {python: report for python, report in reports.items() if report}
        absent = {
            python: "not run" if python in supported else "" if series == "lowest" else "not supported by it"
            for python in pythons
        }
        lines.append(
            f"| {name} | {' | '.join(str(reports[python] or absent[python]) for python in pythons)} |"
        )
        days |= {report.day for report in run.values()}
        for skip in {each for report in run.values() for each in report.skipped.items()}:
            on = [python for python, report in run.items() if skip in report.skipped.items()]
            skipped[skip].append(name if len(on) == len(run) else f"{name} on {', '.join(on)}")
    if skipped:
        lines += ["", ":::{dropdown} What was skipped, and why", ""]
        lines += ["| tests | why | Airflow |", "|---|---|---|"]
        lines += [
            f"| {times:,} | {reason} | {'; '.join(where)} |"
            for (reason, times), where in sorted(skipped.items())
        ]
        lines += [":::"]
    if days:
        lines += ["", f"Run on {' and '.join(sorted(days))}, Linux."]
    return "\n".join(lines) + "\n"


def release(requires: list[str]) -> str:
    """Return the version of Airflow that a row of the matrix asks for."""
    (airflow,) = (Requirement(each) for each in requires if Requirement(each).name == "apache-airflow")
    (specifier,) = airflow.specifier
    return specifier.version


def main() -> None:
    """Print the table; with `--write`, put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into docs/compatibility.md")
    write = parser.parse_args().write
    made = table(tomllib.loads((ROOT / "constraints" / "versions.toml").read_text()))
    print(made)
    if write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
