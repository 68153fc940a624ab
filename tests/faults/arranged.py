"""Faults that take more than the double's `Fault`: a server that is not there, and certificates that do not do."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificate, issue
from environment import API_KEY
from loopback import accepting, connect, never_accepting

from airflow_provider_smspartner._waiting.report import PollReport
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "spring"


@dataclass(frozen=True)
class Stage:
    """
    Where a fault is played.

    :param monkeypatch: leads the default connection to the double.
    :param folder: for files.
    :param extra: the connection's extra.
    :param passes: whether the fault passes by itself, as for the sensor.
    :param times: for how many requests a fault is played that does not pass by itself; None for ever.
    :param mends: what ends the fault that is played now, where it does not pass by itself.
    """

    monkeypatch: pytest.MonkeyPatch
    folder: Path
    extra: dict[str, object]
    passes: bool
    times: int | None = None
    mends: list[Callable[[], object]] = field(default_factory=list)

    @contextmanager
    def double(self, ssl_context: ssl.SSLContext | None = None) -> Iterator[SMSPartnerDouble]:
        """Run a double with a campaign of three messages on two pages, which have all been delivered."""
        with SMSPartnerDouble(api_key=API_KEY, page_size=2, ssl_context=ssl_context) as double:
            double.add_campaign(TAG, size=3, settle_seconds=0, outcomes={"Delivered": 1.0})
            self._connect(double)
            yield double

    def _connect(self, double: SMSPartnerDouble) -> None:
        connect(self.monkeypatch, double, **{"max_attempts": 2, **self.extra})

    @contextmanager
    def elsewhere(self, url: str) -> Iterator[SMSPartnerDouble]:
        """Run a double, and lead the connection to another address."""
        with self.double() as double:
            name = "AIRFLOW_CONN_SMSPARTNER_DEFAULT"
            self.monkeypatch.setenv(name, os.environ[name].replace(double.url, url))
            self.mends.append(lambda: self._connect(double))
            yield double

    @contextmanager
    def faulty(self, fault: Fault) -> Iterator[SMSPartnerDouble]:
        """Run a double that plays a fault: for ever, or at the first requests."""
        with self.double() as double:
            double.misbehave(fault, times=3 if self.passes else self.times)
            self.mends.append(double.clear_faults)
            yield double

    @contextmanager
    def mended(self, mend: Callable[[], object]) -> Iterator[None]:
        """Mend a fault that passes once two polls have failed: that of a sensor, and the first one of its trigger."""
        if not self.passes:
            self.mends.append(mend)
            yield
            return
        conclude = Wait.conclude
        failed: list[PollReport] = []

        def watched(wait: Wait, tally: Tally) -> PollReport:
            report = conclude(wait, tally)
            if report.is_failed:
                failed.append(report)
                if len(failed) == 2:
                    mend()
            return report

        with self.monkeypatch.context() as patch:
            patch.setattr(Wait, "conclude", watched)
            yield


@contextmanager
def nobody_listens(stage: Stage) -> Iterator[SMSPartnerDouble]:
    """Refuse connections."""
    with stage.double() as double, ExitStack() as down:
        down.enter_context(double.down())
        with stage.mended(down.close):
            yield double


def expired(stage: Stage) -> AbstractContextManager[SMSPartnerDouble]:
    """Serve https with a certificate that has expired."""
    return _served(stage, _issued(stage, "bad", ends=timedelta(days=-1)), trusted=True)


def wrong_host(stage: Stage) -> AbstractContextManager[SMSPartnerDouble]:
    """Serve https with a certificate for another host."""
    return _served(stage, _issued(stage, "bad", host="192.0.2.1"), trusted=True)


def unknown_authority(stage: Stage) -> AbstractContextManager[SMSPartnerDouble]:
    """Serve https with a certificate that nobody vouches for."""
    return _served(stage, _issued(stage, "bad"), trusted=False)


@contextmanager
def _served(stage: Stage, bad: Certificate, *, trusted: bool) -> Iterator[SMSPartnerDouble]:
    good = _issued(stage, "good")
    authorities = [good, bad] if trusted else [good]
    bundle = stage.folder / "authorities.pem"
    bundle.write_bytes(b"".join(each.authority.read_bytes() for each in authorities))
    stage.monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    renewed = good.authority.with_name("server.pem")
    with stage.double(bad.server) as double, stage.mended(lambda: bad.server.load_cert_chain(renewed)):
        yield double


def _issued(stage: Stage, name: str, **options: Any) -> Certificate:
    pytest.importorskip("cryptography", reason="makes the certificates")
    folder = stage.folder / name
    folder.mkdir()
    return issue(folder, **options)


def no_handshake(
    answer: Callable[[socket.socket], None],
) -> Callable[[Stage], AbstractContextManager[SMSPartnerDouble]]:
    """Let something else answer where a TLS handshake begins."""

    @contextmanager
    def arrange(stage: Stage) -> Iterator[SMSPartnerDouble]:
        with accepting(answer) as port, stage.elsewhere(f"https://127.0.0.1:{port}") as double:
            yield double

    return arrange


@contextmanager
def connecting_hangs(stage: Stage) -> Iterator[SMSPartnerDouble]:
    """Let no connection be made."""
    with never_accepting() as port, stage.elsewhere(f"http://127.0.0.1:{port}") as double:
        yield double
