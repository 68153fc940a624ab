"""The built distribution: looked at as a user gets it, not as it lies in the source tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds a fresh wheel and a fresh sdist."""
    folder = tmp_path_factory.mktemp("dist")
    # The build backend itself: needs no network and no environment of its own.
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """A fresh wheel."""
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a fresh wheel is unpacked in: on PYTHONPATH it is as good as installed."""
    folder = tmp_path_factory.mktemp("site-packages")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
