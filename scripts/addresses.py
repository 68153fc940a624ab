"""`make addresses`: the project's own addresses, from the one table in pyproject.toml to all that shows them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, Self

ROOT = Path(__file__).parent.parent
NO_HOME = "The project has no public home yet"

# What code shows as it is: fenced blocks and spans.
_CODE = r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)\s*?$|(?P<ticks>`+)(?!`)(?:(?!\n\n).)+?(?<!`)(?P=ticks)(?!`)"
_TARGET = r"\((?P<target>[^()\s]+)\)"
_PICTURE = re.compile(rf"{_CODE}|!\[(?P<text>[^\[\]]*)\]{_TARGET}", re.DOTALL | re.MULTILINE)
_LINK = re.compile(
    rf"{_CODE}|(?<!!)\[(?P<text>(?:!\[[^\[\]]*\]\([^()\s]+\)|[^\[\]])*)\]{_TARGET}", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Addresses:
    """The table `[tool.smspartner.addresses]`; what is not known yet is an empty text."""

    repository: str
    documentation: str
    security: str
    conduct: str
    owners: str

    @classmethod
    def read(cls, root: Path = ROOT) -> Self:
        """Return the table of a checkout or of an unpacked sdist."""
        project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        return cls(**project["tool"]["smspartner"]["addresses"])

    @property
    def empty(self) -> list[str]:
        """The names of those that are not known yet."""
        return [each.name for each in fields(self) if not getattr(self, each.name)]

    def urls(self) -> dict[str, str]:
        """
        Return what the distribution's metadata calls the project's URLs.

        Airflow shows the one named Documentation beside the provider.
        """
        urls = {
            "Documentation": self.documentation,
            "Changelog": self.page("docs/changelog.md"),
            "Repository": self.repository,
            "Issues": self.repository and f"{self.repository}/issues",
            "Security": self.security if self.security.startswith("https://") else "",
        }
        return {name: url for name, url in urls.items() if url}

    def page(self, path: str) -> str:
        """Return the address of a page of the documentation, which may name a heading, or an empty text."""
        page, mark, heading = path.partition("#")
        name = PurePosixPath(page).relative_to("docs").with_suffix(".html")
        return self.documentation and f"{self.documentation}{name}{mark}{heading}"

    def readme(self, text: str, version: str) -> str:
        """
        Return a README that is shown away from the repository: without any relative link or picture.

        A link whose address is not known becomes its text, such a picture is left out.

        :param text: the README; its links and pictures are written in Markdown, inline.
        :param version: whose tag in the repository has its files and pictures.
        """

        def picture(found: re.Match[str]) -> str:
            address = self._file(found["target"], "raw", version)
            return f"![{found['text']}]({address})" if address else ""

        def link(found: re.Match[str]) -> str:
            target = found["target"]
            if target.startswith("#"):
                return found[0]
            is_page = target.partition("#")[0].endswith(".md") and target.startswith("docs/")
            address = self.page(target) if is_page else self._file(target, "blob", version)
            return f"[{found['text']}]({address})" if address and found["text"] else found["text"]

        return _replaced(_LINK, link, _replaced(_PICTURE, picture, text))

    def _file(self, path: str, kind: str, version: str) -> str:
        if "://" in path:
            return path
        return self.repository and f"{self.repository}/{kind}/v{version}/{path}"


def _replaced(pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str) -> str:
    def unless_code(found: re.Match[str]) -> str:
        return replace(found) if found["target"] else found[0]

    return pattern.sub(unless_code, text)


def _security(addresses: Addresses) -> str:
    if not addresses.security:
        return f"{NO_HOME}, and so no address for reports. It will be entered here before the first release."
    return f"Report it privately to <{addresses.security}>."


def _conduct(addresses: Addresses) -> str:
    if not addresses.conduct:
        return f"{NO_HOME}, and so no address for reports. It will be entered here before the first release."
    return f"Write to <{addresses.conduct}>."


def _readme(addresses: Addresses) -> str:
    if not addresses.urls():
        return (
            f"{NO_HOME}. Its addresses will stand in one table, `[tool.smspartner.addresses]` in `pyproject.toml`,\n"
            "and nothing is released before."
        )
    rows = "\n".join(f"| {name} | <{url}> |" for name, url in addresses.urls().items())
    return f"| what | address |\n|---|---|\n{rows}"


def _citation(addresses: Addresses) -> str:
    lines = {"repository-code": addresses.repository, "url": addresses.documentation}
    written = "\n".join(f'{key}: "{value}"' for key, value in lines.items() if value)
    return written or f"# {NO_HOME}: neither `repository-code` nor `url` is known."


def _owners(addresses: Addresses) -> str:
    return (
        f"* {addresses.owners}" if addresses.owners else f"# {NO_HOME}, and so nobody has an account there."
    )


def _contacts(addresses: Addresses) -> str:
    links = [
        ("Documentation", addresses.documentation, "What to do when things go wrong, recipes, reference."),
        ("A vulnerability", addresses.urls().get("Security", ""), "Report it privately, never as an issue."),
    ]
    written = "\n".join(
        f'  - name: "{name}"\n    url: "{url}"\n    about: "{about}"' for name, url, about in links if url
    )
    return f"contact_links:\n{written}" if written else f"# {NO_HOME}: there is nothing to link to."


BLOCKS: dict[str, Callable[[Addresses], str]] = {
    ".github/CODEOWNERS": _owners,
    ".github/ISSUE_TEMPLATE/config.yml": _contacts,
    "CITATION.cff": _citation,
    "CODE_OF_CONDUCT.md": _conduct,
    "README.md": _readme,
    "SECURITY.md": _security,
}
"""What each file says between its two marks."""


def written(path: str, text: str, addresses: Addresses) -> str:
    """
    Return a file with its addresses as the table has them.

    :param path: which file, as BLOCKS names it.
    :param text: what it says now, with the two marks around its addresses.
    :param addresses: the table.
    """
    begin, end = ("<!-- {} -->", "<!-- {} -->") if path.endswith(".md") else ("# {}", "# {}")
    begin, end = begin.format("made by `make addresses`"), end.format("end of addresses")
    before, found, rest = text.partition(f"{begin}\n")
    _, closed, after = rest.partition(f"{end}\n")
    if not found or not closed:
        raise ValueError(f"{path} lacks one of its marks, {begin!r} and {end!r}.")
    # A paragraph of Markdown needs an empty line around it.
    space = "\n" if path.endswith(".md") else ""
    return f"{before}{begin}\n{space}{BLOCKS[path](addresses)}\n{space}{end}\n{after}"


def stale(root: Path = ROOT) -> dict[str, str]:
    """Return the files whose addresses are not those of the table, each with what it should say."""
    addresses = Addresses.read(root)
    texts = {path: (root / path).read_text(encoding="utf-8") for path in BLOCKS}
    wanted = {path: written(path, text, addresses) for path, text in texts.items()}
    return {path: text for path, text in wanted.items() if text != texts[path]}


def main() -> None:
    """Write the addresses into the files that show them."""
    for path, text in stale().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"written: {path}")
    empty = Addresses.read().empty
    print(f"not known yet: {', '.join(empty)}" if empty else "all addresses are known")


if __name__ == "__main__":
    main()
