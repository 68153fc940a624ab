"""The command line: ask the real API, with the user's key, what its documents leave open."""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from airflow_provider_smspartner import __version__, _clock
from airflow_provider_smspartner._connection.fields import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner.check.probes import Subjects
    from airflow_provider_smspartner.models import MessageRef

STDIN = "-"

BAD_INPUT = 2
"""The exit code of a command line that can't be used, as argparse has it."""


class _CheckError(Exception):
    """Why nothing can be asked, without a value of the user's."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(
            BAD_INPUT, "error: this is not how the command is called; the arguments are not shown here\n"
        )


def _print(text: str, stream: TextIO) -> None:
    """Print to a reader who may have gone, as in ``… | head -1``."""
    try:
        print(text, end="", file=stream, flush=True)
    except BrokenPipeError:
        # What is left in the buffer would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Ask, and print what was assumed and what was seen.

    :param arguments: the command line; by default the process's own.
    :return: 0 if nothing differs from what is assumed, 1 if something does or could not be asked, 2 for bad input.
    """
    options = _read(arguments)
    exit_code, report, errors = BAD_INPUT, "", list[str]()
    try:
        # Airflow may log to stdout as it is imported, and while it looks a connection up.
        with redirect_stdout(sys.stderr):
            subjects = _subjects(options)
            exit_code = 1
            exit_code, report, errors = _check(options, subjects)
    except KeyboardInterrupt:
        errors = ["interrupted"]
    except (_CheckError, ValueError, OSError, ImportError) as error:
        errors = [str(error)]
    for each in errors:
        _print(f"error: {each}\n", sys.stderr)
    _print(report, sys.stdout)
    return exit_code


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m airflow_provider_smspartner.check",
        description="Ask the SMS Partner API, read-only and with at most 20 requests, what its documents leave open, "
        "and print what was assumed and what was seen. The output holds no key, tag, phone number or message id.",
        epilog="Ends with 0 if nothing differs, 1 if something does or could not be asked, 2 for bad input.",
        allow_abbrev=False,
    )
    option = parser.add_argument
    option(
        "--conn-id",
        default=DEFAULT_CONN_ID,
        metavar="ID",
        help="the Airflow connection (default: %(default)s)",
    )
    option("--tag", metavar="TAG", help="a tag of yours, best one of more than 500 messages")
    messages = (
        f"messages of yours: a file (.ndjson, .csv, .parquet), or {STDIN} for CSV from the standard input"
    )
    option("--messages", metavar="FILE", help=messages)
    option(
        "--skip-wrong-key",
        action="store_true",
        help="do not ask with a made-up key, as the last request does",
    )
    option("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _check(options: argparse.Namespace, subjects: Subjects) -> tuple[int, str, list[str]]:
    from airflow import __version__ as airflow_version

    from airflow_provider_smspartner.check.probes import Interview

    interview = Interview(_settings(options.conn_id), options.conn_id, subjects)
    findings = interview.findings()
    found = {
        "asked_at": _clock.now().isoformat(timespec="minutes"),
        "versions": f"{__version__} on Airflow {airflow_version}, Python {platform.python_version()}",
        "answers": len(interview.answers),
        "probes": [each._asdict() for each in findings],
    }
    errors = [] if interview.trouble is None else [str(interview.trouble)]
    exit_code = int(bool(errors) or any(each.differs for each in findings))
    return exit_code, json.dumps(found, indent=2) + "\n" if options.json else _as_text(found), errors


def _as_text(found: dict[str, Any]) -> str:
    blocks = [f"Asked at {found['asked_at']} with {found['versions']}; {found['answers']} answers.\n"]
    for each in found["probes"]:
        mark = ": DIFFERS" if each["differs"] else ""
        blocks.append(
            f"{each['probe']} ({each['source']}){mark}\n  assumed  {each['assumed']}\n  seen     {each['seen']}\n"
        )
    return "\n".join([*blocks, "D documented by the vendor, C seen in client code, I inferred, U unknown.\n"])


def _subjects(options: argparse.Namespace) -> Subjects:
    from airflow_provider_smspartner.check.probes import MAX_MESSAGES, Subjects
    from airflow_provider_smspartner.protocol import check_tag

    tag = None if options.tag is None else check_tag(options.tag)
    given = list(islice(_messages(options.messages), MAX_MESSAGES + 1))
    if len(given) > MAX_MESSAGES:
        raise _CheckError(f"there are more than {MAX_MESSAGES} messages: a few tell as much")
    return Subjects(tag, tuple(dict.fromkeys(given)), wrong_key=not options.skip_wrong_key)


def _messages(path: str | None) -> Iterable[MessageRef]:
    from airflow_provider_smspartner._files.text import Csv
    from airflow_provider_smspartner._messages.from_file import MessageFile
    from airflow_provider_smspartner._messages.reading import read_messages

    if path is None:
        return
    if path != STDIN:
        # Older Airflows look for a relative path in the root folder.
        yield from MessageFile.of(path if "://" in path else str(Path(path).absolute()))
        return
    try:
        yield from read_messages(Csv().rows(io.BytesIO(sys.stdin.buffer.read()), MessageFile.columns))
    except ValueError as error:
        raise _CheckError(f"the standard input: {error}") from None


def _settings(conn_id: str) -> Settings:
    from airflow.providers.common.compat.sdk import BaseHook

    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner.exceptions import SMSPartnerError

    try:
        return Settings.of(BaseHook.get_connection(conn_id))
    except SMSPartnerError as error:
        raise _CheckError(str(error)) from None
    except ValueError:
        raise
    # Of Airflow, a secrets backend, or where a field is decrypted: its text may quote what was read.
    except Exception as error:  # noqa: BLE001
        raise _CheckError(
            f"Airflow finds no connection {conn_id!r} that it can read ({type(error).__name__}). Create it in Airflow, "
            f"or set AIRFLOW_CONN_{conn_id.upper()} in the environment, which needs no database."
        ) from None


if __name__ == "__main__":
    sys.exit(main())
