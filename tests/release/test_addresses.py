"""The project's own addresses stand in one table: everything that shows one takes it from there."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from addresses import Addresses, stale, written

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
HOST = "https://example.com"
KNOWN = Addresses(
    repository=f"{HOST}/owner/provider",
    documentation=f"{HOST}/docs/",
    security="security@example.com",
    conduct="conduct@example.com",
    owners="@owner",
)
NONE = Addresses(*[""] * len(fields(Addresses)))


def file_with(path: str, addresses: Addresses) -> str:
    return written(path, (ROOT / path).read_text(), addresses)


def test_every_file_says_what_the_table_says() -> None:
    assert list(stale()) == [], "make addresses"


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (".github/CODEOWNERS", "\n* @owner\n"),
        (".github/ISSUE_TEMPLATE/config.yml", f'url: "{HOST}/docs/"'),
        ("CITATION.cff", f'repository-code: "{HOST}/owner/provider"'),
        ("CODE_OF_CONDUCT.md", "<conduct@example.com>"),
        ("README.md", f"| Documentation | <{HOST}/docs/> |"),
        ("SECURITY.md", "<security@example.com>"),
    ],
    ids=lambda value: value if "/" not in value else "",
)
def test_each_file_shows_its_address(path: str, address: str) -> None:
    filled = file_with(path, KNOWN)

    assert address in filled
    assert address not in file_with(path, NONE)
    assert written(path, filled, NONE) == file_with(path, NONE)


@pytest.mark.parametrize("addresses", [KNOWN, NONE], ids=["known", "unknown"])
def test_the_files_can_be_read(addresses: Addresses) -> None:
    contacts = yaml.safe_load(file_with(".github/ISSUE_TEMPLATE/config.yml", addresses))
    citation = yaml.safe_load(file_with("CITATION.cff", addresses))

    assert contacts["blank_issues_enabled"] is False
    assert len(contacts.get("contact_links", [])) == (1 if addresses is KNOWN else 0)
    assert citation.get("repository-code", "") == addresses.repository


def test_a_private_form_is_linked_and_an_e_mail_address_is_not() -> None:
    form = Addresses(**{**vars(KNOWN), "security": f"{HOST}/report"})

    assert "Security" not in KNOWN.urls()
    assert form.urls()["Security"] == f"{HOST}/report"
    assert f'url: "{HOST}/report"' in file_with(".github/ISSUE_TEMPLATE/config.yml", form)


@pytest.mark.parametrize(
    ("readme", "known", "unknown"),
    [
        ("[how](docs/await.md#the-modes)", f"[how]({HOST}/docs/await.html#the-modes)", "how"),
        ("[two\nlines](docs/await.md)", f"[two\nlines]({HOST}/docs/await.html)", "two\nlines"),
        ("[x](CONTRIBUTING.md)", f"[x]({HOST}/owner/provider/blob/v1.2.3/CONTRIBUTING.md)", "x"),
        (
            "[![A graph](docs/a.svg)](docs/await.md)",
            f"[![A graph]({HOST}/owner/provider/raw/v1.2.3/docs/a.svg)]({HOST}/docs/await.html)",
            "",
        ),
        ("[below](#below), [x](https://example.com/x)",) * 3,
        ("``a ` [how](docs/await.md)``",) * 3,
        ("```python\nhow[0](docs/await.md)\n[how](docs/await.md)\n```",) * 3,
    ],
    ids=["page", "two lines", "file", "picture", "elsewhere", "code", "block"],
)
def test_a_readme_away_from_the_repository(readme: str, known: str, unknown: str) -> None:
    assert KNOWN.readme(readme, "1.2.3") == known
    assert NONE.readme(readme, "1.2.3") == unknown
