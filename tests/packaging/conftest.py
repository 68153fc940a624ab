"""The built distribution: looked at as a user gets it, not as it lies in the source tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import pytest
from distributions import ROOT, build


@pytest.fixture(scope="session")
def dist(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The folder that holds a fresh wheel and a fresh sdist, built once for all workers."""
    return made_once("dist", partial(build, ROOT))


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
