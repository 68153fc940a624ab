"""What the HTTP libraries log about our exchanges: method, path and a type, and about others what they like."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from loopback import Start, get

from airflow_provider_smspartner._http import logs
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

SECRET = "https://host/path?apiKey=secret"
NAMES = ["urllib3.connectionpool", "requests.sessions", "aiohttp.client", "asyncio", "charset_normalizer"]


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    kept = Kept()
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(each.level, each.propagate) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
        each.addHandler(kept)
        # A record that can't be written would be complained about by other handlers.
        each.propagate = False
    yield kept.records
    for each, (level, propagate) in zip(loggers, before, strict=True):
        each.removeHandler(kept)
        each.setLevel(level)
        each.propagate = propagate


def log_in_every_way(name: str) -> None:
    log = logging.getLogger(name)
    log.warning("to %s", SECRET)
    log.warning(SECRET, stack_info=True)
    log.warning("%(url)s", {"url": SECRET})
    log.warning("an extra", extra={"url": SECRET})
    log.warning("wrongly %d", SECRET)
    try:
        int(SECRET)
    except ValueError:
        log.exception("failed")


@pytest.mark.parametrize("name", NAMES)
def test_only_method_path_and_type_are_let_through(name: str, records: list[logging.LogRecord]) -> None:
    with logs.named("GET", "/bulk-status-by-tag"):
        log_in_every_way(name)

    assert not any("secret" in repr(vars(record)) for record in records)
    withheld = "in log_in_every_way (details are withheld)"
    assert [(record.levelname, record.getMessage()) for record in records] == [
        *[("WARNING", f"GET /bulk-status-by-tag: note {withheld}")] * 5,
        ("ERROR", f"GET /bulk-status-by-tag: ValueError {withheld}"),
    ]


def test_a_task_and_its_callbacks_are_ours_and_other_traffic_is_not(records: list[logging.LogRecord]) -> None:
    async def call() -> None:
        with logs.named("GET", "/me"):
            asyncio.get_running_loop().call_soon(log_in_every_way, "asyncio")
            await asyncio.create_task(asyncio.to_thread(log_in_every_way, "aiohttp.client"))

    async def other() -> None:
        await asyncio.sleep(0)
        logging.getLogger("asyncio").warning("elsewhere to %s", "/other?a=b")

    async def both() -> None:
        await asyncio.gather(call(), other())

    asyncio.run(both())
    ours = [record for record in records if record.funcName == "log_in_every_way"]
    assert len(ours) == 12
    assert not any("secret" in repr(vars(record)) for record in ours)
    assert "elsewhere to /other?a=b" in [record.getMessage() for record in records]


def test_an_event_loop_says_nothing_of_our_tasks(records: list[logging.LogRecord]) -> None:
    with logs.named("GET", "/me"):
        pass
    log = logging.getLogger("asyncio")
    log.warning("Executing %s took 1 s", f"<Task coro=<{SMSPartnerHook.__module__}> result='+33639980000'>")
    log.warning("Unclosed response %s", SECRET)
    log.warning("Executing <Task coro=<other()>> took 1 s")

    executing, unclosed, other = [record.getMessage() for record in records]
    assert executing == unclosed.replace("Unclosed", "Executing")
    assert "withheld" in executing
    assert other == "Executing <Task coro=<other()>> took 1 s"


def test_a_call_is_logged_with_its_path_and_printed_nowhere(
    start: Start,
    records: list[logging.LogRecord],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    start().add_campaign("spring", size=1, settle_seconds=0)

    get(SMSPartnerHook(), "status_by_tag", "spring")

    logged = [record.getMessage() for record in records if record.name.partition(".")[0] in logs.LIBRARIES]
    assert "GET /bulk-status-by-tag: note in _make_request (details are withheld)" in logged
    assert not any("apiKey" in text or "spring" in text for text in [*logged, capfd.readouterr().out])


def test_a_request_is_never_sent_before_its_loggers_are_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    first, later = logging.getLogger("urllib3.found_first"), logging.getLogger("urllib3.found_later")
    add, interrupted = first.addFilter, threading.Event()

    def log_in_another_exchange() -> None:
        with logs.named("GET", "/other"):
            later.warning(SECRET)

    def stall(each: logging.Filter) -> None:
        if not interrupted.is_set():
            interrupted.set()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(log_in_another_exchange).result()
        add(each)

    monkeypatch.setattr(first, "addFilter", stall)
    later.addHandler(kept := Kept())
    later.propagate = False
    with logs.named("GET", "/path"):
        pass
    assert [record.getMessage().partition(":")[0] for record in kept.records] == ["GET /other"]
