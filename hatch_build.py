"""What hatchling runs while it builds: the URLs and the README of the distribution, with the project's addresses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# hatchling loads this file by its path, and puts no folder on the path of modules.
sys.path.insert(0, str(Path(__file__).parent / "scripts"))

from addresses import Addresses  # needs the line above

VENDOR = {"SMS Partner API": "https://www.docpartner.dev/"}


class AddressesHook(MetadataHookInterface):
    """Sets the fields that depend on the table of addresses."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `urls` and `readme`, which pyproject.toml calls dynamic."""
        root = Path(self.root)
        addresses = Addresses.read(root)
        readme = (root / "README.md").read_text(encoding="utf-8")
        metadata["urls"] = {**addresses.urls(), **VENDOR}
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": addresses.readme(readme, metadata["version"]),
        }
