"""The trigger: watches a campaign from the triggerer until it needs a worker again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
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
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner._waiting.wait import Wait
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerRequestError
from airflow_provider_smspartner.models import counts_from_json, counts_to_json, to_ref


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
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.smspartner_conn_id = smspartner_conn_id
        self.tag = tag
        self.messages = messages
        self.settled = settled
        self.goal = goal
        self.rhythm = rhythm
        self.next_poll_at = next_poll_at

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
        """Wait for the campaign and fire one event."""
        yield TriggerEvent((await self._watch()).payload())

    async def _watch(self) -> Event:
        if not isinstance(self.messages, str):
            # Normalised before they were stored: doing so again could load phonenumbers on the event loop.
            return await self._wait_for(
                PendingInMemory(to_ref((number, message_id)) for number, message_id in self.messages or ())
            )
        from airflow_provider_smspartner._messages.from_file import MessageFile
        from airflow_provider_smspartner._messages.on_disk import PendingOnDisk

        with closing(PendingOnDisk()) as pending:
            # Reading a file blocks, and so does looking up its storage's connection: not on the event loop.
            await sync_to_async(pending.load, thread_sensitive=False)(MessageFile.of(self.messages))
            return await self._wait_for(pending.lightest())

    async def _wait_for(self, messages: PendingMessages) -> Event:
        wait = Wait(
            campaign=Campaign(tag=self.tag, messages=messages, settled=counts_from_json(self.settled)),
            goal=Goal(**self.goal),
            rhythm=Rhythm(**self.rhythm),
            now=self._clock,
        )
        self.log.info("%s", wait.opening())
        last: list[PollReport] = []

        def answered(tally: Tally) -> datetime | None:
            report = wait.conclude(tally)
            report.log_to(self.log)
            if report.verdict is Verdict.NOT_YET:
                return report.next_at
            last.append(report)
            return None

        try:
            await poll_together(self.smspartner_conn_id, wait, self.next_poll_at, answered)
        except (SMSPartnerCredentialsError, SMSPartnerRequestError) as error:
            return Event(verdict=Verdict.REFUSED, code=error.code, http_status=error.http_status)
        (report,) = last
        return Event(verdict=report.verdict, counts=report.summary.counts if report.summary else None)
