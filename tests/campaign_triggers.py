"""Triggers as the sensor makes them, with times that suit a test."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger


def campaign_trigger(
    *,
    tag: str | None = None,
    messages: list[list[str]] | str | None = None,
    settled: dict[str, int] | None = None,
    timeout: float = 60.0,
    grace: float = 60.0,
    first_in: float = 0.0,
    poke_interval: float = 0.1,
    conn_id: str = "smspartner_default",
    **goal: Any,
) -> SMSPartnerCampaignTrigger:
    """Make a trigger for a tag or for messages; further arguments are fields of its goal."""
    now = SMSPartnerCampaignTrigger._clock()
    return SMSPartnerCampaignTrigger(
        smspartner_conn_id=conn_id,
        tag=tag,
        messages=messages,
        settled=settled or {},
        goal={
            "settled_ratio": 1.0,
            "expected_total": None,
            "started_at": now,
            "deadline": now + timedelta(seconds=timeout),
            "not_found_until": now + timedelta(seconds=grace),
            **goal,
        },
        rhythm={
            "poke_interval": poke_interval,
            "exponential_backoff": False,
            "max_wait": None,
            "seed": "dag#task",
        },
        next_poll_at=now + timedelta(seconds=first_in),
    )


async def fire(*triggers: SMSPartnerCampaignTrigger) -> list[dict[str, Any]]:
    """Run triggers on the running event loop until all have fired, and return their events' payloads."""
    events = await asyncio.gather(*(anext(each.run()) for each in triggers))
    return [event.payload for event in events]
