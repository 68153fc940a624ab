"""The trigger: watches a campaign from the triggerer until it needs a worker again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from traceback import format_tb
from typing import Any, ClassVar, Self

import msgspec
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_smspartner import _clock
from airflow_provider_smspartner._messages.pending import PendingInMemory, PendingMessages
from airflow_provider_smspartner._shared_polls.registry import poll_together
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.event import Event
from airflow_provider_smspartner._waiting.goal import Goal, Verdict
from airflow_provider_smspartner._waiting.report import PollReport
from airflow_provider_smspartner._waiting.rhythm import Rhythm
from airflow_provider_smspartner._waiting.seen import Seen
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerInputError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import counts_from_json, counts_to_json, to_ref

_MAX_BAD_READS = 3
"""How often in a row a file that can be read, and is wrong, is read again: it may be in the middle of being written."""

_MOMENT = 0.01
"""What a pause at the deadline is longer: the time is over only after it."""


class SMSPartnerCampaignTrigger(BaseTrigger):
    """
    Poll a campaign without holding a worker, and fire one event: a verdict and counts, never rows.

    All its times are absolute, so that a restarted triggerer goes on where another stopped. Airflow stores the
    arguments in its metadata database; the phone numbers of `messages` are among them, the API key is not.

    `of` makes a trigger from a `Wait`; `__init__` takes what `serialize` returns, as Airflow has stored it.

    :param smspartner_conn_id: the Airflow connection that holds the API key.
    :param tag: the tag to watch, or None.
    :param messages: the messages that are still to be asked for, as ``[phone_number, message_id]``; the path of a
        file with all of them; or None.
    :param settled: how many messages need no more asking, by status.
    :param goal: the fields of a `Goal`: what is waited for, and until when.
    :param rhythm: the fields of a `Rhythm`: how long to pause between polls.
    :param next_poll_at: when to poll first.
    :param known: how many messages the vendor has known so far.
    """

    _clock: ClassVar[staticmethod[[], datetime]] = staticmethod(_clock.now)

    def __init__(
        self,
        *,
        smspartner_conn_id: str,
        tag: str | None,
        messages: Sequence[Sequence[str]] | str | None,
        settled: Mapping[str, int],
        goal: Mapping[str, Any],
        rhythm: Mapping[str, Any],
        next_poll_at: datetime,
        known: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.smspartner_conn_id = smspartner_conn_id
        self.tag = tag
        self.messages = messages
        self.settled = settled
        self.goal = goal
        self.rhythm = rhythm
        self.next_poll_at = next_poll_at
        self.known = known

    @classmethod
    def of(
        cls, wait: Wait, *, smspartner_conn_id: str, next_poll_at: datetime, path: str | None = None
    ) -> Self:
        """
        Return the trigger that goes on with a wait.

        :param wait: what to wait for, and what has settled already.
        :param smspartner_conn_id: the Airflow connection that holds the API key.
        :param next_poll_at: when to poll first, aware.
        :param path: the file with the wait's messages: the trigger reads it itself, and asks for all of them.
        """
        campaign = wait.campaign
        pairs = None if campaign.tag is not None else [[*ref] for ref in campaign.messages if path is None]
        return cls(
            smspartner_conn_id=smspartner_conn_id,
            tag=campaign.tag,
            messages=pairs if path is None else path,
            settled=counts_to_json(campaign.settled) if path is None else {},
            goal=msgspec.structs.asdict(wait.goal),
            rhythm=msgspec.structs.asdict(wait.rhythm),
            next_poll_at=next_poll_at,
            known=wait.seen.known,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's path and what `__init__` takes, in types that Airflow can store."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "smspartner_conn_id": self.smspartner_conn_id,
            "tag": self.tag,
            "messages": self.messages,
            "settled": self.settled,
            "goal": self.goal,
            "rhythm": self.rhythm,
            "next_poll_at": self.next_poll_at,
            "known": self.known,
        }

    def __repr__(self) -> str:
        """Return the trigger without its messages: their phone numbers may be in no log."""
        if self.tag is not None:
            watched = f"tag={self.tag!r}"
        else:
            watched = (
                f"messages={self.messages if isinstance(self.messages, str) else len(self.messages or ())}"
            )
        return f"<{type(self).__name__} {watched} next_poll_at={self.next_poll_at}>"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the campaign and fire one event, whatever happens."""
        yield TriggerEvent((await self._end()).payload())

    async def _end(self) -> Event:
        try:
            return await self._watch()
        except (SMSPartnerCredentialsError, SMSPartnerRequestError) as refusal:
            return Event(verdict=Verdict.REFUSED, code=refusal.code, http_status=refusal.http_status)
        except SMSPartnerInputError as error:
            return Event(verdict=Verdict.FAILED, error=str(error), is_bad_input=True)
        except Exception as error:  # noqa: BLE001 - a wait that ends without an event fails without a word
            name = type(error).__name__
            # Not its text, which may be of a library or a storage, and hold anything.
            self.log.error("The trigger failed with %s:\n%s", name, "".join(format_tb(error.__traceback__)))  # noqa: TRY400
            return Event(
                verdict=Verdict.FAILED,
                error=f"The trigger failed with {name}; the log of the triggerer says where.",
            )

    async def _watch(self) -> Event:
        if not isinstance(self.messages, str):
            # Normalised before they were stored: doing so again could load phonenumbers on the event loop.
            return await self._wait_for(
                PendingInMemory(to_ref((number, message_id)) for number, message_id in self.messages or ())
            )
        from airflow_provider_smspartner._messages.from_file import MessageFile
        from airflow_provider_smspartner._messages.on_disk import PendingOnDisk

        wait = self._wait(PendingInMemory())
        bad_reads = 0
        while True:
            with closing(PendingOnDisk()) as pending:
                try:
                    # Reading a file blocks, and so does looking up its storage's connection: not on the event loop.
                    await sync_to_async(pending.load, thread_sensitive=False)(MessageFile.of(self.messages))
                except Exception as error:
                    # The worker has read it: a storage that fails is back some time, and a file that is being written
                    # is whole then.
                    bad_reads = bad_reads + 1 if isinstance(error, SMSPartnerInputError) else 0
                    if bad_reads == _MAX_BAD_READS:
                        raise
                    report = wait.conclude(_failed_reading(wait, error))
                else:
                    return await self._wait_for(pending.lightest())
            report.log_to(self.log)
            if report.verdict is not Verdict.NOT_YET:
                return Event(verdict=report.verdict)
            await _clock.asleep(min(report.delay, max(wait.seconds_left, 0.0)) + _MOMENT)

    def _wait(self, messages: PendingMessages) -> Wait:
        return Wait(
            campaign=Campaign(tag=self.tag, messages=messages, settled=counts_from_json(self.settled)),
            goal=Goal(**self.goal),
            rhythm=Rhythm(**self.rhythm),
            # Whatever the vendor knew when a worker last asked is taken for known until now.
            seen=Seen(self.known, self._clock() if self.known else None),
            now=self._clock,
        )

    async def _wait_for(self, messages: PendingMessages) -> Event:
        wait = self._wait(messages)
        self.log.info("%s", wait.going_on(self.next_poll_at))
        last: list[PollReport] = []

        def answered(tally: Tally) -> datetime | None:
            report = wait.conclude(tally)
            report.log_to(self.log)
            if report.verdict is Verdict.NOT_YET:
                return report.next_at
            last.append(report)
            return None

        await poll_together(self.smspartner_conn_id, wait, self.next_poll_at, answered)
        (report,) = last
        return Event(verdict=report.verdict, counts=report.summary.counts if report.summary else None)


def _failed_reading(wait: Wait, error: Exception) -> Tally:
    # A library's text may quote what it has read.
    why = str(error) if isinstance(error, SMSPartnerInputError) else f"it failed with {type(error).__name__}"
    tally = wait.tally()
    tally.end(
        SMSPartnerUnavailableError(
            f"The file that `messages` names cannot be read in the triggerer for now: {why}"
        )
    )
    return tally
