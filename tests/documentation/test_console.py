"""The commands on the pages: run by a shell in the order of their page, on an Airflow of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from documentation import commands_elsewhere
from documentation.blocks import Block, Kind, each_of
from documentation.console import EXPORTED_CONNECTION, Command, Results, commands_of, differs, run, run_page
from documentation.place import Place

from airflow_provider_smspartner._connection.settings import Settings, _warn_of_unknown


@pytest.fixture
def results(
    block: Block,
    tmp_path: Path,
    migrated_database: Path,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Results:
    """What came of the commands of the page; they are run once for all workers."""

    def run(path: Path) -> None:
        place = Place(tmp_path / "page", block.page)
        path.write_text(json.dumps(run_page(block, place, migrated_database)))

    made = made_once(f"{block.page.replace(os.sep, '-')}.json", run)
    results: Results = json.loads(made.read_text())
    return results


@each_of(Kind.CONSOLE)
def test_its_commands_run(
    block: Block, results: Results, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commands = commands_of(block)
    assert commands
    for command in commands:
        where = f"{block.page}:{command.line}"
        if commands_elsewhere.check(command.text):
            continue
        status, printed = results[str(command.line)]
        wanted = int(block.marks.get("exits", "0").split(",")[0]) if command is commands[-1] else 0
        assert status == wanted, f"{where} ended with {status}:\n{printed}"
        if exported := EXPORTED_CONNECTION.match(command.text):
            monkeypatch.setenv(exported[1], printed.strip())
            check_connection(exported[2].lower(), caplog)
        missing = differs(command.shown, printed)
        assert missing is None, f"{where} did not print\n{missing}\nbut\n{printed}"


def check_connection(conn_id: str, caplog: pytest.LogCaptureFixture) -> None:
    """Make sure that the provider takes all that a connection says."""
    _warn_of_unknown.cache_clear()
    connection = BaseHook.get_connection(conn_id)

    assert connection.conn_type == "smspartner"
    assert Settings.of(connection).api_key
    assert [each.getMessage() for each in caplog.records if each.name == Settings.__module__] == []


def test_one_shell_runs_the_commands_of_a_page(tmp_path: Path) -> None:
    texts = [
        "export A=1  # a comment",
        "echo $A; echo wrong >&2",
        "printf no-end",
        "false",
        "if then",
        "make nothing",
        "read -rs KEY",
        'test -n "$KEY"',
    ]

    results = run(
        [Command(number, text) for number, text in enumerate(texts)], env=dict(os.environ), cwd=tmp_path
    )

    assert {line: status for line, (status, _) in results.items()} == {
        "0": 0,
        "1": 0,
        "2": 0,
        "3": 1,
        "4": 2,
        "6": 0,
        "7": 0,
    }
    assert results["1"][1].split() == ["1", "wrong"]
    assert results["2"][1] == "no-end\n"
