"""The other text on the pages: output, drawings and files. No code or command hides in it."""

from __future__ import annotations

import re

from documentation.blocks import Block, Kind, each_of

CODE = re.compile(
    r"^\s*(\$ |>>> |@dag\b|@task\b|def \w+\(|from \w[\w.]* import |import \w+$|SELECT .* FROM )", re.MULTILINE
)


@each_of(Kind.TEXT)
def test_it_is_no_code(block: Block) -> None:
    found = CODE.search(block.text)

    assert found is None, f"{block.id}: {found and found[0]!r} belongs into a block that is run"
