"""The trigger: watches a campaign from the triggerer until it needs a worker again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_smspartner._campaign import (
    Event,
    Goal,
    Pending,
    PendingList,
    Poll,
    Reading,
    Rhythm,
    Verdict,
    Wait,
    Watch,
    counts_from_json,
)
from airflow_provider_smspartner._together.sharing import poll_together
from airflow_provider_smspartner.exceptions import SMSPartnerCredentialsError, SMSPartnerRequestError
from airflow_provider_smspartner.models import MessageRef


class SMSPartnerCampaignTrigger(BaseTrigger):
    """
    Poll a campaign without holding a worker, and fire one event: a verdict and counts, never rows.

    All its times are absolute, so that a restarted triggerer goes on where another stopped. Airflow stores the
    arguments in its metadata database; the phone numbers of `messages` are among them, the API key is not.

    :param smspartner_conn_id: the Airflow connection that holds the API key.
    :param tag: the tag to watch, or None.
    :param messages: the messages that are still to be asked for, as ``[phone_number, message_id]``; the path of a
        file with all of them; or None.
    :param settled: how many messages need no more asking, by status.
    :param goal: the fields of a goal: what is waited for, and until when.
    :param rhythm: the fields of a rhythm: how long to wait between polls.
    :param next_poll_at: when to poll first.
    """

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

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what `__init__` takes, in types that Airflow can store."""
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
        """Describe the trigger without its messages: their phone numbers may stand in no log."""
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
            return await self._wait_for(
                PendingList(MessageRef.of(message) for message in self.messages or ())
            )
        from airflow_provider_smspartner._landing.backlog import Backlog
        from airflow_provider_smspartner._landing.source import MessageSource

        with closing(Backlog()) as backlog:
            # Reading a file blocks, and so does looking up its storage's connection: not on the event loop.
            await sync_to_async(backlog.load, thread_sensitive=False)(MessageSource.of(self.messages))
            return await self._wait_for(backlog.lightest())

    async def _wait_for(self, messages: Pending) -> Event:
        wait = Wait(
            watch=Watch(tag=self.tag, messages=messages, settled=counts_from_json(self.settled)),
            goal=Goal(**self.goal),
            rhythm=Rhythm(**self.rhythm),
        )
        self.log.info("%s", wait.opening())
        last: list[Poll] = []

        def answered(reading: Reading) -> datetime | None:
            poll = wait.conclude(reading)
            poll.log_to(self.log)
            if poll.verdict is Verdict.WAIT:
                return poll.next_at
            last.append(poll)
            return None

        try:
            await poll_together(self.smspartner_conn_id, wait, self.next_poll_at, answered)
        except (SMSPartnerCredentialsError, SMSPartnerRequestError) as error:
            return Event(verdict=Verdict.REFUSED, code=error.code, http_status=error.http_status)
        (poll,) = last
        return Event(verdict=poll.verdict, counts=poll.summary.counts if poll.summary else None)
