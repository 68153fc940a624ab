"""The README's links lead somewhere wherever it is shown, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDRESS = re.compile(r"https?://[^\s)>\"'`\[]+")
# Whose pages they are: none of them is this project's.
OTHERS = (
    "https://www.smspartner.fr/",
    "https://api.smspartner.fr/v1",
    "https://my.smspartner.fr/",
    "https://www.docpartner.dev/",
    "https://airflow.apache.org/",
    "https://github.com/apache/airflow/",
    "https://semver.org/",
    "https://www.contributor-covenant.org",
    "https://github.com/mozilla/diversity",  # what the Contributor Covenant owes its ladder to
    "https://cyclonedx.org/bom",  # names a kind of attestation, and is no page
    "https://example.com/",  # nobody's: kept for examples
)


def test_every_link_leads_somewhere() -> None:
    links = [
        (name, target)
        for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
        for target in re.findall(r"\]\(((?!https://)[^)]*)\)", (ROOT / name).read_text())
    ]

    assert [link for link in links if not _is_there(*link[1].split("#", 1), of=link[0])] == []


def _is_there(path: str, heading: str = "", *, of: str) -> bool:
    """Whether a file of the repository, and a heading in it, are there."""
    file = ROOT / (path or of)
    return file.is_file() and (not heading or heading in _slugs(file.read_text()))


def _slugs(text: str) -> set[str]:
    """Return how links name the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_no_file_names_a_home_of_this_project() -> None:
    texts = {
        str(path.relative_to(ROOT)): path.read_text()
        for path in [
            *ROOT.glob("*.md"),
            *ROOT.glob("*.cff"),
            *ROOT.glob("*.py"),
            ROOT / "pyproject.toml",
            *ROOT.glob(".github/**/*.*"),
            *ROOT.glob("docs/*.md"),
            *ROOT.glob("example_dags/*.py"),
            *ROOT.glob("scripts/*.py"),
            *ROOT.glob("airflow_provider_smspartner/**/*.py"),
        ]
    }
    strangers = {
        (name, address)
        for name, text in texts.items()
        for address in ADDRESS.findall(text)
        if not address.startswith(OTHERS) and "127.0.0.1" not in address and "{" not in address
    }

    assert strangers == set()
