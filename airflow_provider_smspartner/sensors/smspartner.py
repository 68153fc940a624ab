"""The sensor: waits until a campaign has left "Waiting", for days if need be, and delivers its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._tasks.arguments import (
    check_literal_messages,
    check_literals,
    check_rendered,
    check_source,
    to_timedelta,
    warn_of_short_deferrals,
)
from airflow_provider_smspartner._tasks.execution import Execution
from airflow_provider_smspartner._tasks.reschedule import first_poll_of, recall, remember, with_dates
from airflow_provider_smspartner._tasks.status_task import StatusTask
from airflow_provider_smspartner.exceptions import SMSPartnerDeliveryRateError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_smspartner._tasks.campaign_run import CampaignRun
    from airflow_provider_smspartner.models import StatusSummary

# How much later than the trigger's own deadline Airflow may end a deferral: a last poll with all its tries.
_SAFETY_MARGIN = timedelta(minutes=15)

# How much later than this sensor's own deadline Airflow's loop may end the other modes: its clock is not quite ours.
_CLOCK_MARGIN = timedelta(minutes=1)

# The method that Airflow goes on with where a deferral has failed.
_FAILED = "__fail__"


class SMSPartnerCampaignSensor(StatusTask, BaseSensorOperator):
    """
    Wait until a campaign has left "Waiting", then push its rows and their summary to XCom.

    The campaign is done when the share of rows that are neither Waiting nor Not found is at least `settled_ratio`,
    there is at least one row, and, with `expected_total`, at least so many rows are known. The modes ``poke`` and
    ``reschedule`` and the deferrable mode end alike; the deferrable mode holds no worker while it waits.

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
    :param deferrable: wait in the triggerer instead of in a worker.
    :param kwargs: `output_path`, `output_conn_id`, `max_xcom_rows`, `phone_numbers`, `pseudonym_conn_id` and
        `smspartner_conn_id`, which `airflow_provider_smspartner._tasks.output_task.OutputTask` describes, and those of
        every sensor.
    :raises AirflowSensorTimeout: if it is not done within `timeout`.
    :raises SMSPartnerNotFoundError: if the vendor still does not know a message after `not_found_grace`.
    :raises SMSPartnerDeliveryRateError: if fewer rows than `min_delivery_rate` were delivered.
    :raises SMSPartnerCredentialsError: at once, if the vendor refuses the key, the account or the address.
    :raises SMSPartnerRequestError: at once, if the vendor refuses the request.

    Trouble with the network or on the vendor's side never ends the wait before its time.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
    """

    template_fields: Sequence[str] = ("tag", "messages", "expected_total", *StatusTask.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    _optional: ClassVar[frozenset[str]] = StatusTask._optional | {"tag", "expected_total"}  # noqa: SLF001 - its own class

    _run: CampaignRun | None = None

    def __init__(
        self,
        *,
        tag: str | None = None,
        messages: Iterable[object] | None = None,
        expected_total: int | None = None,
        settled_ratio: float = 1.0,
        not_found_grace: timedelta | float = timedelta(minutes=10),
        min_delivery_rate: float | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tag = tag
        self.messages = messages
        check_source(self)
        self.expected_total = expected_total
        self.settled_ratio = settled_ratio
        self.not_found_grace = to_timedelta("not_found_grace", not_found_grace)
        self.min_delivery_rate = min_delivery_rate
        self.deferrable = deferrable
        check_literals(self)

    def execute(self, context: Context) -> Any:
        """
        Wait for the campaign.

        :param context: the task's context.
        """
        with self._running(self._began_at(context)) as run:
            if self.deferrable:
                warn_of_short_deferrals(self)
                return self._poll_or_defer(context, run)
            with self._own_deadline_first():
                return super().execute(with_dates(context) if self.reschedule else context)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None, started_at: str | None = None
    ) -> Any:
        """
        Go on after the trigger's event: end as its verdict says, or fetch the rows.

        :param context: the task's context.
        :param event: the trigger's event: a verdict and counts.
        :param started_at: when the wait began, ISO 8601; Airflow's ``dag.test()`` loses it up to 3.3.2.
        """
        began = (
            datetime.fromisoformat(started_at)
            if started_at
            else getattr(context.get("ti"), "start_date", None)
        )
        with self._running(began or _clock.now(), seen_done=True) as run:
            run.end_unless_done(event)
            # The rows are read and judged anew: what has changed since the event counts.
            return self._poll_or_defer(context, run)

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """
        Poll once: deliver the rows if the campaign is done, or raise if it can't be any more.

        :param context: the task's context.
        """
        if self._run is None:
            # Outside of `execute`, as in a user's own test.
            with self._running(self._began_at(context)):
                return self.poke(context)
        # Here, too: Airflow's loop would skip without saying why.
        with self._skipping(for_any=self.deferrable or not self.silent_fail):
            if is_rescheduled := self.reschedule and not self.deferrable:
                recall(context, self._run.seen)
            if (summary := self._run.poll()) is None:
                if is_rescheduled:
                    remember(context, self._run.seen)
                return False
            return PokeReturnValue(True, self._deliver(context, self._run.result, summary))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Go on after a deferral: under `soft_fail` and `never_fail` as in the other modes.

        Airflow's own way would skip the task for any error of Airflow's kind, and would not say for which.

        :param next_method: what the trigger's event is for, or that the deferral has failed.
        :param next_kwargs: the event, or what has failed.
        :param context: the task's context.
        :raises AirflowSensorTimeout: if no triggerer has ended the wait in time.
        """
        # Not of BaseSensorOperator. What goes on with an event skips by itself.
        go_on = super(BaseSensorOperator, self).resume_execution
        if next_method != _FAILED:
            return go_on(next_method, next_kwargs, context)
        with self._skipping(for_any=True):
            try:
                return go_on(next_method, next_kwargs, context)
            except AirflowException as error:
                # Airflow 2 has no error of its own for this.
                if "timeout" not in str(error).lower():
                    raise
                raise AirflowSensorTimeout(
                    f"No triggerer has ended the wait in time ({error}): see whether one runs."
                ) from None

    def _check_lists(self) -> None:
        if self.messages is not None:
            check_literal_messages(self.messages, may_be_empty=False)

    def _poll_or_defer(self, context: Context, run: CampaignRun) -> Any:
        if done := self.poke(context):
            return done.xcom_value if isinstance(done, PokeReturnValue) else None
        self.defer(
            trigger=run.trigger(),
            method_name=self.execute_complete.__name__,
            kwargs={"started_at": run.wait.goal.started_at.isoformat()},
            # A net below the trigger's own deadline, which is exact and says what was met.
            timeout=timedelta(seconds=max(run.wait.seconds_left, 0) + self.poke_interval) + _SAFETY_MARGIN,
        )

    def _deliver(self, context: Context, result: Any, summary: StatusSummary) -> Any:
        self._push_summary(context, summary)
        rate, least = summary.delivery_rate, self.min_delivery_rate
        if least is not None and rate is not None and rate < least:
            # Airflow pushes what execute returns, but this one will not return.
            self._push(context, "return_value", result)
            raise SMSPartnerDeliveryRateError(
                f"{rate:.2%} of {summary.total} messages were delivered, less than the {least:.2%} asked for."
            )
        return result

    @contextmanager
    def _running(self, began: datetime | None, *, seen_done: bool = False) -> Iterator[CampaignRun]:
        """Open and close what one run holds."""
        from airflow_provider_smspartner._tasks.campaign_run import CampaignRun

        # In the other modes Airflow's loop raises also to reschedule; what fails there fails in `poke`.
        for_any = self.deferrable or seen_done
        with Execution(self) as execution, self._skipping(for_any=for_any):
            try:
                check_rendered(self)
                with (
                    execution.use(SMSPartnerHook(self.smspartner_conn_id)) as hook,
                    CampaignRun(self, hook, execution, began=began, seen_done=seen_done) as self._run,
                ):
                    yield self._run
            finally:
                self._run = None

    @contextmanager
    def _skipping(self, *, for_any: bool) -> Iterator[None]:
        """Skip the task instead of failing it, and say why, if the parameters say so: for any error, or for an end."""
        try:
            yield
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as error:
            if self.soft_fail or self.never_fail:
                raise _skip_for(error) from error
            raise
        except Exception as error:
            if self.never_fail and for_any:
                raise _skip_for(error) from error
            raise

    @contextmanager
    def _own_deadline_first(self) -> Iterator[None]:
        # Airflow's loop compares `timeout` with a clock of its own after each poll. Just before the deadline it would
        # end the wait without the last poll, and without saying how far the campaign had got.
        timeout = self.timeout
        self.timeout = timeout + _CLOCK_MARGIN.total_seconds()
        try:
            yield
        finally:
            self.timeout = timeout

    def _began_at(self, context: Context) -> datetime | None:
        """Return when an earlier run has begun the wait, or None if it begins now."""
        return first_poll_of(self, context) if self.reschedule and not self.deferrable else None

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        # Airflow asks for this between polls. All modes keep the one rhythm, and the log has named this delay.
        if self._run is not None and self._run.delay is not None:
            return self._run.delay
        return float(super()._get_next_poke_interval(started_at, run_duration, poke_count))


def _skip_for(error: BaseException) -> AirflowSkipException:
    return AirflowSkipException(f"Skipped instead of failed: {error}")
