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
from threading import Event, Thread
from typing import Any

import pytest
from certificates import Certificate, issue
from environment import API_KEY
from loopback import accepting, connect, never_accepting

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

TAG = "spring"
MENDED_AFTER_SECONDS = 0.2
"""How much longer a fault lasts that a sensor has met: its trigger is to meet it as well."""


@dataclass(frozen=True)
class Stage:
    """
    Where a fault is played.

    :param monkeypatch: leads the default connection to the double.
    :param folder: for files.
    :param extra: the connection's extra.
    :param passes: whether the fault passes after a while, as for the sensor.
    :param times: for how many requests a fault is played that does not pass by itself; None for ever.
    :param is_met: set once a poll has met the fault.
    :param mends: what ends the fault that is played now, where it does not pass by itself.
    """

    monkeypatch: pytest.MonkeyPatch
    folder: Path
    extra: dict[str, object]
    passes: bool
    times: int | None = None
    is_met: Event = field(default_factory=Event)
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
            with self.mended(lambda: self._connect(double)):
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
        """Mend a fault a moment after it was met, if it passes."""
        is_over = Event()

        def wait() -> None:
            self.is_met.wait()
            if not is_over.wait(MENDED_AFTER_SECONDS):
                mend()

        if not self.passes:
            self.mends.append(mend)
            yield
            return
        mender = Thread(target=wait)
        mender.start()
        try:
            yield
        finally:
            is_over.set()
            self.is_met.set()
            mender.join()


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
