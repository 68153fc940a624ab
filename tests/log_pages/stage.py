"""Where a scene is played: a double, the tasks that ask it, and all that the provider logs and raises meanwhile."""

from __future__ import annotations

import logging
import re
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from harness import fire, new_context, stored
from state_store import StateStore

import airflow_provider_smspartner
from airflow_provider_smspartner._connection import settings
from airflow_provider_smspartner._tasks import arguments
from airflow_provider_smspartner._tasks.account_task import AccountTask
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.notifications.smspartner import SMSPartnerNotifier
from airflow_provider_smspartner.operators.smspartner import (
    SMSPartnerMultiStatusOperator,
    SMSPartnerSendOperator,
    SMSPartnerStatusByTagOperator,
    SMSPartnerStopListOperator,
)
from airflow_provider_smspartner.sensors.smspartner import SMSPartnerCampaignSensor
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

PACKAGE = Path(airflow_provider_smspartner.__file__).parent
_NAME = PACKAGE.name
_TASK_LOG = "airflow.task.told"
FOLDER = "/srv/sms"
"""How the stage's folder is called on a page."""
Place = tuple[str, int]
"""A file of the package, and a line in it."""

# What differs from run to run. Only what was played on this machine is renamed: there it is the vendor.
_PASSING = (
    (re.compile(r"SMS Partner at 127\.0\.0\.1:\d+"), "SMS Partner at api.smspartner.fr:443"),
    (re.compile(r"The proxy at 127\.0\.0\.1:9"), "The proxy at proxy.example.com:3128"),
    (re.compile(r"\d{4}-\d\d-\d\d (?=\d\d:)"), ""),
    (re.compile(r"(\d days?, )?\d{1,2}:\d\d:\d\d(\.\d+)?( UTC)?"), "TIME"),
    (re.compile(r"\d+(\.\d+)? s\b"), "SECONDS"),
)


class Stage:
    """
    An empty stage.

    :param double: the default connection leads to it.
    :param monkeypatch: undoes what a scene sets.
    :param folder: for files.
    """

    def __init__(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.double = double
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.lines: list[str] = []
        self.places: set[Place] = set()

    def connect(self, **extra: Any) -> None:
        for name, value in self.double.connection_env(requests_per_minute=0, **extra).items():
            self.monkeypatch.setenv(name, value)

    def connect_as(self, conn_id: str, connection: str) -> None:
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)

    def campaign(self, *statuses: str, size: int = 1) -> None:
        """Let the double know a campaign with the tag spring-sale, each message with these statuses in turn."""
        for n, number in enumerate(numbers(size)):
            self.double.add_message(number, str(1001 + n), *statuses, tag="spring-sale")

    def fetch(self, **arguments: Any) -> None:
        self._run(SMSPartnerStatusByTagOperator, **{"tag": "spring-sale", **arguments})

    def fetch_list(self, messages: object, **arguments: Any) -> None:
        self._run(SMSPartnerMultiStatusOperator, messages=messages, **arguments)

    def fetch_stop_list(self) -> None:
        self._run(SMSPartnerStopListOperator)

    def await_campaign(self, **arguments: Any) -> None:
        self._run(SMSPartnerCampaignSensor, **_wait(deferrable=False, **arguments))

    def await_deferred(self, **arguments: Any) -> None:
        """Wait for a campaign, deferred: the worker, the triggerer and the worker again."""

        def run() -> None:
            sensor = SMSPartnerCampaignSensor(task_id="wait", **_wait(deferrable=True, **arguments))
            try:
                sensor.execute(new_context())
            except TaskDeferred as deferred:
                event = fire(stored(deferred.trigger))
                sensor.execute_complete(new_context(), event=event, **(deferred.kwargs or {}))

        self._end(run)

    def send(self, *, context: dict[str, Any] | None = None, **arguments: Any) -> None:
        given = {"recipients": numbers(3), "message": "Hello", "tag": "spring-sale", **arguments}
        self._run(SMSPartnerSendOperator, context=context, **given)

    def notify(self, message: str) -> None:
        self._end(lambda: SMSPartnerNotifier(recipients=["+33639980000"], message=message).notify({}))

    def load(self, **arguments: Any) -> None:
        from airflow_provider_smspartner.transfers.smspartner_to_sql import SMSPartnerStatusToSqlOperator

        given = {"tag": "spring-sale", "table": "sms_statuses", "sql_conn_id": "warehouse", **arguments}
        self._run(SMSPartnerStatusToSqlOperator, **given)

    def begin_new_log(self) -> None:
        """Forget the lines so far: each try of a task has a log of its own."""
        self.lines.clear()

    def kill_at_next_request(self) -> None:
        """Terminate the task while its next request is under way."""

        async def apply(request: Any, proceed: Callable[[Any], Any], _: object) -> Any:
            self._task.on_kill()
            return proceed(request)

        self.double.misbehave(Fault("kill", apply))

    def place(self, name: str, content: str = "") -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def _tell(self, line: str) -> None:
        self.lines.append(line.replace(str(self.folder), FOLDER))

    def _run(self, kind: type, *, context: dict[str, Any] | None = None, **arguments: Any) -> None:
        def run() -> None:
            before = len(self.lines)
            self._task = kind(task_id=_TASK_IDS[kind.__name__], **arguments)
            # What is read as the DAG is parsed is read again, and logged again, when the task starts.
            del self.lines[before:]
            self._task.execute(context or new_context())

        self._end(run)

    def _end(self, run: Callable[[], object]) -> None:
        try:
            run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the log shows
            # The first part: not every Airflow shows the notes of an error.
            shown = traceback.format_exception_only(type(error), error)[0].strip()
            self._tell(re.sub(r"^[\w.]*\.(?=\w+:)", "", shown))


_TASK_IDS = {
    "SMSPartnerSendOperator": "send",
    "SMSPartnerCampaignSensor": "wait",
    "SMSPartnerStatusToSqlOperator": "load",
    "SMSPartnerStatusByTagOperator": "fetch",
    "SMSPartnerMultiStatusOperator": "fetch",
    "SMSPartnerStopListOperator": "fetch",
}


def numbers(count: int) -> list[str]:
    """Return phone numbers of the range that is kept for fiction."""
    return [f"+3363998{n:04}" for n in range(count)]


def next_try(store: StateStore, **kept: Any) -> dict[str, Any]:
    """Return the context of a task whose earlier tries share a store."""
    for name, value in kept.items():
        store.set(name, value)
    return {**new_context(), "task_state_store": store}


def _wait(**arguments: Any) -> dict[str, Any]:
    return {"tag": "spring-sale", "poke_interval": 0.05, "timeout": 30, **arguments}


S = TypeVar("S", bound=Stage)


class _Keeping(logging.Handler):
    def __init__(self, stage: Stage) -> None:
        super().__init__(logging.INFO)
        self._stage = stage

    def emit(self, record: logging.LogRecord) -> None:
        # What Airflow and the double say is not the provider's.
        path = Path(record.pathname)
        if path.is_relative_to(PACKAGE) and not path.is_relative_to(PACKAGE / "testing"):
            self._stage.places.add((str(path.relative_to(PACKAGE)), record.lineno))
            self._stage._tell(f"{record.levelname} {record.getMessage()}")


@contextmanager
def set_up(kind: type[S], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[S]:
    """Set up an empty stage, and keep what is logged on it."""
    settings._warn_of_unknown.cache_clear()
    monkeypatch.setattr(arguments, "_airflow_version", lambda: (3, 2))
    for owner in (AccountTask, SMSPartnerHook, SMSPartnerNotifier, SMSPartnerCampaignTrigger):
        # Airflow 3 logs past the standard library's logging.
        monkeypatch.setattr(owner, "log", logging.getLogger(_TASK_LOG), raising=False)
    with SMSPartnerDouble(page_size=50) as double:
        stage = kind(double, monkeypatch, folder)
        stage.connect()
        handler = _Keeping(stage)
        loggers = [logging.getLogger(name) for name in (_TASK_LOG, _NAME)]
        before = [each.level for each in loggers]
        for each in loggers:
            each.addHandler(handler)
            each.setLevel(logging.INFO)
        try:
            yield stage
        finally:
            for each, level in zip(loggers, before, strict=True):
                each.removeHandler(handler)
                each.setLevel(level)


def comparable(text: str) -> str:
    """Return a text without times, addresses and line breaks."""
    text = " ".join(text.split())
    for pattern, instead in _PASSING:
        text = pattern.sub(instead, text)
    return text


def is_shown(text: str, lines: Iterable[str]) -> bool:
    """
    Return whether a page's text shows what was logged.

    :param text: a line of it that is … stands for any number of lines.
    :param lines: what was logged.
    """
    parts = [comparable(part) for part in re.split(r"^…$", text, flags=re.MULTILINE)]
    # A blank on either side: a part begins and ends with a whole word.
    pattern = ".* ".join(re.escape(f"{part} " if part else "") for part in parts)
    return re.fullmatch(pattern, comparable("\n".join(lines)) + " ") is not None


def rendered(lines: Iterable[str]) -> str:
    """Return lines as a page shows them: long ones are wrapped."""
    return "\n".join(
        textwrap.fill(line, 104, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )
