"""What a page names in code font, a file of the repository, is there."""

from __future__ import annotations

import re

import pytest
from documentation.blocks import ROOT, pages

_NAME = re.compile(r"`((?:tests|example_dags|docs|scripts|benchmarks|constraints)/[\w./-]*\w)`")
NAMED = sorted(
    {
        (path.relative_to(ROOT).as_posix(), name)
        for path in pages()
        for name in _NAME.findall(path.read_text())
    }
)


@pytest.mark.parametrize(("page", "name"), NAMED)
def test_a_file_that_a_page_names_is_there(page: str, name: str) -> None:
    assert (ROOT / name).exists()


def test_names_are_found() -> None:
    assert ("docs/security.md", "tests/test_secrets.py") in NAMED
