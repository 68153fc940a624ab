"""The matrix, and what else runs in an environment of its own: `make cells`, `make matrix`, `make constraints`."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from shutil import which
from typing import Any

import nox
from packaging.requirements import Requirement

ROOT = Path(__file__).parent
CONSTRAINTS = ROOT / "constraints"
VERSIONS: dict[str, Any] = tomllib.loads((CONSTRAINTS / "versions.toml").read_text())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
# What each cell says of itself; scripts/compatibility.py makes the table of it.
REPORTS = ROOT / "build" / "matrix"
NEWEST = "3.3"
OLDEST = "2.11"
EXTRAS = ["testing", "parquet", "sql"]
# What an Airflow can change: the tests that run in each cell. `make test` has all the others, on the newest.
FOLDERS = [
    "connection",
    "example_dags",
    "hooks",
    "lineage",
    "links",
    "log_pages",
    "metrics",
    "notifications",
    "operators",
    "sensors",
    "tasks",
    "transfers",
    "triggers",
]

wheel_is_built: list[bool] = []

nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False  # such a cell is skipped, and named


def use_pyenv() -> None:
    """Let every Python of pyenv answer to its name: it has a command for each, and runs only those in use."""
    pyenv = which("pyenv")
    if pyenv and "PYENV_VERSION" not in os.environ:

        def ask(*words: str) -> str:
            return subprocess.run([pyenv, *words], capture_output=True, text=True, check=True).stdout

        first = ask("version-name").strip().split(":")
        others = [version for version in ask("versions", "--bare").split() if version not in first]
        os.environ["PYENV_VERSION"] = ":".join(first + others)


use_pyenv()


def cells() -> Iterator[Any]:
    """Yield every cell of the matrix; those that a merge runs today have the tag `today`."""
    versions = VERSIONS["airflow"]
    between = [series for series in versions if OLDEST < series < NEWEST]
    of_today = [between[date.today().toordinal() % len(between)], max(versions)]  # noqa: DTZ011 - any day will do
    for row, (series, airflow) in enumerate(versions.items()):
        pythons = airflow["pythons"]
        for python in pythons:
            # Not the same Python for all, so that each is seen.
            is_today = series in of_today and python == pythons[row % len(pythons)]
            tags = ["today"] if is_today else []
            yield nox.param(python, series, id=f"airflow-{series}-python-{python}", tags=tags)
    for python in VERSIONS["lowest"]["pythons"]:
        yield nox.param(python, "lowest", id=f"lowest-python-{python}", tags=["today"])


@nox.session
@nox.parametrize("python,series", list(cells()))
def matrix(session: nox.Session, series: str) -> None:
    """Test the built wheel on one Airflow and one Python."""
    install(session, series, wheel(session), "test")
    report = REPORTS / f"{series}-{session.python}.xml"
    report.unlink(missing_ok=True)
    # Airflow's processes, and what the tests start, find the wheel and not the checkout.
    session.env["PYTHONSAFEPATH"] = "1"
    session.run(
        *("pytest", *(f"tests/{folder}" for folder in FOLDERS), "-m", "not nightly and not system"),
        *("--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal", "--max-worker-restart=0"),
        *(f"--junit-xml={report}", *session.posargs),
    )


@nox.session(python=VERSIONS["airflow"][OLDEST]["pythons"][0])
def pictures(session: nox.Session) -> None:
    """Compare the UI of the oldest Airflow with its pictures in the docs; `make test` looks at the newest."""
    install(session, OLDEST, wheel(session), "pictures")
    session.env["PYTHONSAFEPATH"] = "1"
    session.run("pytest", "-m", "", "tests/pictures/test_pictures.py", "-k", "true", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("name", list(VERSIONS["airflow_faults"]), ids=list(VERSIONS["airflow_faults"]))
def airflow_faults(session: nox.Session, name: str) -> None:
    """Show a fault of an Airflow without this package: a probe that fails with some version, and not with another."""
    fault = VERSIONS["airflow_faults"][name]
    probes = ROOT / "tests" / "airflow_faults"
    home = Path(session.create_tmp()).absolute() / "home"
    env = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(probes),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    for wanted, codes in ((fault["breaks"], [1]), (fault["mends"], [0])):
        session.install("--quiet", fault["airflow"], *wanted)
        said = session.run(
            "python", str(probes / f"{fault['probe']}.py"), env=env, success_codes=codes, silent=True
        )
        if (fault["shows"] in str(said)) != (codes == [1]):
            session.error(f"Not shown with {' '.join(wanted)}: {fault['what']}. The probe said:\n{said}")
        session.log(f"With {' '.join(wanted)} it {'fails, as known' if codes == [1] else 'is fine'}.")


@nox.session(venv_backend="none")
def constraints(session: nox.Session) -> None:
    """Pin the newest versions that fit, for every Airflow of the matrix."""
    wanted = ROOT / "build" / "requires.txt"
    wanted.parent.mkdir(exist_ok=True)
    for series in [*VERSIONS["airflow"], "lowest"]:
        wanted.write_text("\n".join(required(series)))
        groups = VERSIONS["airflow"].get(series, {}).get("groups", ["test"])
        session.run(
            *("uv", "pip", "compile", "pyproject.toml", str(wanted)),
            *(*listed("--extra", EXTRAS), *listed("--group", groups)),
            # The lowest versions are pinned for the Python that they are tested on: others need newer ones.
            *([] if series == "lowest" else ["--universal"]),
            *("--python-version", "3.11", "--no-annotate", "--no-header", "--upgrade", "--quiet"),
            *("--output-file", str(pins(series))),
        )


def install(session: nox.Session, series: str, package: Path, group: str) -> None:
    """Install an Airflow, the wheel and a group of what its tests need, as pinned."""
    session.install(
        *("--quiet", "--constraint", str(pins(series)), *required(series)),
        *(
            "--group",
            group,
            f"{package}[{','.join(EXTRAS)}]",
            "--reinstall-package",
            PROJECT["project"]["name"],
        ),
    )


def wheel(session: nox.Session) -> Path:
    """Build the wheel, once for all sessions of a run, and return its path."""
    out = ROOT / "build" / "wheel"
    if not wheel_is_built:
        session.run_install(
            *("uv", "build", "--quiet", "--wheel", "--clear", "--build-constraints", str(pins(NEWEST))),
            *("--out-dir", str(out)),
        )
        wheel_is_built.append(True)
    (built,) = out.glob("*.whl")
    return built.resolve()


def required(series: str) -> list[str]:
    """Return what a row of the matrix requires beside the provider's own requirements."""
    if series != "lowest":
        return list(VERSIONS["airflow"][series]["requires"])
    dependencies = [
        *PROJECT["project"]["dependencies"],
        *(
            each
            for extra in ("parquet", "sql")
            for each in PROJECT["project"]["optional-dependencies"][extra]
        ),
    ]
    floors = [Requirement(each) for each in dependencies if not each.startswith("apache-airflow>")]
    return required(VERSIONS["lowest"]["airflow"]) + [
        f"{each.name}=={next(iter(each.specifier)).version}" for each in floors
    ]


def pins(series: str) -> Path:
    """Return the constraints of a row of the matrix."""
    return CONSTRAINTS / ("lowest.txt" if series == "lowest" else f"airflow-{series}.txt")


def listed(option: str, values: list[str]) -> list[str]:
    """Return an option that is given once for each value."""
    return [part for value in values for part in (option, value)]
