"""The command line, as a process of its own where it listens."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from commands import environment_of_a_user, killed_after

from airflow_provider_smspartner.testing.__main__ import _parser, main

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start the command, or a program that runs it; what has not ended after a minute is killed, and its test fails."""
    processes: list[subprocess.Popen[str]] = []
    limits = ExitStack()

    def start(*options: str, program: str | None = None) -> Any:
        begin = ["-m", "airflow_provider_smspartner.testing"] if program is None else ["-c", program]
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *begin, *options],
            env=environment_of_a_user(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        limits.enter_context(killed_after(process, 60))
        processes.append(process)
        return process

    with limits:
        yield start
    for process in processes:
        process.kill()
        process.communicate()


def introduced(process: Any) -> tuple[str, str, Any]:
    listening, export, hint = (process.stdout.readline().rstrip("\n") for _ in range(3))
    assert hint == "Press Ctrl+C to stop"
    name, _, value = export.partition("=")
    (unquoted,) = shlex.split(value)
    return listening, name, json.loads(unquoted)


def logged(process: Any) -> list[str]:
    """Return what a process has logged that ended well, without the times."""
    output, log = process.communicate()
    assert (process.returncode, output) == (0, "")
    return [line.split(maxsplit=1)[1] for line in log.splitlines()]


def test_play(command: Callable[..., Any]) -> None:
    options = ["--port=0", "--page-size=10", "--campaign-size=25", "--settle-seconds=0"]
    process = command(*options, "--api-key", "it's", "--tag", "unknown-one", "two", "--conn-id", "sms_test")
    listening, name, connection = introduced(process)
    url = connection["host"]
    assert listening == f"SMS Partner double listening on {url}"
    assert name == "AIRFLOW_CONN_SMS_TEST"
    assert connection == {"conn_type": "smspartner", "host": url, "password": "it's", "extra": {}}

    query = {"apiKey": "it's", "tag": "unknown-one"}
    answer = requests.get(f"{url}/v1/bulk-status-by-tag", params=query, timeout=60).json()
    assert (answer["total"], len(answer["StatutResponse_List"])) == (25, 10)
    body = {"apiKey": "it's", "SMSStatut_List": [{"phoneNumber": "0699999993", "messageId": 424242}]}
    assert requests.post(f"{url}/v1/multi-status", json=body, timeout=60).json()["success"] is True
    requests.get(f"{url}/v1/me", params={"apiKey": "another"}, timeout=60)

    process.send_signal(signal.SIGINT)
    assert logged(process) == [
        "GET /v1/bulk-status-by-tag: HTTP 200, 10 rows",
        "POST /v1/multi-status: HTTP 200, 1 rows",
        "GET /v1/me: HTTP 200",
    ]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("--port 70000", 2, "usage: "),
        ("--page-size 0", 2, "usage: "),
        ("--tag a a", 2, "usage: "),
        ("--port {taken}", 1, "cannot listen on 127.0.0.1:{taken}"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], options: str, code: int, says: str
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["--port", "0", *options.format(taken=taken).split()])

    output, log = capfd.readouterr()
    assert (ended.value.code, output) == (code, "")
    assert says.format(taken=taken) in log
    assert "Traceback" not in log


def test_the_page_names_every_option() -> None:
    def shown(default: Any) -> str:
        return "" if default == [] else f"{default:g}" if isinstance(default, float) else str(default)

    named = re.findall(r"^\| `(--[\w-]+)` \|(?: `?([^`|]+?)`?)? \|", PAGE, re.MULTILINE)
    actions = [action for action in _parser()._actions if action.dest != "help"]

    assert dict(named) == {action.option_strings[-1]: shown(action.default) for action in actions}
