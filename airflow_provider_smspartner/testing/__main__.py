"""The command line: run the double in a terminal, to try DAGs without an account."""

from __future__ import annotations

import argparse
import logging
import shlex
import signal
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from airflow_provider_smspartner.testing.double import SMSPartnerDouble

# Nobody reads the recorded requests and SMS here, and the command may run for days.
FORGET_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the double until it is interrupted or terminated.

    :param arguments: the command line; by default the process's own.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # Not an Event: the code that a signal interrupts may hold its lock. `SimpleQueue.put` may interrupt `get`.
    signals = SimpleQueue[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: signals.put(received))
    try:
        double = SMSPartnerDouble(
            api_key=options.api_key,
            port=options.port,
            page_size=options.page_size,
            auto_campaigns=True,
            campaign_size=options.campaign_size,
            settle_seconds=options.settle_seconds,
        )
        for tag in options.tag:
            double.add_campaign(tag)
        with double:
            _introduce(double, options.conn_id)
            while not _signal_comes(signals, FORGET_SECONDS):
                double.clear_requests()
                double.clear_sent()
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.exit(1, f"{error.strerror}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_smspartner.testing",
        description="Run a double of the SMS Partner API on 127.0.0.1. Any tag is a campaign, unless it "
        'starts with "unknown".',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8765, help="port to listen on, 0 for any free one")
    parser.add_argument("--api-key", default="demo-key", help="the key that is accepted")
    parser.add_argument("--page-size", type=int, default=500, metavar="N", help="rows a page")
    parser.add_argument("--campaign-size", type=int, default=120, metavar="N", help="messages a campaign")
    parser.add_argument(
        "--settle-seconds",
        type=float,
        default=30.0,
        metavar="S",
        help="time a campaign takes from its first ask",
    )
    parser.add_argument(
        "--tag", nargs="+", action="extend", default=[], metavar="NAME", help="campaigns known from the start"
    )
    parser.add_argument("--conn-id", default="smspartner_default", metavar="ID", help="id of the connection")
    return parser


def _signal_comes(signals: SimpleQueue[int], seconds: float) -> bool:
    try:
        signals.get(timeout=seconds)
    except Empty:
        return False
    return True


def _introduce(double: SMSPartnerDouble, conn_id: str) -> None:
    print(f"SMS Partner double listening on {double.url}")
    for name, value in double.connection_env(conn_id).items():
        print(f"{name}={shlex.quote(value)}")
    print("Press Ctrl+C to stop", flush=True)


if __name__ == "__main__":
    main()
