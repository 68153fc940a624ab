"""The commands of a page, run by one shell in their order, and what each has printed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

from documentation import commands_elsewhere
from documentation.blocks import Block
from documentation.place import API_KEY, Place, vendor

from local_airflow import held_port

SECONDS = 600
_MARKER = "@@@"
_DOUBLES_PORT = "8765"
# It runs until it is stopped: the next command may need it.
_DOUBLE = re.compile(r"python -m airflow_provider_smspartner\.testing\b(?!.* (-h|--help)\b)")
EXPORTED_CONNECTION = re.compile(r"export (AIRFLOW_CONN_(\w+))=")
"""Such a command prints the connection, for the test to read it as Airflow does."""
_DOUBLE_IS_READY = "Press Ctrl+C"


Results = dict[int, tuple[int, str]]
"""How each command ended, and what it printed, by its line on the page."""


@dataclass
class Command:
    """A command, its line on the page, and the lines that the page shows below it."""

    line: int
    text: str
    shown: list[str] = field(default_factory=list)


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a block. A line that ends with a backslash goes on in the next."""
    commands: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            commands.append(Command(number, line.removeprefix("$ ")))
        elif not commands:
            raise ValueError(f"{block.page}:{number}: a block of commands begins with `$ `")
        elif commands[-1].text.endswith("\\") and not commands[-1].shown:
            commands[-1].text += "\n" + line.removeprefix("> ")
        else:
            commands[-1].shown.append(line)
    return commands


def run_page(place: Place, commands: list[Command], database: Path) -> Results:
    """Run all commands of a page that can run, on a metadata database to begin with."""
    place.furnish()
    with vendor() as double:
        env = place.environment_of_processes(double, database)
        path = {"PATH": f"{_wrappers(place, double.url)}:{env['PATH']}"}
        return run(commands, env=env | path | {"PYTHONWARNINGS": "ignore"}, cwd=place.data)


def run(commands: list[Command], *, env: Mapping[str, str], cwd: Path) -> Results:
    """Run commands in one shell, but for those that cannot run here; each ends before the next begins."""
    with held_port() as bound:
        port = str(bound.getsockname()[1])
        script = "".join(_script(each, port) for each in commands if not commands_elsewhere.find(each.text))
        output = _output_of(script, env=env, cwd=cwd)
    ended = re.findall(rf"^{_MARKER} (\d+)\n(.*?)^{_MARKER} ended (\d+)$", output, re.MULTILINE | re.DOTALL)
    return {int(line): (int(status), printed) for line, printed, status in ended}


def _output_of(script: str, *, env: Mapping[str, str], cwd: Path) -> str:
    shell = subprocess.Popen(
        [str(which("bash")), "-c", f"exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{script}"],
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(f"{API_KEY}\n" * 3, timeout=SECONDS)  # some read a key
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    return output


def _script(command: Command, port: str) -> str:
    text = command.text.replace(_DOUBLES_PORT, port)
    if exported := EXPORTED_CONNECTION.match(text):
        text += f'\nprintf %s "${exported[1]}"'
    if _DOUBLE.match(text):
        # Its output is awaited, and the shell goes on.
        text = text if "--port" in text else _DOUBLE.sub(rf"\g<0> --port {port}", text)
        is_ready = f"grep -q {shlex.quote(_DOUBLE_IS_READY)} double.log"
        text = (
            f"{text.partition('  #')[0]} > double.log 2>&1 &\n"
            f"for _ in $(seq 300); do {is_ready} && break; sleep 0.1; done\n"
            f"cat double.log; {is_ready}"
        )
    # What was printed last may have no line end.
    return (
        f"echo; echo '{_MARKER} {command.line}'\n"
        f"eval {shlex.quote(text)}\n"
        f'status=$?; echo; echo "{_MARKER} ended $status"\n'
    )


def _wrappers(place: Place, url: str) -> Path:
    """
    Make the commands `airflow` and `python` that a page calls: those of the tests' environment.

    A connection that the page exports without a host leads to the double, and not to the vendor.
    """
    folder = place.folder / "bin"
    folder.mkdir()
    for name, words in {"airflow": ["-m", "airflow"], "python": []}.items():
        (folder / name).write_text(
            f"#!{sys.executable} -IS\n"
            "import json, os, sys\n"
            "for name, value in os.environ.items():\n"
            "    if name.startswith('AIRFLOW_CONN_') and value.startswith('{'):\n"
            "        fields = json.loads(value)\n"
            "        if fields.get('conn_type') == 'smspartner' and not fields.get('host'):\n"
            f"            fields |= {{'host': {url!r}, 'password': {API_KEY!r}}}\n"
            "            os.environ[name] = json.dumps(fields)\n"
            f"os.execv({sys.executable!r}, [{sys.executable!r}, *{words!r}, *sys.argv[1:]])\n"
        )
        (folder / name).chmod(0o755)
    return folder


def differs(shown: list[str], printed: str) -> str | None:
    """
    Return the first line of what a page shows that was not printed, after the lines before it; None if all were.

    Numbers, and how wide a table or a space is, may differ. A line of dots stands for any lines.
    """
    lines = iter([_loose(line) for line in printed.splitlines()])
    for line in shown:
        if line.strip() in ("", "…", "..."):
            continue
        wanted = [part for part in re.split(r"…|\.\.\.", _loose(line)) if part.strip()]
        if not any(all(part in each for part in wanted) for each in lines):
            return line
    return None


def _loose(line: str) -> str:
    line = re.sub(r"\d+([.,:]\d+)*", "N", line)
    return re.sub(r"[-=+]{3,}", "-", re.sub(r"\s+", " ", line)).strip()
