"""The code blocks of README and docs, each with what it is and where it stands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

_MARK = re.compile(r"<!--\s*(?:dag:\s*(?=parse only:))?([\w -]+):\s*(.*?)\s*-->")
_DIRECTIVE = re.compile(r"^:{3,}\s*\{([\w-]+)\}", re.MULTILINE)
# Directives of MyST whose content is Markdown: code in them is found.
_HOLD_MARKDOWN = re.compile(
    "admonition|attention|caution|card|danger|dropdown|error|grid|grid-item|grid-item-card|hint|important|note"
    "|seealso|tab-item|tab-set|tip|warning"
)
_HOLD_NO_CODE = re.compile("contents|figure|image|include|toctree")
# tests/example_dags runs what stands there.
_INCLUDES_AN_EXAMPLE = re.compile(r"\{literalinclude\} (?:\.\./)+(example_dags/\w+\.py)")
_CODE_IN_RST = re.compile(
    r"^\s*\.\. (code|code-block|sourcecode|literalinclude|parsed-literal|doctest)::|>>>", re.MULTILINE
)


class Kind(StrEnum):
    """What a block is, and so how it is tested."""

    DAG = "dag"
    TEST = "test"
    SCRIPT = "script"
    CONSOLE = "console"
    JSON = "json"
    SQL = "sql"
    TEXT = "text"
    CONFIG = "config"


_KIND_OF_LANGUAGE = {
    "console": Kind.CONSOLE,
    "json": Kind.JSON,
    "sql": Kind.SQL,
    "text": Kind.TEXT,
    "ini": Kind.CONFIG,
    "toml": Kind.CONFIG,
    "yaml": Kind.CONFIG,
}
MARKS = {
    Kind.DAG: {"dag", "parse only", "needs"},
    Kind.TEST: {"needs"},
    Kind.SCRIPT: {"needs"},
    Kind.CONSOLE: {"exits"},
    Kind.CONFIG: {"needs"},
    Kind.JSON: {"json"},
    Kind.TEXT: {"log", "printed by"},
}
"""What a comment before a block may say of it."""


@dataclass(frozen=True)
class Block:
    """
    A code block: where its fence stands, and its language.

    :param marks: what comments before it say: ``<!-- name: value -->``.
    """

    page: str
    line: int
    language: str
    text: str
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Where it stands, as editors and compilers write it."""
        return f"{self.page}:{self.line}"

    @cached_property
    def kind(self) -> Kind | None:
        """What it is; None for a language that no test knows."""
        if self.language != "python":
            return _KIND_OF_LANGUAGE.get(self.language)
        if self.marks.keys() & {"dag", "parse only"} or re.search(
            r"^@dag\b|^\s*with DAG\(", self.text, re.MULTILINE
        ):
            return Kind.DAG
        if re.search(r"^(async )?def test_", self.text, re.MULTILINE):
            return Kind.TEST
        return Kind.SCRIPT

    @property
    def file_name(self) -> str:
        """The name of its file, for a DAG or a test."""
        if self.kind is Kind.DAG:
            return self.marks.get("dag", f"dag_line_{self.line}.py")
        return f"test_line_{self.line}.py"

    def skip_unless_possible(self) -> None:
        """Skip the test where a requirement is not met that the page names."""
        if "needs" in self.marks and not self.is_possible:
            pytest.skip(f"the page says that it needs {self.marks['needs']}")

    @property
    def is_possible(self) -> bool:
        """Whether the requirement is met that the page names, such as ``<!-- needs: airflow>=3.1 -->``."""
        if "needs" not in self.marks:
            return True
        wanted = Requirement(self.marks["needs"])
        try:
            found = version("apache-airflow" if wanted.name == "airflow" else wanted.name)
        except PackageNotFoundError:
            return False
        return wanted.specifier.contains(found, prereleases=True)


def pages() -> list[Path]:
    """Return all pages: those that the repository shows, and those of the site."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@lru_cache(maxsize=1)
def all_blocks() -> tuple[Block, ...]:
    """Return the blocks of all pages, in order."""
    return tuple(
        block
        for path in pages()
        for block in find_blocks(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    )


def of_page(page: str, kind: Kind) -> list[Block]:
    """Return the blocks of a kind that stand on a page, in order."""
    return [each for each in all_blocks() if each.page == page and each.kind is kind]


def each_of(kind: Kind) -> pytest.MarkDecorator:
    """Return a mark that runs a test for each block of a kind."""
    found = [pytest.param(block.page, block, id=block.id) for block in all_blocks() if block.kind is kind]
    return pytest.mark.parametrize(("page", "block"), found)


def pages_with(kind: Kind, *, each_merge: Collection[str] | None = None) -> pytest.MarkDecorator:
    """Return a mark that runs a test for each page with blocks of a kind; only those named on each merge."""
    found = dict.fromkeys(block.page for block in all_blocks() if block.kind is kind)
    params = [
        pytest.param(
            page,
            of_page(page, kind),
            id=page,
            marks=[] if each_merge is None or page in each_merge else pytest.mark.nightly,
        )
        for page in found
    ]
    return pytest.mark.parametrize(("page", "blocks"), params)


def find_blocks(page: str, text: str, first_line: int = 1) -> Iterator[Block]:
    """
    Yield the code blocks of Markdown, also those within directives of MyST.

    What could hide code is yielded in a language that no test knows: code that is only indented, and directives for
    code.
    """
    marks: dict[str, str] = {}
    for token in MarkdownIt("commonmark").parse(text):
        if token.map is None or token.nesting == -1:
            continue
        line = first_line + token.map[0]
        if token.type == "html_block":
            marks |= _MARK.findall(token.content)
            continue
        if token.type == "fence":
            yield from _of_fence(page, line, token, marks)
        elif token.type == "code_block":
            yield Block(page, line, "(indented)", token.content)
        elif token.type == "inline":
            for directive in _DIRECTIVE.finditer(token.content):
                if not (_HOLD_MARKDOWN.fullmatch(directive[1]) or _HOLD_NO_CODE.fullmatch(directive[1])):
                    yield Block(page, line, f"{{{directive[1]}}}", token.content)
        marks = {}


def _of_fence(page: str, line: int, token: Token, marks: Mapping[str, str]) -> Iterator[Block]:
    language = token.info.split()[0] if token.info.strip() else ""
    example = _INCLUDES_AN_EXAMPLE.fullmatch(token.info.strip())
    directive = language.strip("{}")
    if language != f"{{{directive}}}":
        yield Block(page, line, language, token.content, marks)
    elif _HOLD_MARKDOWN.fullmatch(directive):
        yield from find_blocks(page, token.content, line + 1)
    elif directive == "eval-rst":
        if _CODE_IN_RST.search(token.content):
            yield Block(page, line, language, token.content)
    elif not _HOLD_NO_CODE.fullmatch(directive) and not (example and (ROOT / example[1]).exists()):
        yield Block(page, line, language, token.content)
