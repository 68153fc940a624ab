"""One run of the sensor: from the start of its execution until it ends, defers or is rescheduled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_smspartner import _clock, protocol
from airflow_provider_smspartner._metrics import SECONDS_WAITED, WAITS, count
from airflow_provider_smspartner._tasks.arguments import read_total
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.event import Event
from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.seen import Seen
from airflow_provider_smspartner._waiting.tally import Tally, out_of_time
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
)
from airflow_provider_smspartner.models import (
    DeliveryStatus,
    MessageRef,
    StatusRow,
    StatusSummary,
    describe_progress,
    to_ref,
)

if TYPE_CHECKING:
    from airflow_provider_smspartner._files.output import Output
    from airflow_provider_smspartner._messages.pending import PendingMessages
    from airflow_provider_smspartner._tasks.execution import Execution
    from airflow_provider_smspartner._waiting.report import PollReport
    from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
    from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

_MAX_CHANGES = 3
"""How often in a row a refused poll is made again because the Airflow connection has changed meanwhile."""

_OUTCOMES: dict[type[Exception], str] = {
    AirflowSensorTimeout: Verdict.TIMED_OUT.value,
    SMSPartnerNotFoundError: Verdict.NOT_FOUND.value,
    SMSPartnerCredentialsError: Verdict.REFUSED.value,
    SMSPartnerRequestError: Verdict.REFUSED.value,
}
"""How a wait has ended, by the error that it ends with."""

# Airflow retries other errors of this name; past the grace a retry is of no use. Users know one name.
_StillNotFoundError = type(
    SMSPartnerNotFoundError.__name__,
    (SMSPartnerNotFoundError, AirflowFailException),
    {"__module__": SMSPartnerNotFoundError.__module__, "__doc__": "Not found past its grace."},
)


class Sensor(Protocol):
    """What a run needs of its sensor: the rendered parameters, and the ways to messages and to the file."""

    task_id: str
    tag: str | None
    messages: Any
    expected_total: int | None
    settled_ratio: float
    not_found_grace: timedelta
    timeout: float
    poke_interval: float
    exponential_backoff: Any
    max_wait: timedelta | None
    smspartner_conn_id: str

    @property
    def dag_id(self) -> str:
        """The DAG's name."""

    @property
    def log(self) -> Any:
        """The task's log."""

    def _iter_status_by_tag(self, hook: SMSPartnerHook, tag: str) -> Generator[StatusRow, None, None]:
        """Yield the rows of a tag, unless they are too many."""

    def _open_output(self) -> Output | None:
        """Return the file that the rows go into, or None for XCom."""

    def _read_pending(self, messages: object) -> PendingMessages:
        """Read the messages, each once."""

    def _releasing(self) -> Callable[[StatusRow], StatusRow]:
        """Return what each row passes through on its way out."""


class CampaignRun:
    """
    Polls a campaign with the synchronous hook, and holds what the polls of one run share.

    Use it in ``with``: what it holds is released at the end.

    :param sensor: whose run it is.
    :param hook: asks for the statuses.
    :param execution: the task's; the file is abandoned with it.
    :param began: when the wait began, aware: its first poll, in an earlier run; None if it begins now.
    :param seen_done: whether the trigger has seen the campaign done: its rows are then read even after the deadline.
    """

    def __init__(
        self,
        sensor: Sensor,
        hook: SMSPartnerHook,
        execution: Execution,
        *,
        began: datetime | None,
        seen_done: bool = False,
    ) -> None:
        self._sensor = sensor
        self._hook = hook
        self._execution = execution
        self._is_first = began is None
        self._began = began or _clock.now()
        self._timeout = timedelta(seconds=sensor.timeout)
        self._seen_done = seen_done
        self._output: Output | None = None
        self._release: Callable[[StatusRow], StatusRow] | None = None
        self._wait: Wait | None = None
        self._rows: dict[MessageRef, StatusRow] = {}
        self._report: PollReport | None = None
        self.seen = Seen()
        """What the vendor has known of the campaign."""
        self.result: Any = None
        """What XCom holds of the rows once the campaign is done: the rows themselves, or where they are."""

    @property
    def wait(self) -> Wait:
        """The wait, once it has polled."""
        if self._wait is None:
            raise RuntimeError("The wait begins with its first poll.")
        return self._wait

    @property
    def delay(self) -> float | None:
        """The seconds until the next poll, or None before the first."""
        return None if self._report is None else self._report.delay

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._wait is not None:
            self._wait.campaign.messages.close()
        if (outcome := self._outcome(error)) is not None:
            count(WAITS, outcome)
            lasted = _clock.now() - self._began
            count(SECONDS_WAITED, outcome, number=round(lasted.total_seconds()))

    def _outcome(self, error: BaseException | None) -> str | None:
        """Return how the wait has ended, for the metrics, or None if it goes on or may begin anew."""
        if self._report is not None and self._report.verdict is Verdict.DONE:
            return Verdict.DONE.value
        # A skip has its reason as cause.
        met = getattr(error, "__cause__", None) or error
        return next((outcome for kind, outcome in _OUTCOMES.items() if isinstance(met, kind)), None)

    def poll(self) -> StatusSummary | None:
        """
        Poll once.

        :return: the summary of a campaign that is done, whose rows are then in `result`; None if it is not done yet.
        :raises AirflowSensorTimeout: if the time is over.
        :raises SMSPartnerNotFoundError: if the vendor does not know a message after `not_found_grace`.
        :raises SMSPartnerError: if the poll failed for good.
        """
        self._report = None
        wait = self._wait or self._begin()
        output = self._output
        if output is None:
            report = self._with_the_connection_of_now(self._poll, wait)
        elif self._seen_done:
            # After the trigger has seen it done, all rows are read into the file at once.
            report = self._with_the_connection_of_now(partial(self._poll_into_file, output), wait)
        else:
            report = self._with_the_connection_of_now(self._poll, wait)
            if report.verdict is Verdict.DONE:
                # Messages that have settled are no longer in the wait, but their rows must be in the file.
                whole = self._new_wait()
                with closing(whole.campaign.messages):
                    report = self._poll_into_file(output, whole)
        # A poll that failed because the task is being killed looks like passing trouble.
        self._execution.check()
        report.log_to(self._sensor.log)
        self._report = report
        if report.verdict is Verdict.NOT_YET:
            self._seen_done = False
            return None
        if report.verdict is not Verdict.DONE:
            raise self._gave_up(report.verdict, report.headline)
        if output is None:
            self.result = list(self._released(self.result))
        return report.summary

    def end_unless_done(self, payload: Mapping[str, Any] | None) -> None:
        """
        Raise what the trigger's event says, unless it has seen the campaign done.

        :param payload: the event.
        :raises SMSPartnerError: if the vendor has refused a poll, or still does not know a message.
        :raises AirflowSensorTimeout: if the time is over.
        :raises ValueError: if the payload is no event of this provider's trigger.
        """
        event = Event.read(payload)
        if event.verdict is Verdict.FAILED:
            raise (SMSPartnerInputError if event.is_bad_input else SMSPartnerError)(
                event.error or "The trigger failed."
            )
        if event.verdict is Verdict.REFUSED:
            raise protocol.refusal(code=event.code, http_status=event.http_status) or ValueError(
                "The trigger's event names a refusal that is none."
            )
        if event.verdict is not Verdict.DONE:
            counts = event.counts
            summary = None if counts is None else StatusSummary(counts=counts, checked_at=_clock.now())
            campaign = self._campaign()
            campaign.messages.close()
            raise self._gave_up(event.verdict, f"{campaign}: {describe_progress(summary)}")
        if event.counts is not None:
            not_found = event.counts.get(DeliveryStatus.NOT_FOUND, 0)
            self.seen.note(sum(event.counts.values()) - not_found, _clock.now())

    def trigger(self) -> SMSPartnerCampaignTrigger:
        """Return the trigger that goes on after the last poll."""
        # Not with the module: it imports asyncio's world, which no other mode needs.
        from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

        if self._report is None:
            raise RuntimeError("The wait goes on after a poll, and there was none.")
        sensor = self._sensor
        return SMSPartnerCampaignTrigger.of(
            self.wait,
            smspartner_conn_id=sensor.smspartner_conn_id,
            next_poll_at=self._report.next_at,
            # A file of messages may be too long for the trigger's arguments: the trigger reads it itself.
            path=sensor.messages if isinstance(sensor.messages, str) else None,
        )

    def _begin(self) -> Wait:
        self._release = self._sensor._releasing()  # noqa: SLF001 - a run is its sensor's own
        self._output = self._sensor._open_output()  # noqa: SLF001 - a run is its sensor's own
        self._wait = wait = self._new_wait()
        if self._is_first and not self._seen_done:
            self._sensor.log.info("%s", wait.opening())
        return wait

    def _new_wait(self) -> Wait:
        sensor, began = self._sensor, self._began
        goal = Goal(
            settled_ratio=sensor.settled_ratio,
            expected_total=read_total(sensor.expected_total),
            started_at=began,
            deadline=began + self._timeout,
            not_found_until=began + sensor.not_found_grace,
        )
        rhythm = Rhythm(
            poke_interval=sensor.poke_interval,
            exponential_backoff=bool(sensor.exponential_backoff),
            max_wait=sensor.max_wait.total_seconds() if sensor.max_wait else None,
            seed=f"{sensor.dag_id}#{sensor.task_id}#{began.isoformat()}",
        )
        # The campaign comes last: it may hold a file, which nothing would close if another part failed.
        return Wait(goal=goal, rhythm=rhythm, seen=self.seen, campaign=self._campaign(), now=_clock.now)

    def _campaign(self) -> Campaign:
        if self._sensor.messages is None:
            return Campaign(tag=protocol.check_tag(self._sensor.tag))
        messages = self._sensor._read_pending(self._sensor.messages)  # noqa: SLF001 - a run is its sensor's own
        if not len(messages):
            messages.close()
            raise SMSPartnerInputError("`messages` is empty: there is nothing to wait for.")
        return Campaign(tag=None, messages=messages)

    def _gave_up(self, verdict: Verdict, headline: str) -> Exception:
        """Return the error of a wait that ends without its campaign being done."""
        sensor = self._sensor
        if verdict is Verdict.NOT_FOUND:
            error: Exception = _StillNotFoundError(
                f"{headline}; given up after the grace of {sensor.not_found_grace}. "
                "`not_found_grace` says how long messages that SMS Partner does not know are waited for."
            )
            return error
        goal = f"`settled_ratio` is {sensor.settled_ratio:g}"
        if sensor.expected_total is not None:
            goal += f" and `expected_total` is {sensor.expected_total}"
        return AirflowSensorTimeout(
            f"{headline}; timed out after {self._timeout}. "
            f"`timeout` says how long the campaign is waited for; {goal}."
        )

    def _with_the_connection_of_now(self, poll: Callable[[Wait], PollReport], wait: Wait) -> PollReport:
        """Poll, and again if the vendor refuses credentials that the Airflow connection has changed meanwhile."""
        for _ in range(_MAX_CHANGES):
            try:
                report = poll(wait)
            except SMSPartnerCredentialsError:
                if not self._hook._has_changed():  # noqa: SLF001 - the provider's own door
                    raise
            else:
                if report.is_failed:
                    # A connection that cannot be looked up now is looked up at the next poll.
                    with suppress(Exception):
                        self._hook._has_changed()  # noqa: SLF001 - the provider's own door
                return report
        return poll(wait)

    def _poll(self, wait: Wait) -> PollReport:
        """Ask for what is still unsettled, and keep the rows unless they go into a file."""
        for _ in range(protocol.MAX_READINGS):
            rows: list[StatusRow] = []
            with wait.tally() as tally:
                polled = self._in_time(self._read(wait, tally), wait)
                # Rows that go into a file are only counted here.
                rows.extend(row for row in polled if self._output is None)
            if not _has_changed(tally):
                break
        if wait.campaign.tag is None:
            # Final rows are not asked for again: keep them. The first poll asks for all, and sets their order.
            self._rows |= {_ref_of(row): row for row in rows}
            rows = list(self._rows.values())
        self.result = rows
        return wait.conclude(tally)

    def _poll_into_file(self, output: Output, wait: Wait) -> PollReport:
        """Write the rows of a wait that has not polled yet to the file, and publish it if the campaign is done."""
        for _ in range(protocol.MAX_READINGS):
            with self._execution.open(output) as sink:
                with wait.tally() as tally:
                    sink.write(self._released(self._read(wait, tally)))
                if _has_changed(tally):
                    continue
                report = wait.conclude(tally)
                if report.verdict is Verdict.DONE:
                    self.result = self._execution.commit(sink)
                return report
        return wait.conclude(tally)

    def _released(self, rows: Iterable[StatusRow]) -> Iterator[StatusRow]:
        if self._release is None:
            raise RuntimeError("No row leaves before the wait has begun.")
        return map(self._release, rows)

    def _read(self, wait: Wait, tally: Tally) -> Generator[StatusRow, None, None]:
        campaign = wait.campaign
        if campaign.tag is not None:
            for row in self._sensor._iter_status_by_tag(self._hook, campaign.tag):  # noqa: SLF001 - a run is its sensor's own
                tally.add(DeliveryStatus(row["status"]))
                yield row
            return
        for row in self._hook.iter_multi_status(campaign.messages, distinct=True):
            status = DeliveryStatus(row["status"])
            # The row of a message that the vendor has left unanswered says nothing else.
            is_silence = (
                status is DeliveryStatus.NOT_FOUND and row["code"] is None and row["raw_status"] is None
            )
            tally.add(status, _ref_of(row), is_silence=is_silence)
            yield row

    def _in_time(self, rows: Generator[StatusRow, None, None], wait: Wait) -> Iterator[StatusRow]:
        """End a poll that is still being read when the time is over, unless the trigger has seen the campaign done."""
        ends_at = _clock.monotonic() + wait.time_to_read(left=wait.seconds_left)
        with closing(rows):
            for row in rows:
                if _clock.monotonic() > ends_at and not self._seen_done:
                    raise out_of_time()
                yield row


def _has_changed(tally: Tally) -> bool:
    """Whether a tag has changed while it was read, and is to be read anew."""
    return isinstance(tally.trouble, SMSPartnerIncompleteError) and tally.trouble.has_changed


def _ref_of(row: StatusRow) -> MessageRef:
    return to_ref((row["phone_number"], row["message_id"] or ""))
