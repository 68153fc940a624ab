"""Each picture of the docs shows what this Airflow shows today."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pictures.seen import normalised
from pictures.table import TABLE, Picture, Scene

pytestmark = [pytest.mark.system, pytest.mark.browser]


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
