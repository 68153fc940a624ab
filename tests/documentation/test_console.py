"""The commands on the pages: run by a shell in the order of their page, on an Airflow of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import BaseHook
from documentation import commands_elsewhere
from documentation.blocks import Block, Kind, pages_with
from documentation.console import EXPORTED_CONNECTION, Command, commands_of, differs, run, run_page
from documentation.place import Place

from airflow_provider_smspartner._connection.settings import Settings, _warn_of_unknown

# Each command of Airflow takes seconds to start.
EACH_MERGE = {"README.md"}


@pages_with(Kind.CONSOLE, each_merge=EACH_MERGE)
def test_the_commands_of_a_page_run(  # noqa: PLR0917 - fixtures
    page: str,
    blocks: list[Block],
    tmp_path: Path,
    migrated_database: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    commands = [command for block in blocks for command in commands_of(block)]
    # Where a block says so, its last command fails.
    fail = {commands_of(block)[-1].line: int(block.marks.get("exits", "0").split(",")[0]) for block in blocks}

    results = run_page(Place(tmp_path / "page", page), commands, migrated_database)

    for command in commands:
        where = f"{page}:{command.line}"
        if commands_elsewhere.check(command.text):
            continue
        status, printed = results[command.line]
        assert status == fail.get(command.line, 0), f"{where} ended with {status}:\n{printed}"
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
        "echo $A; echo wrong >&2; printf no-end",
        "false",
        "if then",
        "make nothing",
        "read -rs KEY",
        'test -n "$KEY"',
    ]
    commands = [Command(number, text) for number, text in enumerate(texts)]

    results = run(commands, env=dict(os.environ), cwd=tmp_path)

    assert {line: status for line, (status, _) in results.items()} == {0: 0, 1: 0, 2: 1, 3: 2, 5: 0, 6: 0}
    assert results[1][1].split() == ["1", "wrong", "no-end"]
