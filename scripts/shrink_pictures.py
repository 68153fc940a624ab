"""Reduce the pictures of the docs to 256 colours each: nobody sees a difference, and they are half as large."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

COLOURS = 256


def main(folder: Path) -> None:
    """
    Reduce the pictures below a folder that are not yet reduced.

    :param folder: the folder.
    """
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as picture:
            if picture.mode != "P":
                reduced = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
                reduced.save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
