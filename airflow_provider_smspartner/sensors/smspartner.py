"""The sensor: waits until a campaign has left "Waiting", up to days, and delivers its rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import msgspec
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._arguments import (
    check_literals,
    check_rendered,
    read_total,
    to_timedelta,
    warn_of_short_deferrals,
)
from airflow_provider_smspartner._campaign import (
    Event,
    Goal,
    Poll,
    Reading,
    Rhythm,
    Verdict,
    Wait,
    Watch,
    counts_to_json,
    out_of_time,
    progress,
)
from airflow_provider_smspartner._execution import Execution
from airflow_provider_smspartner._results import (
    MAX_XCOM_ROWS,
    max_rows_of,
    output_of,
    pending_of,
    publish,
    push,
)
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerDeliveryRateError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink
from airflow_provider_smspartner.models import (
    DeliveryStatus,
    MessageRef,
    StatusRow,
    StatusSummary,
    to_ref,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_smspartner._landing.output import Output

# How much later than the trigger's own deadline Airflow may end a deferral: a last poll with all its tries.
_SAFETY_MARGIN = timedelta(minutes=15)


# How often in a row a refused poll is made again because the Airflow connection has changed meanwhile.
_MAX_CHANGES = 3


# Airflow is to retry other errors of this name: only past its grace is it of no use to wait again. Users know one name.
_StillNotFoundError = type(
    SMSPartnerNotFoundError.__name__,
    (SMSPartnerNotFoundError, AirflowFailException),
    {"__module__": SMSPartnerNotFoundError.__module__, "__doc__": "Not found past its grace."},
)


class SMSPartnerCampaignSensor(BaseSensorOperator):
    """
    Wait until a campaign has left "Waiting", then push its rows and their summary to XCom.

    Done when the share of rows that are neither Waiting nor Not found is at least `settled_ratio`, there is at
    least one row, and, with `expected_total`, at least so many rows are known. ``poke``, ``reschedule`` and
    deferrable mode end alike; the deferrable mode holds no worker while it waits.

    XCom ``return_value`` is the list of rows, XCom ``summary`` their summary, as the operators push them.

    :param tag: the campaign's tag, 1 to 20 characters without white space. (templated)
    :param messages: the campaign's messages, each a ``(phone_number, message_id)`` pair or a mapping with both, or
        the path of an NDJSON, CSV or Parquet file with those two columns, which the wait holds in a temporary file
        on disk. Exactly one of `tag` and `messages` is given. (templated)
    :param expected_total: rows that must be known before the campaign can be done: a tag can be read while its
        messages are still being sent. (templated)
    :param settled_ratio: share of the rows that must have settled, above 0 and up to 1.
    :param not_found_grace: how long, from the first poll, a tag or message that the vendor does not know is
        waited for: a timedelta, or seconds.
    :param min_delivery_rate: least share of delivered rows, 0 to 1; a lower one fails the task without retry,
        after the results were pushed.
    :param output_path: let the rows land in this file instead of XCom: a path or URI that Airflow's
        ObjectStoragePath takes, ending in ``.ndjson``, ``.csv`` (each also ``.gz``) or ``.parquet``. XCom
        ``return_value`` is then ``{"path": …, "rows": n, "format": …}``. (templated)
    :param output_conn_id: the Airflow connection of that storage, if it is not in the URI. (templated)
    :param max_xcom_rows: more rows than that without `output_path` are an error.
    :param smspartner_conn_id: the Airflow connection that holds the API key. (templated)
    :param deferrable: wait in the triggerer instead of in a worker.
    :raises AirflowSensorTimeout: if it is not done within `timeout`.
    :raises SMSPartnerNotFoundError: if the vendor still does not know a message after `not_found_grace`.
    :raises SMSPartnerDeliveryRateError: if fewer rows than `min_delivery_rate` were delivered.
    :raises SMSPartnerCredentialsError: at once, if the vendor refuses the key, the account or the address.
    :raises SMSPartnerRequestError: at once, if the vendor refuses the request.

    Network trouble and the vendor's own never end the wait before its time.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
    """

    template_fields: Sequence[str] = (
        "tag",
        "messages",
        "expected_total",
        "output_path",
        "output_conn_id",
        "smspartner_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    operator_extra_links = (SMSPartnerAccountLink(),)
    ui_color = "#d7efe3"
    _execution: Execution | None = None

    def __init__(
        self,
        *,
        tag: str | None = None,
        messages: Iterable[object] | None = None,
        expected_total: int | None = None,
        settled_ratio: float = 1.0,
        not_found_grace: timedelta | float = timedelta(minutes=10),
        min_delivery_rate: float | None = None,
        output_path: str | None = None,
        output_conn_id: str | None = None,
        max_xcom_rows: int = MAX_XCOM_ROWS,
        smspartner_conn_id: str = SMSPartnerHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (tag is None) == (messages is None):
            raise SMSPartnerInputError(
                f"Task {self.task_id!r}: exactly one of `tag` and `messages` must be given."
            )
        self.tag = tag
        self.messages = messages
        self.expected_total = expected_total
        self.settled_ratio = settled_ratio
        self.not_found_grace = to_timedelta("not_found_grace", not_found_grace)
        self.min_delivery_rate = min_delivery_rate
        self.output_path = output_path
        self.output_conn_id = output_conn_id
        self.max_xcom_rows = max_xcom_rows
        self.smspartner_conn_id = smspartner_conn_id
        self.deferrable = deferrable
        check_literals(self)
        self._hook: SMSPartnerHook | None = None
        self._began: datetime | None = None
        self._wait: Wait | None = None
        self._rows: dict[MessageRef, StatusRow] = {}
        self._delay: float | None = None
        self._output: Output | None = None
        self._resumed = False

    def execute(self, context: Context) -> Any:
        """Wait for the campaign."""
        with Execution(self), self._waiting_since(self._first_poll_at(context)):
            if self.deferrable:
                warn_of_short_deferrals(self)
                return self._poll_or_defer(context)
            return super().execute(_with_dates(context) if self.reschedule else context)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None, started_at: str | None = None
    ) -> Any:
        """
        Go on after the trigger's event: end as its verdict says, or fetch the rows.

        :param context: the task's context.
        :param event: the trigger's event: a verdict and counts.
        :param started_at: when the wait began, ISO 8601; Airflow's ``dag.test()`` loses it up to 3.3.2.
        """
        task_instance = context.get("ti")
        began = (
            datetime.fromisoformat(started_at) if started_at else getattr(task_instance, "start_date", None)
        )
        with Execution(self), self._waiting_since(began or datetime.now(UTC)):
            self._end_unless_done(Event.read(event))
            self._resumed = True
            # The rows are read and judged anew: what has changed since the event counts.
            return self._poll_or_defer(context)

    def on_kill(self) -> None:
        """End the execution, if there is one: nothing more is asked for, and no file is left behind."""
        if self._execution is not None:
            self._execution.kill()

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """
        Poll once: deliver the rows if the campaign is done, or raise if it can't be any more.

        :param context: the task's context.
        """
        self._delay = None
        if self._wait is None:
            check_rendered(self)
            self._output = output_of(self)
            self._wait = self._new_wait(self._began or self._first_poll_at(context))
            if not self._resumed:
                self.log.info("%s", self._wait.opening())
        # After the trigger has seen it done, what the file needs is a reading anyway.
        poll, result = self._with_what_the_connection_says_now(
            self._land if self._output and self._resumed else self._poll, self._wait
        )
        if poll.verdict is Verdict.DONE and self._output and not self._resumed:
            # What has settled is no longer in the wait, and must be in the file.
            anew = self._new_wait(self._wait.goal.started_at)
            with closing(anew.watch.messages):
                poll, result = self._land(anew)
        if self._execution is not None:
            # What failed because of a kill looks like passing trouble.
            self._execution.check()
        self._delay = poll.delay
        poll.log_to(self.log)
        if poll.verdict is Verdict.WAIT:
            self._resumed = False
            return False
        if poll.verdict is not Verdict.DONE or poll.summary is None:
            self._fail(poll.verdict, poll.report)
        return PokeReturnValue(True, self._deliver(context, result, poll.summary))

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        # Airflow asks for this between polls; all modes keep the one rhythm, and the log has named this delay.
        if self._delay is not None:
            return self._delay
        elapsed = run_duration()
        return self._rhythm(str(started_at)).delay(elapsed, remaining=self.timeout - elapsed)

    def _with_what_the_connection_says_now(
        self, read: Callable[[Wait], tuple[Poll, Any]], wait: Wait
    ) -> tuple[Poll, Any]:
        """Read, and again if the vendor refuses credentials that the Airflow connection has changed meanwhile."""
        for _ in range(_MAX_CHANGES):
            try:
                poll, result = read(wait)
            except SMSPartnerCredentialsError:
                if self._hook is None or not self._hook._has_changed():  # noqa: SLF001 - a detail of ours
                    raise
            else:
                if poll.is_failed and self._hook is not None:
                    # In vain for now is no worse than not looking.
                    with suppress(Exception):
                        self._hook._has_changed()  # noqa: SLF001 - a detail of ours
                return poll, result
        return read(wait)

    def _poll(self, wait: Wait) -> tuple[Poll, Any]:
        """Ask for what is still unsettled; give the rows, unless they are to land in a file."""
        rows: list[StatusRow] = []
        with wait.read() as reading:
            polled = self._in_time(self._read(wait.watch, reading), wait)
            # What is to land in a file is only counted here.
            rows.extend(row for row in polled if self._output is None)
        if wait.watch.tag is None:
            # Final rows are not asked for again: keep them. The first poll asks for all, and sets their order.
            self._rows |= {_ref_of(row): row for row in rows}
            rows = list(self._rows.values())
        return wait.conclude(reading), rows

    def _land(self, wait: Wait) -> tuple[Poll, Any]:
        """Read the rows of a wait that has not polled yet into the file, and publish it if the campaign is done."""
        output = self._output
        if output is None:
            raise TypeError("there is no file to land in")
        with (self._execution or Execution(self)).open(output) as sink:
            with wait.read() as reading:
                sink.write(self._read(wait.watch, reading))
            poll = wait.conclude(reading)
            return poll, sink.commit() if poll.verdict is Verdict.DONE else None

    def _read(self, watch: Watch, reading: Reading) -> Generator[StatusRow, None, None]:
        hook = self._hook or SMSPartnerHook(self.smspartner_conn_id)
        if watch.tag is not None:
            for row in hook.iter_status_by_tag(watch.tag, max_rows=max_rows_of(self), read_ahead=True):
                reading.add(DeliveryStatus(row["status"]))
                yield row
            return
        for row in hook.iter_multi_status(watch.messages, distinct=True):
            reading.add(DeliveryStatus(row["status"]), _ref_of(row))
            yield row

    def _in_time(self, rows: Generator[StatusRow, None, None], wait: Wait) -> Iterator[StatusRow]:
        """End a poll that is still being read when the time is over, but none that the trigger has seen done."""
        left = (wait.goal.deadline - datetime.now(UTC)).total_seconds()
        ends_at = monotonic() + wait.time_to_read(left=left)
        with closing(rows):
            for row in rows:
                if monotonic() > ends_at and not self._resumed:
                    raise out_of_time()
                yield row

    def _deliver(self, context: Context, result: Any, summary: StatusSummary) -> Any:
        publish(self, context, summary)
        rate, least = summary.delivery_rate, self.min_delivery_rate
        if least is not None and rate is not None and rate < least:
            # Airflow pushes what execute returns, but this one will not return.
            push(self, context, "return_value", result)
            raise SMSPartnerDeliveryRateError(
                f"{rate:.2%} of {summary.total} messages were delivered, less than the {least:.2%} asked for."
            )
        return result

    def _poll_or_defer(self, context: Context) -> Any:
        if done := self.poke(context):
            return done.xcom_value if isinstance(done, PokeReturnValue) else None
        wait, delay = self._wait, self._delay
        if wait is None or delay is None:
            raise TypeError("a poll leaves behind what it waits for")
        # Not with the module: a DAG file that is only parsed would wait for the trigger's imports.
        from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

        watch, goal, now = wait.watch, wait.goal, datetime.now(UTC)
        # A file of messages may be too long for the trigger's arguments: the trigger reads it itself, and asks for all.
        path = self.messages if isinstance(self.messages, str) else None
        pairs = None if watch.tag is not None or path else [[*ref] for ref in watch.messages]
        self.defer(
            trigger=SMSPartnerCampaignTrigger(
                smspartner_conn_id=self.smspartner_conn_id,
                tag=watch.tag,
                messages=path or pairs,
                settled={} if path else counts_to_json(watch.settled),
                goal=msgspec.structs.asdict(goal),
                rhythm=msgspec.structs.asdict(wait.rhythm),
                next_poll_at=now + timedelta(seconds=delay),
            ),
            method_name=self.execute_complete.__name__,
            kwargs={"started_at": goal.started_at.isoformat()},
            # A net below the trigger's own deadline, which is exact and says what was met.
            timeout=max(goal.deadline - now, timedelta(0))
            + timedelta(seconds=self.poke_interval)
            + _SAFETY_MARGIN,
        )

    def _end_unless_done(self, event: Event) -> None:
        if event.verdict is Verdict.REFUSED:
            raise protocol.refusal(code=event.code, http_status=event.http_status) or ValueError(
                "The trigger's event names a refusal that is none."
            )
        if event.verdict is not Verdict.DONE:
            known = event.counts is not None
            summary = (
                StatusSummary(counts=event.counts or {}, checked_at=datetime.now(UTC)) if known else None
            )
            watch = self._watch()
            watch.messages.close()
            self._fail(event.verdict, f"{watch}: {progress(summary)}")

    def _fail(self, verdict: Verdict, report: str) -> NoReturn:
        if verdict is Verdict.NOT_FOUND:
            raise _StillNotFoundError(
                f"{report}; given up after the grace of {self.not_found_grace}. "
                "`not_found_grace` says how long messages that SMS Partner does not know are waited for."
            )
        goal = f"`settled_ratio` is {self.settled_ratio:g}"
        if self.expected_total is not None:
            goal += f" and `expected_total` is {self.expected_total}"
        raise AirflowSensorTimeout(
            f"{report}; timed out after {timedelta(seconds=self.timeout)}. "
            f"`timeout` says how long the campaign is waited for; {goal}."
        )

    @contextmanager
    def _waiting_since(self, began: datetime) -> Iterator[None]:
        self._began, self._wait, self._rows, self._resumed = began, None, {}, False
        ends: tuple[type[BaseException], ...] = (
            AirflowSensorTimeout,
            AirflowTaskTimeout,
            AirflowFailException,
        )
        if self.never_fail and self.deferrable:
            # Airflow's own loop does this for the other modes.
            ends = (*ends, Exception)
        try:
            with SMSPartnerHook(self.smspartner_conn_id) as self._hook:
                if self._execution is not None:
                    self._execution.use(self._hook)
                yield
        except ends as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipped instead of failed: {error}") from error
            raise
        finally:
            self._hook = None
            if self._wait is not None:
                self._wait.watch.messages.close()
                self._wait = None

    def _watch(self) -> Watch:
        if self.messages is None:
            return Watch(tag=protocol.check_tag(self.tag))
        messages = pending_of(self)
        if not len(messages):
            messages.close()
            raise SMSPartnerInputError("`messages` is empty: there is nothing to wait for.")
        return Watch(tag=None, messages=messages)

    def _new_wait(self, began: datetime) -> Wait:
        goal = Goal(
            settled_ratio=self.settled_ratio,
            expected_total=read_total(self.expected_total),
            started_at=began,
            deadline=began + timedelta(seconds=self.timeout),
            not_found_until=began + self.not_found_grace,
        )
        # The watch comes last: it may hold a file, which nothing would close if another part failed.
        return Wait(goal=goal, rhythm=self._rhythm(began.isoformat()), watch=self._watch())

    def _rhythm(self, seed: str) -> Rhythm:
        return Rhythm(
            poke_interval=self.poke_interval,
            exponential_backoff=bool(self.exponential_backoff),
            max_wait=self.max_wait.total_seconds() if self.max_wait else None,
            seed=f"{self.dag_id}#{self.task_id}#{seed}",
        )

    def _first_poll_at(self, context: Context) -> datetime:
        first = self._first_rescheduled_at(context) if self.reschedule and not self.deferrable else None
        return first or datetime.now(UTC)

    def _first_rescheduled_at(self, context: Context) -> datetime | None:
        first: datetime | None
        ti: Any = context.get("ti")
        if ti is None:
            raise SMSPartnerInputError(
                f"Task {self.task_id!r}: without a task instance nothing can be rescheduled; run the DAG with "
                "`dag.test()`, or use `mode='poke'` in this test."
            )
        if hasattr(ti, "get_first_reschedule_date"):
            first = _date_of(ti.get_first_reschedule_date(context))
        else:
            # Airflow 2.11 keeps it to its own sensors.
            from airflow.sensors.base import _orig_start_date

            first_try = (ti.max_tries or 0) - (self.retries or 0) + 1
            first = _orig_start_date(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, first_try)
        return first


class _DatedTaskInstance:
    """A task instance whose first reschedule date is a date, which Airflow's own loop counts with."""

    def __init__(self, ti: Any, first: datetime) -> None:
        self._ti = ti
        self._first = first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)

    def get_first_reschedule_date(self, context: Context) -> datetime:
        return self._first


def _with_dates(context: Context) -> Any:
    """Return the context, with a first reschedule date that is no text, as it is in Airflow 3.0."""
    ti: Any = context["ti"]
    if not hasattr(ti, "get_first_reschedule_date"):
        return context
    first = ti.get_first_reschedule_date(context)
    return {**context, "ti": _DatedTaskInstance(ti, _date_of(first))} if isinstance(first, str) else context


def _date_of(first: datetime | str | None) -> Any:
    return datetime.fromisoformat(first) if isinstance(first, str) else first


def _ref_of(row: StatusRow) -> MessageRef:
    return to_ref((row["phone_number"], row["message_id"] or ""))
