"""How a call of the shared polls is sent: again if that may help, never for nobody, never with old settings."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from datetime import datetime
from typing import Any

import pytest
from shared_polls.vendor import on_a_loop, wait_for

from airflow_provider_smspartner._shared_polls.sender import ConnectionChangedError, Sender
from airflow_provider_smspartner._shared_polls.subscriber import Subscriber
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import Call, Request

READ: Call[Any] = Call(Request("GET", "/me", may_repeat=True), lambda answer: answer)
WRITE: Call[Any] = Call(Request("POST", "/made-up", may_repeat=False), lambda answer: answer)
DOWN = SMSPartnerUnavailableError("down", code=500, http_status=503, retry_after="0")
WRONG_KEY = SMSPartnerCredentialsError("wrong key", code=10)


class Client:
    """
    Fails as told, and then answers with the number of the call.

    :param failures: the errors of the first calls.
    :param seconds: until a call is answered.
    """

    def __init__(self, *failures: Exception, seconds: float = 0.0) -> None:
        self.failures = list(failures)
        self.seconds = seconds
        self.sent = 0
        self.in_flight = self.most_in_flight = 0
        self.closed = 0

    async def send_once(self, _: Call[Any]) -> Any:
        self.sent += 1
        number = self.sent
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.seconds)
        self.in_flight -= 1
        if number <= len(self.failures):
            raise self.failures[number - 1]
        return number

    async def close(self) -> None:
        self.closed += 1


class Changes:
    """
    Notes who asks whether the connection has changed, and what becomes of it.

    :param answer: whether it has, or the error if that cannot be known.
    """

    def __init__(self, *, answer: bool | Exception = False) -> None:
        self.answer = answer
        self.asked: list[bool] = []
        self.sent_at: list[float] = []
        self.noticed = 0

    async def has_changed(self, sent_at: float, must_know: bool) -> bool:
        self.asked.append(must_know)
        self.sent_at.append(sent_at)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def on_change(self) -> None:
        self.noticed += 1


async def opened(
    client: Client, changes: Changes | None = None, *, tries: int = 3, in_flight: int = 4
) -> Sender:
    changes = changes or Changes()

    async def open_client() -> Client:
        return client

    sender = Sender(
        open_client,
        tries=tries,
        in_flight=in_flight,
        has_changed=changes.has_changed,
        on_change=changes.on_change,
    )
    await sender.open()
    return sender


def polling(poll_number: int = 0) -> dict[Subscriber, int]:
    """Return a wait that polls, with the number of its poll."""
    outcome: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
    each = Subscriber(wait_for(1), lambda _: None, copy_context(), outcome, deadline_at=60.0)
    each.take(0.0)
    return {each: poll_number}


@on_a_loop
async def test_a_call_is_sent_once_if_it_is_answered() -> None:
    client, changes = Client(), Changes()
    sender = await opened(client, changes)

    assert await sender.send(READ, polling()) == 1
    assert (client.sent, changes.asked, sender.is_failing) == (1, [], False)


@on_a_loop
async def test_a_refusal_ends_the_outage() -> None:
    sender = await opened(Client(DOWN, SMSPartnerRequestError("no such thing")))

    with pytest.raises(SMSPartnerRequestError):
        await sender.send(READ, polling())
    assert not sender.is_failing


@on_a_loop
async def test_one_that_was_never_opened_can_be_closed() -> None:
    async def never() -> Client:
        raise AssertionError

    changes = Changes()
    sender = Sender(never, tries=1, in_flight=1, has_changed=changes.has_changed, on_change=changes.on_change)

    await sender.close()


@on_a_loop
async def test_a_failed_call_is_sent_again() -> None:
    client = Client(DOWN, DOWN)
    sender = await opened(client)

    assert await sender.send(READ, polling()) == 3
    assert not sender.is_failing


@on_a_loop
async def test_the_error_of_the_last_try_has_no_header() -> None:
    client, changes = Client(*[DOWN] * 9), Changes()
    sender = await opened(client, changes)

    with pytest.raises(SMSPartnerUnavailableError, match=r"^down$") as caught:
        await sender.send(READ, polling())

    error = caught.value
    assert (error.code, error.http_status, error.retry_after) == (500, 503, None)
    assert error.__cause__ is None
    assert (client.sent, changes.asked, sender.is_failing) == (3, [False], True)


@pytest.mark.parametrize(
    ("error", "sent"), [(DOWN, 1), (SMSPartnerUnavailableError("not there", surely_unsent=True), 2)]
)
@on_a_loop
async def test_what_may_not_be_repeated_is_sent_again_only_if_it_surely_was_not(
    error: SMSPartnerUnavailableError, sent: int
) -> None:
    client = Client(error)
    sender = await opened(client)

    outcomes = await asyncio.gather(sender.send(WRITE, polling()), return_exceptions=True)

    assert client.sent == sent
    assert isinstance(outcomes[0], SMSPartnerUnavailableError) == (sent == 1)


@on_a_loop
async def test_during_a_lasting_outage_each_call_has_one_try() -> None:
    client = Client(*[DOWN] * 9)
    sender = await opened(client)
    for sent in (3, 4, 5):
        with pytest.raises(SMSPartnerUnavailableError):
            await sender.send(READ, polling())
        assert client.sent == sent


@on_a_loop
async def test_calls_that_wait_for_the_vendor_learn_of_the_failure() -> None:
    client = Client(*[DOWN] * 9)
    sender = await opened(client, in_flight=1)

    outcomes = await asyncio.gather(*(sender.send(READ, polling()) for _ in range(5)), return_exceptions=True)

    assert [str(each) for each in outcomes] == ["down"] * 5
    # Not five calls of three tries each.
    assert client.sent <= 4


@on_a_loop
async def test_a_call_that_is_of_no_use_any_more_is_not_sent() -> None:
    client = Client()
    sender = await opened(client)

    with pytest.raises(SMSPartnerUnavailableError, match="The time was over"):
        await sender.send(READ, polling(poll_number=5))
    assert client.sent == 0


@on_a_loop
async def test_no_more_calls_are_on_their_way_than_allowed() -> None:
    client = Client(seconds=0.01)
    sender = await opened(client, in_flight=2)

    await asyncio.gather(*(sender.send(READ, polling()) for _ in range(7)))

    assert (client.sent, client.most_in_flight) == (7, 2)


@on_a_loop
async def test_other_errors_are_raised_as_they_are_and_at_once() -> None:
    for error in (SMSPartnerRequestError("no", code=9), ValueError("a fault of ours")):
        client, changes = Client(error), Changes()
        sender = await opened(client, changes)

        with pytest.raises(type(error)) as caught:
            await sender.send(READ, polling())
        assert caught.value is error
        assert (client.sent, changes.asked, sender.is_failing) == (1, [], False)


@on_a_loop
async def test_refused_credentials_of_an_unchanged_connection_are_raised() -> None:
    client, changes = Client(WRONG_KEY), Changes()
    sender = await opened(client, changes)
    began = asyncio.get_running_loop().time()

    with pytest.raises(SMSPartnerCredentialsError, match=r"^wrong key$"):
        await sender.send(READ, polling())

    assert (client.sent, changes.asked, changes.noticed, sender.is_over) == (1, [True], 0, False)
    assert began <= changes.sent_at[0] <= asyncio.get_running_loop().time()


@pytest.mark.parametrize("error", [DOWN, WRONG_KEY], ids=["down", "credentials"])
@on_a_loop
async def test_once_the_connection_has_changed_nothing_is_sent_any_more(error: SMSPartnerError) -> None:
    client, changes = Client(error), Changes(answer=True)
    sender = await opened(client, changes, tries=1)

    with pytest.raises(ConnectionChangedError):
        await sender.send(READ, polling())
    assert sender.is_over
    with pytest.raises(ConnectionChangedError):
        await sender.send(READ, polling())
    assert (client.sent, len(changes.asked), changes.noticed) == (1, 1, 1)


@on_a_loop
async def test_calls_on_their_way_as_the_connection_changes_go_on_elsewhere() -> None:
    client, changes = Client(*[WRONG_KEY] * 3, seconds=0.01), Changes(answer=True)
    sender = await opened(client, changes)

    outcomes = await asyncio.gather(*(sender.send(READ, polling()) for _ in range(3)), return_exceptions=True)

    assert [type(each) for each in outcomes] == [ConnectionChangedError] * 3
    assert (len(changes.asked), changes.noticed) == (1, 1)


@on_a_loop
async def test_calls_that_wait_for_the_vendor_as_the_connection_changes_go_on_elsewhere() -> None:
    client, changes = Client(*[DOWN] * 9), Changes(answer=True)
    sender = await opened(client, changes, tries=2, in_flight=1)

    outcomes = await asyncio.gather(*(sender.send(READ, polling()) for _ in range(4)), return_exceptions=True)

    assert [type(each) for each in outcomes] == [ConnectionChangedError] * 4


@on_a_loop
async def test_refused_credentials_of_a_connection_that_cannot_be_found_may_pass() -> None:
    changes = Changes(answer=SMSPartnerUnavailableError("It cannot be found."))
    sender = await opened(Client(WRONG_KEY), changes)

    with pytest.raises(SMSPartnerUnavailableError, match=r"^wrong key It cannot be found\.$") as caught:
        await sender.send(READ, polling())
    assert caught.value.__cause__ is None
    assert not sender.is_over


@on_a_loop
async def test_a_refusal_ends_an_outage() -> None:
    client = Client(DOWN, WRONG_KEY)
    sender = await opened(client, tries=1)

    for expected, failing in ((SMSPartnerUnavailableError, True), (SMSPartnerCredentialsError, False)):
        with pytest.raises(expected):
            await sender.send(READ, polling())
        assert sender.is_failing is failing


@on_a_loop
async def test_a_call_that_is_cancelled_while_it_asks_leaves_it_to_the_next() -> None:
    client = Client(DOWN, seconds=0.02)
    sender = await opened(client)
    first = asyncio.ensure_future(sender.send(READ, polling()))
    while client.sent < 2:  # noqa: ASYNC110 - the client is the only witness
        await asyncio.sleep(0.001)
    second = asyncio.ensure_future(sender.send(READ, polling()))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == 3
    assert first.cancelled()


@on_a_loop
async def test_the_client_is_closed_once() -> None:
    client = Client()
    sender = await opened(client)
    await sender.close()
    await sender.close()

    assert client.closed == 1
    with pytest.raises(RuntimeError, match="not open"):
        await sender.send(READ, polling())
