"""Requests that may not be repeated, and how to send them by either client. The endpoint is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from waits_for import LIMIT

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._http.asynchronous import AsyncClient
from airflow_provider_smspartner._http.blocking import BlockingClient
from airflow_provider_smspartner.protocol import Answer, Call, Request
from airflow_provider_smspartner.protocol.answers import unavailable

Send = Callable[..., Any]


def send(settings: Settings, *calls: Call[Any]) -> Any:
    """Send calls one after the other, and return what the last one gives."""
    with closing(BlockingClient(settings, "smspartner_default")) as client:
        return [client.send(call) for call in calls][-1]


def asend(settings: Settings, *calls: Call[Any]) -> Any:
    async def main() -> Any:
        client = await AsyncClient.open(settings, "smspartner_default")
        try:
            return [await client.send(call) for call in calls][-1]
        finally:
            await client.close()

    return asyncio.run(main())


CLIENTS: dict[str, Send] = {"sync": send, "async": asend}
both_clients = pytest.mark.parametrize("send", CLIENTS.values(), ids=CLIENTS)


def settings_for(
    url: str, *, timeout: float = LIMIT, max_attempts: int = 3, max_connections: int = 1
) -> Settings:
    return Settings(
        base_url=url,
        api_key="test-key",
        timeout=timeout,
        max_attempts=max_attempts,
        requests_per_minute=0,
        max_connections=max_connections,
    )


def write(*, may_repeat: bool, text: str = "hello", method: str = "POST") -> Call[int]:
    def read(answer: Answer) -> int:
        if answer.http_status != 200:
            raise unavailable(answer, "an error")
        return answer.http_status

    body = {"text": text} if method == "POST" else None
    return Call(Request(method, "/made-up", body=body, may_repeat=may_repeat), read)
