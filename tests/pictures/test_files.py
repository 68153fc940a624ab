"""The pictures as they lie in the repository: all of them are there, small, and found by the pages."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from pictures.table import DOCS, PICTURES, SERIES, TABLE

ROOT = DOCS.parent
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
SHOWN = re.compile(
    r"!\[(?P<alt>[^\]]*)\]\((?P<inline>[^)\s]+)\)"
    r"|^:*`*\{(?:image|figure)\} (?P<directive>\S+)\n(?P<options>:alt: \S.*)?",
    re.MULTILINE,
)
KILOBYTE = 1000


def folder(series: str) -> Path:
    return PICTURES / f"airflow-{series}"


@pytest.mark.parametrize("series", SERIES)
def test_the_table_takes_every_picture_and_each_has_its_record(series: str) -> None:
    names = {picture.name for picture in TABLE}
    assert {path.name for path in folder(series).iterdir()} == {
        f"{name}.{ending}" for name in names for ending in ("png", "txt")
    }


def test_there_are_pictures_of_each_airflow_and_of_no_other() -> None:
    assert {path.name for path in PICTURES.iterdir()} == {folder(series).name for series in SERIES}


@pytest.mark.parametrize("path", [
    pytest.param(folder(series) / f"{picture.name}.png", id=f"{series}-{picture.name}")
    for series in SERIES for picture in TABLE
])  # fmt: skip
def test_a_picture_is_small_enough_for_a_page(path: Path) -> None:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", head[16:])
    # Two dots for each pixel of a page that is 800 to 1300 wide.
    assert 1600 <= width <= 2600
    assert height <= 2200
    assert path.stat().st_size < 200 * KILOBYTE


def test_all_pictures_together_are_small() -> None:
    assert sum(path.stat().st_size for path in PICTURES.rglob("*.png")) < 2000 * KILOBYTE


def test_every_picture_that_a_page_shows_is_there_and_says_what_it_shows() -> None:
    shown = [(page, found) for page in PAGES for found in SHOWN.finditer(page.read_text())]
    assert shown
    for page, found in shown:
        target = found["inline"] or found["directive"]
        assert "://" in target or (page.parent / target).is_file(), f"{page} shows {target}"
        assert found["alt"] if found["inline"] else found["options"], f"{page} does not describe {target}"


def test_no_page_shows_a_picture_in_another_way() -> None:
    shown = [found[0] for page in PAGES for found in SHOWN.finditer(page.read_text())]
    named = [found for page in PAGES for found in re.findall(r"pictures/airflow-\S+?\.png", page.read_text())]
    assert sum("pictures/airflow-" in text for text in shown) == len(named)
