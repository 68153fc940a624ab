"""The wheel and the sdist, built from the checkout or from a copy of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build(source: Path, out: Path, *, targets: str = "", env: Mapping[str, str] | None = None) -> Path:
    """
    Build with the build backend itself, which needs no network and no environment of its own, and return `out`.

    :param source: a checkout, or an unpacked sdist.
    :param out: the folder for what is built.
    :param targets: "wheel" or "sdist", by default both.
    :param env: further variables.
    """
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", out, *(["-t", targets] if targets else [])],
        cwd=source,
        check=True,
        capture_output=True,
        env={**os.environ, **(env or {})},
    )
    return out


def copy_of_the_checkout(folder: Path) -> Path:
    """
    Copy what a build reads, and nothing beside it, and return the copy.

    :param folder: where the copy is made.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in [*included, "/pyproject.toml", "/.gitignore"]:
        path, copied = ROOT / name.lstrip("/"), folder / name.lstrip("/")
        copied.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, copied, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(path, copied)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
