"""How a call of the shared polls is sent: again if that may help, never for nobody, never with old settings."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from shared_polls.vendor import DOWN, WRONG_KEY, Vendor, on_a_loop, subscriber

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._shared_polls.sender import ConnectionChangedError, Sender
from airflow_provider_smspartner._shared_polls.subscriber import Subscriber
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.protocol import Call, Request

READ = protocol.tag_page("spring", 1)
WRITE: Call[Any] = Call(Request("POST", "/made-up", body={}, may_repeat=False), lambda answer: answer)


class Changes:
    """
    Notes who asks whether the connection has changed, and what becomes of it.

    :param answer: whether it has, or the error if that cannot be known.
    """

    def __init__(self, *, answer: bool | Exception = False) -> None:
        self.answer = answer
        self.asked: list[tuple[float, bool]] = []
        self.noticed = 0

    async def has_changed(self, sent_at: float, must_know: bool) -> bool:
        self.asked.append((sent_at, must_know))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def on_change(self) -> None:
        self.noticed += 1


async def opened(
    vendor: Vendor, changes: Changes | None = None, *, tries: int = 3, in_flight: int = 4
) -> Sender:
    changes = changes or Changes()

    async def open_client() -> Vendor:
        return vendor

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
    return {subscriber(1, is_polling=True): poll_number}


async def send_some(sender: Sender, count: int) -> list[Any]:
    """Send calls at once, and return their answers and errors."""
    return await asyncio.gather(*(sender.send(READ, polling()) for _ in range(count)), return_exceptions=True)


@pytest.mark.parametrize("failures", [0, 1, 2])
@on_a_loop
async def test_a_call_is_sent_until_it_is_answered(failures: int) -> None:
    vendor, changes = Vendor(failures=[DOWN] * failures), Changes()
    sender = await opened(vendor, changes)

    assert (await sender.send(READ, polling())).number == 1
    assert (len(vendor.asked), changes.asked, sender.is_failing) == (failures + 1, [], False)


@on_a_loop
async def test_the_error_of_the_last_try_has_no_header() -> None:
    header = SMSPartnerUnavailableError("down", code=500, http_status=503, retry_after="0")
    vendor, changes = Vendor(failures=[header] * 9), Changes()
    sender = await opened(vendor, changes)

    with pytest.raises(SMSPartnerUnavailableError, match=r"^down$") as caught:
        await sender.send(READ, polling())

    error = caught.value
    assert (error.code, error.http_status, error.retry_after) == (500, 503, None)
    assert error.__cause__ is None
    assert (len(vendor.asked), changes.asked) == (3, [(vendor.sent_at[2], False)])
    assert sender.is_failing


@pytest.mark.parametrize(
    ("error", "sent"), [(DOWN, 1), (SMSPartnerUnavailableError("not there", surely_unsent=True), 2)]
)
@on_a_loop
async def test_what_may_not_be_repeated_is_sent_again_only_if_it_surely_was_not(
    error: SMSPartnerUnavailableError, sent: int
) -> None:
    vendor = Vendor(failures=[error])
    sender = await opened(vendor)

    outcomes = await asyncio.gather(sender.send(WRITE, polling()), return_exceptions=True)

    assert len(vendor.asked) == sent
    assert isinstance(outcomes[0], SMSPartnerUnavailableError) == (sent == 1)


@on_a_loop
async def test_during_a_lasting_outage_each_call_has_one_try() -> None:
    vendor = Vendor(failures=[DOWN] * 9)
    sender = await opened(vendor)
    for sent in (3, 4, 5):
        with pytest.raises(SMSPartnerUnavailableError):
            await sender.send(READ, polling())
        assert len(vendor.asked) == sent


@on_a_loop
async def test_calls_that_wait_for_the_vendor_learn_of_the_failure() -> None:
    vendor = Vendor(failures=[DOWN] * 9)
    sender = await opened(vendor, in_flight=1)

    errors = await send_some(sender, 5)

    assert list(map(str, errors)) == ["down"] * 5
    assert len({*map(id, errors)}) == 5  # raising adds to an exception
    # Not five calls of three tries each.
    assert len(vendor.asked) <= 4


@on_a_loop
async def test_a_call_that_is_of_no_use_any_more_is_not_sent() -> None:
    vendor = Vendor()
    sender = await opened(vendor)

    with pytest.raises(SMSPartnerUnavailableError, match="The time was over"):
        await sender.send(READ, polling(poll_number=5))
    assert vendor.asked == []


@pytest.mark.parametrize(
    "error", [SMSPartnerRequestError("no", code=9), ValueError("a fault of ours")], ids=["refused", "fault"]
)
@on_a_loop
async def test_other_errors_are_raised_as_they_are_and_at_once(error: Exception) -> None:
    vendor, changes = Vendor(failures=[error]), Changes()
    sender = await opened(vendor, changes)

    with pytest.raises(type(error)) as caught:
        await sender.send(READ, polling())
    assert caught.value is error
    assert (len(vendor.asked), changes.asked, sender.is_failing) == (1, [], False)


@on_a_loop
async def test_refused_credentials_of_an_unchanged_connection_are_raised() -> None:
    vendor, changes = Vendor(failures=[WRONG_KEY], seconds=1.0), Changes()
    sender = await opened(vendor, changes)
    await asyncio.sleep(5)

    with pytest.raises(SMSPartnerCredentialsError, match=r"^wrong key$"):
        await sender.send(READ, polling())

    assert (len(vendor.asked), changes.asked, changes.noticed, sender.is_over) == (1, [(5, True)], 0, False)


@pytest.mark.parametrize("error", [DOWN, WRONG_KEY], ids=["down", "credentials"])
@on_a_loop
async def test_once_the_connection_has_changed_nothing_is_sent_any_more(error: SMSPartnerError) -> None:
    vendor, changes = Vendor(failures=[error]), Changes(answer=True)
    sender = await opened(vendor, changes, tries=1)

    for _ in range(2):
        with pytest.raises(ConnectionChangedError):
            await sender.send(READ, polling())
        assert sender.is_over
    assert (len(vendor.asked), len(changes.asked), changes.noticed) == (1, 1, 1)


@pytest.mark.parametrize(("error", "in_flight"), [(WRONG_KEY, 4), (DOWN, 1)], ids=["on their way", "waiting"])
@on_a_loop
async def test_calls_that_are_made_as_the_connection_changes_go_on_elsewhere(
    error: SMSPartnerError, in_flight: int
) -> None:
    vendor, changes = Vendor(failures=[error] * 9, seconds=1.0), Changes(answer=True)
    sender = await opened(vendor, changes, tries=2, in_flight=in_flight)

    assert [type(each) for each in await send_some(sender, 4)] == [ConnectionChangedError] * 4
    assert (len(changes.asked), changes.noticed) == (1, 1)


@on_a_loop
async def test_refused_credentials_of_a_connection_that_cannot_be_found_may_pass() -> None:
    changes = Changes(answer=SMSPartnerUnavailableError("It cannot be found."))
    sender = await opened(Vendor(failures=[WRONG_KEY]), changes)

    with pytest.raises(SMSPartnerUnavailableError, match=r"^wrong key It cannot be found\.$") as caught:
        await sender.send(READ, polling())
    assert caught.value.__cause__ is None
    assert not sender.is_over


@pytest.mark.parametrize("refusal", [WRONG_KEY, SMSPartnerRequestError("no")], ids=["credentials", "refused"])
@on_a_loop
async def test_a_refusal_ends_an_outage(refusal: SMSPartnerError) -> None:
    sender = await opened(Vendor(failures=[DOWN, refusal]), tries=1)

    for error, failing in ((DOWN, True), (refusal, False)):
        with pytest.raises(type(error)):
            await sender.send(READ, polling())
        assert sender.is_failing is failing


@on_a_loop
async def test_a_call_that_is_cancelled_while_it_asks_leaves_it_to_the_next() -> None:
    vendor = Vendor(failures=[DOWN] * 2, seconds=10.0)
    sender = await opened(vendor)
    first, second = (asyncio.ensure_future(sender.send(READ, polling())) for _ in range(2))
    await asyncio.sleep(15)  # both have failed, and the first asks again
    assert len(vendor.asked) == 3
    first.cancel()

    assert (await second).number == 1
    assert first.cancelled()


@on_a_loop
async def test_the_client_is_closed_once() -> None:
    vendor = Vendor()
    sender = await opened(vendor)
    await sender.close()
    await sender.close()

    assert vendor.closed == 1
    with pytest.raises(RuntimeError, match="not open"):
        await sender.send(READ, polling())
