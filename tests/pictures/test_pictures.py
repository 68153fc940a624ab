"""The pictures of the docs: all are there, small, and found by the pages; each shows what this Airflow shows today."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

import pytest

from pictures.seen import normalised
from pictures.table import DOCS, PICTURES, SERIES, TABLE, Picture, Scene

PAGES = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]
SHOWN = re.compile(
    r"!\[(?P<alt>[^\]]*)\]\((?P<inline>[^)\s]+)\)"
    r"|^:*`*\{(?:image|figure)\} (?P<directive>\S+)\n(?P<options>:alt: \S.*)?",
    re.MULTILINE,
)
KILOBYTE = 1000


@pytest.mark.nightly
@pytest.mark.system
@pytest.mark.browser
@pytest.mark.parametrize("picture", [pytest.param(each, id=each.name) for each in TABLE])
def test_the_picture_is_true(picture: Picture, scene: Scene, folder: Path, takes_pictures: bool) -> None:
    area = picture.find(scene)
    texts = area.texts()

    everything = "\n".join(texts)
    assert [text for text in picture.shows if text not in everything] == []
    assert names_of_this_machine() & set(everything.replace("/", " ").split()) == set()

    seen = normalised(texts)
    record = folder / f"{picture.name}.txt"
    if takes_pictures:
        area.take(record.with_suffix(".png"))
        record.write_text("".join(f"{line}\n" for line in seen))
    # In no order: that of the elements says nothing of where they are.
    shown = set(record.read_text().splitlines())
    assert set(seen) == shown, f"{record.stem}.png shows something else; `make pictures` takes it anew"


def names_of_this_machine() -> set[str]:
    return {Path.home().name, socket.gethostname(), socket.getfqdn()}


def test_each_picture_has_its_record_and_there_are_no_others() -> None:
    assert {path.relative_to(PICTURES).as_posix() for path in PICTURES.rglob("*.*") if path.is_file()} == {
        f"airflow-{series}/{picture.name}.{ending}"
        for series in SERIES
        for picture in TABLE
        for ending in ("png", "txt")
    }


@pytest.mark.parametrize("series", SERIES)
def test_pictures_are_small_enough_for_a_page(series: str) -> None:
    paths = sorted((PICTURES / f"airflow-{series}").glob("*.png"))
    sizes = {path.name: struct.unpack(">II", path.read_bytes()[16:24]) for path in paths}

    # Two dots for each pixel of a page that is 800 to 1300 wide.
    wrong = [name for name, (width, height) in sizes.items() if not 1600 <= width <= 2600 or height > 2200]
    assert wrong == []
    assert [path.name for path in paths if path.stat().st_size > 200 * KILOBYTE] == []
    assert sum(path.stat().st_size for path in paths) < 1000 * KILOBYTE


def test_every_picture_that_a_page_shows_is_there_and_says_what_it_shows() -> None:
    texts = {page: page.read_text() for page in PAGES}
    shown = [(page, found) for page, text in texts.items() for found in SHOWN.finditer(text)]
    for page, found in shown:
        target = found["inline"] or found["directive"]
        assert "://" in target or (page.parent / target).is_file(), f"{page} shows {target}"
        assert found["alt"] if found["inline"] else found["options"], f"{page} does not describe {target}"
    # No page shows a picture in another way.
    named = [name for text in texts.values() for name in re.findall(r"pictures/airflow-\S+?\.png", text)]
    assert len(named) == sum("pictures/airflow-" in found[0] for _, found in shown) > 0
