"""What a task holds while it executes, and how it is ended from outside: by `on_kill`."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_smspartner.exceptions import SMSPartnerAmbiguousSendError, SMSPartnerError

if TYPE_CHECKING:
    from airflow_provider_smspartner._files.output import Landed, Output, Sink
    from airflow_provider_smspartner._tasks.lineage import Lineage
    from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

_CLOSING_SECONDS = 1.0

_KILLED_BEFORE = "The task was terminated before it began; nothing was asked, and nothing was sent."


class _Operator(Protocol):
    _execution: Execution | None
    _lineage: Lineage | None

    @property
    def _ends_at_once(self) -> bool: ...


class Execution:
    """
    One execution of an operator, which `kill` ends soon and without a result; use it with ``with``.

    Airflow 3 calls `on_kill` in the handler of SIGTERM, lets ``execute`` go on, and kills the process some seconds
    later. So `kill` interrupts the very code that it is to stop, wherever that is, perhaps while it holds a lock:
    `kill` waits for no lock, and touches nothing that the interrupted code may be using.

    :param operator: knows its execution while it lasts, and whether it was killed before it.
    :param when_killed: what the error after a kill says, unless the file is there already.
    """

    def __init__(
        self,
        operator: _Operator,
        *,
        when_killed: str = "The task was terminated while it ran; nothing was delivered.",
    ) -> None:
        self._operator = operator
        self._when_killed = when_killed
        self._hook: SMSPartnerHook | None = None
        self._sink: Sink | None = None
        self._killed = False
        self._told: SMSPartnerError | None = None

    def use(self, hook: SMSPartnerHook) -> SMSPartnerHook:
        """
        Use a hook until the end.

        :param hook: asks for nothing more after a kill.
        """
        self._hook = hook
        if self._killed:
            hook.close(for_good=True)
        return hook

    def open(self, output: Output) -> Sink:
        """
        Return a writer for a new file.

        :param output: is not published after a kill.
        """
        self._sink = sink = output.open()
        if self._killed:
            sink.abandon()
        return sink

    def commit(self, sink: Sink) -> Landed:
        """
        Publish a file, report it to Airflow's lineage, and return what XCom holds of it.

        :param sink: the file, written.
        """
        from airflow_provider_smspartner._tasks.lineage import report_output

        landed = sink.commit()
        report_output(self._operator, landed["path"], rows=landed["rows"])
        return landed

    def check(self) -> None:
        """
        Make sure that the execution may go on.

        :raises SMSPartnerError: after a kill.
        """
        if self._killed:
            self._told = SMSPartnerError(self._why())
            raise self._told

    def kill(self) -> None:
        """End the execution: abandon its file, end its requests, and let it fail at the next step."""
        self._killed = True
        if self._sink is not None:
            self._sink.abandon()
        if self._hook is not None:
            hook = self._hook
            _in_a_thread(lambda: hook.close(for_good=True))

    def _why(self) -> str:
        if self._sink is None or not self._sink.published:
            return self._when_killed
        return (
            f"The task was terminated after its file was written: {self._sink.path} is complete. "
            "Nothing else was delivered."
        )

    def __enter__(self) -> Self:
        """
        Begin the execution.

        :raises SMSPartnerError: if the task was killed before.
        """
        operator = self._operator
        # First: a kill from here on is this execution's.
        operator._execution = self  # noqa: SLF001  # only the two of them know it
        if operator._ends_at_once:  # noqa: SLF001
            operator._execution = None  # noqa: SLF001
            raise SMSPartnerError(_KILLED_BEFORE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the execution. After a kill it ends with an error, whatever its result was."""
        self._operator._execution = None  # noqa: SLF001
        # It may know what was sent. And what is ambiguous stays so: it is never tried again.
        if error is not None and (error is self._told or isinstance(error, SMSPartnerAmbiguousSendError)):
            return
        # Other errors that are no `Exception` are Airflow's own: a time-out, or the SIGTERM of Airflow 2.
        if error is None or isinstance(error, Exception | TaskDeferred):
            try:
                self.check()
            except SMSPartnerError as killed:
                raise killed from None


def _in_a_thread(action: Callable[[], None]) -> None:
    """Run an action in another thread, which can wait for a lock that the interrupted thread holds."""
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        with suppress(Exception):
            action()
        done.release()

    # Not `threading`, which has locks of its own that the interrupted thread may hold.
    with suppress(RuntimeError):
        _thread.start_new_thread(run, ())
        done.acquire(timeout=_CLOSING_SECONDS)
