"""The README does what it says: its Python runs, and its links lead somewhere wherever it is shown."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from commands import environment_of_a_user, output_of, run_python

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
ADDRESS = re.compile(r"https?://[^\s)>\"'`\[]+")
# Whose pages they are: none of them is this project's.
OTHERS = (
    "https://www.smspartner.fr/",
    "https://api.smspartner.fr/v1",
    "https://my.smspartner.fr/",
    "https://www.docpartner.dev/",
    "https://airflow.apache.org/",
    "https://github.com/apache/airflow/",
    "https://semver.org/",
    "https://example.com/",  # nobody's: kept for examples
)


def test_every_python_block_runs(tmp_path: Path) -> None:
    """The first block is the DAG, the others are tests: all run as a user's would, on an Airflow of their own."""
    first, *others = BLOCKS
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "spring.py").write_text(first)
    for number, block in enumerate(others):
        (tmp_path / f"test_block_{number}.py").write_text(block)
    env = environment_of_a_user(
        tmp_path / "home",
        python_path=dags,
        env={"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
    )

    def run(*command: str) -> str:
        return output_of(run_python("-m", *command, env=env, cwd=tmp_path, seconds=240))

    run("airflow", "db", "migrate")
    assert f"{len(re.findall(r'^def test_', README, re.MULTILINE))} passed" in run(
        "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)
    )


def test_there_are_blocks_of_every_kind() -> None:
    assert "@dag" in BLOCKS[0]
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_no_link_needs_the_repository(name: str) -> None:
    # A package index shows the page by itself: there a relative link leads nowhere.
    text = (ROOT / name).read_text()
    anchors = {
        "#" + re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }

    links = re.findall(r"\]\(([^)]*)\)", text)

    assert [link for link in links if not link.startswith("https://") and link not in anchors] == []


@pytest.mark.parametrize("name", re.findall(r"`((?:docs/|example_dags/)?[\w-]+\.(?:md|py))`", README))
def test_every_file_it_names_is_there(name: str) -> None:
    if name != "spring.py":  # the user's own
        folders = (ROOT, ROOT / "example_dags", ROOT / "airflow_provider_smspartner")
        assert any((folder / name).exists() for folder in folders)


def test_only_one_table_names_a_home_of_this_project() -> None:
    before, _, after = README.partition("## Where this project lives")
    table, _, rest = after.partition("\n## ")
    texts = {"README.md": before + rest}
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("example_dags/*.py"),
        *ROOT.glob("airflow_provider_smspartner/**/*.py"),
    ]:
        texts.setdefault(str(path.relative_to(ROOT)), path.read_text())

    strangers = {
        (name, address)
        for name, text in texts.items()
        for address in ADDRESS.findall(text)
        if not address.startswith(OTHERS) and "127.0.0.1" not in address and "{" not in address
    }

    assert table
    assert strangers == set()


def test_the_vendors_site_is_not_called_ours() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]

    assert urls == {"SMS Partner API": "https://www.docpartner.dev/"}
