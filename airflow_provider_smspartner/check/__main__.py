"""The command line: ask the real API, with the user's key, what its documents leave open."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._connection.fields import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner.check.probes import Subjects
    from airflow_provider_smspartner.check.report import Report
    from airflow_provider_smspartner.models import MessageRef

STDIN = "-"
MAX_STDIN_BYTES = 1024 * 1024


class _BadInputError(Exception):
    """What the user gave can't be used, or nothing could be asked with it; the text says why."""


class _Parser(argparse.ArgumentParser):
    """Shows no value of the command line in an error: it may be a phone number."""

    def error(self, message: str) -> NoReturn:
        fault = message if _WITHOUT_VALUES.fullmatch(message) else "this is not how the command is called"
        self.print_usage(sys.stderr)
        self.exit(2, f"error: {fault}\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        _print(message, file or sys.stderr)


_WITHOUT_VALUES = re.compile(r"argument [-a-z]+: expected (one|at least one) argument|[0-9]+ .*not known.*")


def _print(text: str, stream: TextIO) -> None:
    """Print to a reader who may have gone, as in ``… | head -1``."""
    try:
        print(text, end="", file=stream, flush=True)
    except BrokenPipeError:
        # What is left in the buffer would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Ask, and print what was found.

    :param arguments: the command line; by default the process's own.
    :return: 0 if every assumption that could be seen holds, 1 if one does not, 2 for bad input or if the API could
        not be asked.
    """
    options = _read(arguments)
    try:
        # Airflow may log to stdout as it is imported, and while it looks a connection up.
        with redirect_stdout(sys.stderr):
            report = _report(options)
    except _BadInputError as error:
        _print(f"error: {error}\n", sys.stderr)
        return 2
    except KeyboardInterrupt:
        _print("error: interrupted\n", sys.stderr)
        return 2
    _print(f"{report.as_json() if options.json else report.as_text()}\n", sys.stdout)
    return report.exit_code


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m airflow_provider_smspartner.check",
        description="Ask the SMS Partner API, read-only and with at most 20 requests, what its documents leave "
        "open, and print what was assumed and what was seen. The output holds no key, tag, phone number or message id.",
        epilog="Ends with 0 if every assumption that could be seen holds, 1 if one does not, and 2 if the input is "
        "bad or the API could not be asked.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--conn-id",
        default=DEFAULT_CONN_ID,
        metavar="ID",
        help="the Airflow connection with the key (default: %(default)s)",
    )
    parser.add_argument("--tag", metavar="TAG", help="a tag of yours, best one of more than 500 messages")
    parser.add_argument(
        "--messages",
        metavar="FILE",
        help="messages of yours, best some that are Waiting and some that are not: a file as the operators take it "
        f"(.ndjson, .csv, .parquet), or {STDIN} for CSV from the standard input. Your shell does not remember these",
    )
    parser.add_argument(
        "--message",
        action="append",
        default=[],
        metavar="PHONE:ID",
        help="a message of yours; may be given several times. Your shell may remember the phone number: "
        "prefer --messages",
    )
    parser.add_argument(
        "--skip-wrong-key",
        action="store_true",
        help="do not ask with a wrong key. Otherwise a single request, the last one, is sent with a made-up key",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options, others = parser.parse_known_args(arguments)
    if others:
        parser.error(f"{len(others)} of the arguments are not known; they are not shown here")
    return options


def _report(options: argparse.Namespace) -> Report:
    from airflow_provider_smspartner.check.assumptions import judge
    from airflow_provider_smspartner.check.probes import gather
    from airflow_provider_smspartner.check.report import Report
    from airflow_provider_smspartner.exceptions import SMSPartnerError

    try:
        subjects = _subjects(options)
        settings = _settings(options.conn_id)
        evidence = gather(settings, options.conn_id, subjects)
    except (SMSPartnerError, ValueError, OSError, ImportError) as error:
        raise _BadInputError(str(error)) from None
    for trouble in evidence.troubles:
        _print(f"error: {trouble}\n", sys.stderr)
    return Report.of(evidence, judge(evidence), settings, checked_at=_clock.now())


def _subjects(options: argparse.Namespace) -> Subjects:
    from airflow_provider_smspartner.check.probes import MAX_MESSAGES, Subjects
    from airflow_provider_smspartner.protocol import check_tag

    tag = None if options.tag is None else check_tag(options.tag)
    given = list(islice(_messages(options), MAX_MESSAGES + 1))
    if len(given) > MAX_MESSAGES:
        raise _BadInputError(f"there are more than {MAX_MESSAGES} messages: a few tell as much")
    messages = tuple(dict.fromkeys(given))
    return Subjects(tag=tag, messages=messages, wrong_key=not options.skip_wrong_key)


def _messages(options: argparse.Namespace) -> Iterable[MessageRef]:
    from airflow_provider_smspartner._messages.from_file import MessageFile
    from airflow_provider_smspartner.models import MessageRef

    for position, text in enumerate(options.message, start=1):
        phone_number, separator, message_id = text.partition(":")
        if not separator:
            raise _BadInputError(f"--message {position}: it must be PHONE:ID")
        try:
            yield MessageRef(phone_number, message_id)
        except ValueError as error:
            raise _BadInputError(f"--message {position}: {error}") from None
    if options.messages == STDIN:
        yield from _from_stdin()
    elif options.messages is not None:
        yield from MessageFile.of(_from_here(options.messages))


def _from_here(path: str) -> str:
    # Older Airflows look for a relative path in the root folder.
    return path if "://" in path else str(Path(path).absolute())


def _from_stdin() -> Iterable[MessageRef]:
    from airflow_provider_smspartner._files.text import Csv
    from airflow_provider_smspartner._messages.from_file import MessageFile
    from airflow_provider_smspartner._messages.reading import read_messages

    content = sys.stdin.buffer.read(MAX_STDIN_BYTES + 1)
    if len(content) > MAX_STDIN_BYTES:
        raise _BadInputError(f"the standard input has more than {MAX_STDIN_BYTES} bytes")
    try:
        yield from read_messages(Csv().rows(io.BytesIO(content), MessageFile.columns))
    except ValueError as error:
        raise _BadInputError(f"the standard input: {error}") from None


def _settings(conn_id: str) -> Settings:
    from airflow.providers.common.compat.sdk import AirflowException, BaseHook

    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner.exceptions import SMSPartnerError

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowException:
        # Airflow says the same of one that is not there and of one that it can't read, and logs why it can't.
        raise _BadInputError(
            f"Airflow finds no connection {conn_id!r} that it can read. Create it in Airflow, or set "
            f"AIRFLOW_CONN_{conn_id.upper()} in the environment, which needs no database."
        ) from None
    except Exception as error:  # noqa: BLE001 - of a secrets backend
        raise _unreadable(conn_id, error) from None
    try:
        return Settings.of(connection)
    except (SMSPartnerError, ValueError):
        raise
    except Exception as error:  # noqa: BLE001 - Airflow 2 decrypts a field when it is read
        raise _unreadable(conn_id, error) from None


def _unreadable(conn_id: str, error: Exception) -> _BadInputError:
    # Not its text, which may quote what was read.
    return _BadInputError(f"the connection {conn_id!r} cannot be read ({type(error).__name__})")


if __name__ == "__main__":
    sys.exit(main())
